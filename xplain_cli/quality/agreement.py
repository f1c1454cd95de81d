"""Agreement of explanations: top-k overlap and rank correlation, over many draws at once."""

from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray

_MOST_PAIRS = 2016
_MANY_TIMES = 16


def top_members(sizes: Any, k: int) -> BoolArray:
    """Return which features are among the k largest *sizes* (..., n) from 0 on; k < n."""
    members = np.zeros(sizes.shape, dtype=bool)
    if k * _MANY_TIMES < sizes.shape[-1]:  # then looking for them one by one is faster
        left = sizes.copy()
        for _ in range(k):
            largest = left.argmax(axis=-1)[..., None]
            np.put_along_axis(left, largest, -1.0, axis=-1)
            np.put_along_axis(members, largest, values=True, axis=-1)
        return members
    chosen = np.argpartition(-sizes, k - 1, axis=-1)[..., :k]
    np.put_along_axis(members, chosen, values=True, axis=-1)
    return members


def mean_jaccard(members: BoolArray, k: int) -> FloatArray:
    """
    Return the mean Jaccard index over all pairs of g top-k sets.

    Parameters
    ----------
    members : (..., g, n) bool
        Which features belong to each set.
    k
        The size of every set.

    Returns
    -------
    (...) float in [0, 1]
    """
    g = members.shape[-2]
    sets = members.astype(np.float32)
    common = sets @ np.swapaxes(sets, -1, -2)
    jaccard = common / (2 * k - common)
    total = jaccard.sum(axis=(-1, -2), dtype=np.float64) - g
    return np.asarray(total / (g * (g - 1)), dtype=np.float64)


def _pairs(n: int) -> tuple[IntArray, IntArray]:
    """Return the features of each pair that is compared, of n: all, or evenly spaced ones."""
    count = n * (n - 1) // 2
    first, second = np.triu_indices(n, 1)
    spaced = np.linspace(0, count - 1, min(count, _MOST_PAIRS)).astype(np.int64)
    return first[spaced], second[spaced]


def _orders(sizes: Any, counts: Any) -> tuple[Any, Any]:
    """
    Count of each pair of features in how many rankings the first is above, and below, the second.

    Parameters
    ----------
    sizes : (..., g, n)
    counts
        A type that can hold g.

    Returns
    -------
    two of (..., pairs)
    """
    g, n = sizes.shape[-2:]
    first, second = _pairs(n)
    found = np.empty((2, sizes.size // (g * n), len(first)), dtype=counts)
    if n * (n - 1) // 2 <= _MOST_PAIRS:  # one feature against all behind it: nothing is gathered
        by_feature = np.ascontiguousarray(np.moveaxis(sizes.reshape(-1, g, n), -1, 0))
        ends = np.flatnonzero(np.diff(first, append=n)) + 1
        for j, end in enumerate(ends.tolist()):
            own, rest, at = by_feature[j], by_feature[j + 1 :], slice(end - (n - 1 - j), end)
            for side, place in zip((own > rest, own < rest), found, strict=True):
                place[:, at] = np.add.reduce(side.view(np.int8), axis=-1, dtype=counts).T
    else:
        for i, ranking in enumerate(sizes.reshape(-1, g, n)):
            own, rest = ranking.take(first, axis=1), ranking.take(second, axis=1)
            for side, place in zip((own > rest, own < rest), found, strict=True):
                np.add.reduce(side.view(np.int8), axis=0, dtype=counts, out=place[i])
    above, below = found.reshape(2, *sizes.shape[:-2], len(first))
    return above, below


def mean_tau(sizes: Any) -> FloatArray:
    """
    Return Kendall's tau averaged over all pairs of g rankings of *sizes* (..., g, n).

    The mean over pairs of rankings of the product of two signs is the squared mean sign, less
    each ranking with itself. More than 64 features are sampled at 2016 evenly spaced pairs.
    Pairs tied everywhere are left out (tau-b); NaN where all are.
    """
    g, n = sizes.shape[-2:]
    if n < 2:
        return np.full(sizes.shape[:-2], np.nan)
    # counting in one byte is several times faster, where it can hold the count
    above, below = _orders(sizes, np.int8 if g <= 127 else np.int32)
    apart = (above > 0) | (below > 0)
    signs = above.astype(np.float64) - below
    squares = np.where(apart, (signs**2 / g - 1) / (g - 1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = squares.sum(axis=-1) / apart.sum(axis=-1)
    return np.asarray(tau, dtype=np.float64)
