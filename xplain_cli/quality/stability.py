"""The stability of an attribution: standard errors, predicted reruns, labels.

Errors come from independent repeats (t with R - 1 degrees of freedom); what a rerun with another
seed would change is predicted by drawing reruns from the measured covariance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import Attribution, CodedWords, FloatArray, add_up
from xplain_cli.quality.agreement import mean_jaccard, mean_tau, top_members
from xplain_cli.quality.words import PRECISION, UNSTEADY
from xplain_cli.seeds import RERUNS, stream

_RERUNS = 128
_SLICE_ENTRIES = 2_000_000


@dataclass(frozen=True)
class Stability:
    """
    The stability of b rows with k targets and n features.

    Attributes
    ----------
    std_error, ci_low, ci_high, std_over_seeds : (b, k, n)
        Of the pooled weight: its standard error, 95 % interval; and the standard deviation of
        one repeat's weight over the seeds.
    sign_probability : (b, k, n)
        Probability that the sign is right, by t; 1 where exact.
    top_k_probability : (b, k, n)
        Share of predicted reruns that have the feature in their top K; NaN for K >= n.
    max_rel_se, topk_jaccard, kendall_tau, sign_flip_rate, least_sign_probability : (b, k)
        max std_error / max |weight|; then what is predicted between two runs of the whole
        explanation with other seeds; the least sign probability over the top K.
    """

    std_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    std_over_seeds: FloatArray
    sign_probability: FloatArray
    top_k_probability: FloatArray
    max_rel_se: FloatArray
    topk_jaccard: FloatArray
    kendall_tau: FloatArray
    sign_flip_rate: FloatArray
    least_sign_probability: FloatArray


def _signs(weights: FloatArray, errors: FloatArray, degrees: float) -> tuple[FloatArray, ...]:
    """Return the probability of the right sign by t, and of the other sign in a rerun."""
    from scipy.special import ndtr, stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(errors > 0, np.abs(weights) / errors, np.inf)
    right = ndtr(ratio) if np.isinf(degrees) else stdtr(degrees, ratio)
    return np.where(np.isinf(ratio), 1.0, right), ndtr(-ratio)


def _drawn_sizes(weights: FloatArray, spread: FloatArray, normals: Any) -> Any:
    """
    Return |weights + normals . spread|, (b, t, g, n), of g reruns, up to a scale of each target.

    In single precision: only their order counts, and normals (g, s) are rougher than that.
    """
    scale = np.maximum(np.abs(weights).max(axis=-1), np.abs(spread).max(axis=(-1, -2)))
    scale = np.where(scale > 0, scale, 1.0)[..., None]
    centre = (weights / scale).astype(np.float32)
    error_factors = np.ascontiguousarray((spread / scale[..., None]).astype(np.float32))
    # one product for each row and target: last digits do not depend on how many stand together
    return np.abs(centre[..., None, :] + normals @ error_factors)


def _reruns(
    attribution: Attribution, k: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Predict reruns: top-k probabilities (b, t, n), Jaccard (b, t), Kendall's tau (b, t)."""
    weights, error_factors, own_error = (
        attribution.weights,
        attribution.error_factors,
        attribution.own_error,
    )
    b, t, n = weights.shape
    normals = stream(RERUNS, seed, len(error_factors)).standard_normal((
        _RERUNS,
        len(error_factors),
    ))
    # a stream of its own: rows that have no such error must not feel those that have
    alone = stream(RERUNS, seed).standard_normal(_RERUNS)
    normals = np.column_stack([normals, alone]).astype(np.float32)
    inside, jaccard, tau = np.full((b, t, n), np.nan), np.full((b, t), np.nan), np.empty((b, t))
    step = max(1, _SLICE_ENTRIES // (_RERUNS * t * max(n, 435)))
    for start in range(0, b, step):
        rows = slice(start, start + step)
        spread = np.stack([*error_factors[:, rows], own_error[rows]], axis=2)
        sizes = _drawn_sizes(weights[rows], spread, normals)
        # pairs of half of the reruns measure both means well enough
        tau[rows] = mean_tau(sizes[..., ::2, :])
        if k < n:
            members = top_members(sizes, k)
            inside[rows] = members.mean(axis=-2)
            jaccard[rows] = mean_jaccard(members[..., ::2, :], k)
    return inside, jaccard, tau


def _certain(weights: FloatArray, k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what ``_reruns`` does, for an answer without error: every rerun is the same."""
    b, t, n = weights.shape
    if k >= n:
        return np.full((b, t, n), np.nan), np.full((b, t), np.nan), np.ones((b, t))
    order = np.argsort(-np.abs(weights), axis=-1, kind="stable")
    inside = np.zeros((b, t, n))
    np.put_along_axis(inside, order[..., :k], 1.0, axis=-1)
    return inside, np.ones((b, t)), np.ones((b, t))


def _predict(
    attribution: Attribution, errors: FloatArray, k: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Predict reruns of each row, those without any error among them."""
    inside, jaccard, tau = _certain(attribution.weights, k)
    unsure = errors.max(axis=-1) > 0
    if unsure.any():
        drawn = _reruns(attribution, k, seed)
        inside = np.where(unsure[..., None], drawn[0], inside)
        jaccard, tau = np.where(unsure, drawn[1], jaccard), np.where(unsure, drawn[2], tau)
    return inside, jaccard, tau


def standard_errors(attribution: Attribution) -> FloatArray:
    """Return the standard error of each weight, (b, k, n)."""
    return np.sqrt(add_up(attribution.error_factors**2) + attribution.own_error**2)


def _without_features(weights: FloatArray) -> Stability:
    """Return what is known of rows without any feature, (b, k, 0): nothing errs, nothing ranks."""
    unknown = np.full(weights.shape[:-1], np.nan)
    each = dict.fromkeys(
        ("std_error", "ci_low", "ci_high", "std_over_seeds", "sign_probability"), weights
    )
    ranks = dict.fromkeys(
        ("topk_jaccard", "kendall_tau", "sign_flip_rate", "least_sign_probability"), unknown
    )
    nothing = np.zeros(weights.shape[:-1])
    return Stability(**each, top_k_probability=weights, max_rel_se=nothing, **ranks)


def assess(attribution: Attribution, k: int, seed: int) -> Stability:
    """
    Measure errors and predict reruns.

    Where features were selected, a rerun would select anew: it is predicted from the fit of all
    features (``Attribution.whole``), whose strongest ones a rerun would take.

    Parameters
    ----------
    attribution
        Weights with their error factors.
    k
        The K of the top-k columns (``--stability-k``).
    seed
        The run's seed, which also decides the predicted reruns.
    """
    from scipy.special import stdtrit

    weights, selected = attribution.weights, attribution.selected
    if not weights.shape[-1]:
        return _without_features(weights)
    errors = standard_errors(attribution)
    quantile = 1.959963984540054
    if np.isfinite(attribution.degrees):
        quantile = float(stdtrit(attribution.degrees, 0.975))
    right, flips = _signs(weights, errors, attribution.degrees)
    sizes = np.where(selected, np.abs(weights), -1.0)
    order = np.argsort(-sizes, axis=-1, kind="stable")[..., :k]
    used = np.take_along_axis(selected, order, axis=-1)
    whole = attribution.whole or attribution
    taken = min(k, attribution.limit or k)
    inside, jaccard, tau = _predict(whole, standard_errors(whole), taken, seed)
    largest = np.abs(weights).max(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = errors.max(axis=-1) / largest
    flipped = np.where(used, np.take_along_axis(flips, order, axis=-1), 0.0)
    return Stability(
        std_error=errors,
        ci_low=weights - quantile * errors,
        ci_high=weights + quantile * errors,
        std_over_seeds=errors * np.sqrt(attribution.n_repeats),
        sign_probability=right,
        top_k_probability=inside,
        max_rel_se=np.where(errors.max(axis=-1) > 0, relative, 0.0),
        topk_jaccard=jaccard,
        kendall_tau=tau,
        sign_flip_rate=np.ascontiguousarray(flipped).sum(axis=-1) / used.sum(axis=-1),
        least_sign_probability=np.where(used, np.take_along_axis(right, order, axis=-1), 1.0).min(
            axis=-1
        ),
    )


def precision_words(max_rel_se: FloatArray, *, steady: bool = True) -> CodedWords:
    """Return exact (0), stable (<= 0.05), usable (<= 0.15), unstable; unsteady: so is the model."""
    if not steady:
        return CodedWords(np.zeros(max_rel_se.shape, dtype=np.int64), [UNSTEADY])
    stable, usable = max_rel_se <= 0.05, max_rel_se <= 0.15
    places = np.select([max_rel_se == 0, stable, usable], [0, 1, 2], 3)
    return CodedWords(places.astype(np.int64), list(PRECISION))
