"""Whether a weight has changed between two runs, or only their draws have.

An exact run is compared exactly. Of others the difference is held against the errors of both runs
(Welch's t), and over all weights the share of false alarms is bounded (Benjamini and Hochberg).
"""

from dataclasses import dataclass

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray

ROUNDING = 1e-9
"""Differences below this share of the largest weight are those of the arithmetic."""


@dataclass(frozen=True)
class Estimates:
    """
    Weights of one run, a line each.

    Attributes
    ----------
    weight, std_error : (L,)
        In units of the target.
    degrees : (L,)
        Degrees of freedom of the error: repeats less one; ``inf`` for a single repeat, whose
        error is that of all of its draws.
    exact : (L,) bool
        The run says itself that there is nothing to err.
    """

    weight: FloatArray
    std_error: FloatArray
    degrees: FloatArray
    exact: BoolArray


@dataclass(frozen=True)
class Differences:
    """
    What became of each weight.

    Attributes
    ----------
    difference, std_error : (L,)
        New less old, and its standard error.
    p_value : (L,)
        Two-sided; of two exact weights 1 (equal up to rounding) or 0; NaN where nothing tells the
        error or a side is missing.
    moved : (L,) bool
        The two numbers differ by more than rounding.
    changed : (L,) bool
        They differ by more than their errors.
    """

    difference: FloatArray
    std_error: FloatArray
    p_value: FloatArray
    moved: BoolArray
    changed: BoolArray


def degrees_of(repeats: IntArray) -> FloatArray:
    """Return the degrees of freedom of errors from so many repeats."""
    return np.where(repeats > 1, repeats - 1.0, np.inf)


def _degrees(old: Estimates, new: Estimates) -> FloatArray:
    """Return the degrees of freedom of a difference (Welch 1947, Satterthwaite 1946)."""
    first, second = old.std_error**2, new.std_error**2
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = first**2 / old.degrees + second**2 / new.degrees
        found = (first + second) ** 2 / shares
    return np.where(shares > 0, found, np.inf)


def _tail(ratio: FloatArray, degrees: FloatArray) -> FloatArray:
    """Return the two-sided probability of a t ratio at least as large."""
    from scipy.special import ndtr, stdtr

    known = np.isfinite(degrees)
    tail = np.asarray(ndtr(-ratio), dtype=np.float64)
    tail[known] = stdtr(degrees[known], -ratio[known])
    return 2 * tail


def false_discoveries(p_value: FloatArray, rate: float) -> BoolArray:
    """
    Return which of many tests are rejected, at most the share *rate* of them wrongly.

    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x; valid where errors go
    together (Benjamini and Yekutieli 2001), as they do over rows that share a pool of draws. NaN
    is no test.
    """
    tested = np.flatnonzero(~np.isnan(p_value))
    order = tested[np.argsort(p_value[tested], kind="stable")]
    below = p_value[order] <= rate * np.arange(1, len(order) + 1) / max(len(order), 1)
    rejected = np.zeros(len(p_value), dtype=bool)
    if below.any():
        rejected[order[: int(np.flatnonzero(below)[-1]) + 1]] = True
    return rejected


def compare(old: Estimates, new: Estimates, scale: FloatArray, rate: float) -> Differences:
    """
    Compare weights line by line; a side that is missing is NaN.

    Parameters
    ----------
    scale : (L,)
        The largest absolute weight of the explanation that a line belongs to, of both runs.
    rate : float in (0, 1)
        Of the weights that are called changed at most this share is not.
    """
    difference = new.weight - old.weight
    error = np.hypot(old.std_error, new.std_error)
    moved = np.abs(difference) > ROUNDING * scale
    exact = old.exact & new.exact
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(difference) / error
    tested = np.isfinite(difference) & ~exact & (error > 0)
    p_value = np.full(len(difference), np.nan)
    p_value[tested] = _tail(ratio[tested], _degrees(old, new)[tested])
    # what does not move at all has not changed, whether its error is known or not
    still = np.isfinite(difference) & ~moved
    p_value[still & ~tested] = 1.0
    changed = false_discoveries(np.where(tested, p_value, np.nan), rate) & moved
    p_value[exact & moved] = 0.0
    return Differences(difference, error, p_value, moved, changed | (exact & moved))


def named_features(p_value: FloatArray, feature: IntArray, count: int, rate: float) -> BoolArray:
    """
    Return which features have changed in some row; with probability 1 - *rate* none wrongly.

    The rows of a feature are one test (Simes 1986, doi:10.1093/biomet/73.3.751, valid where errors
    go together), the features are as many (Holm 1979). A share of false alarms among weights
    would name a feature that nothing happened to, wherever another has changed in many rows.

    Parameters
    ----------
    p_value, feature : (L,)
        Of each weight; NaN is no test.
    count
        The number of features.
    """
    tested = np.flatnonzero(~np.isnan(p_value))
    order = tested[np.lexsort((p_value[tested], feature[tested]))]
    own = feature[order]
    sizes = np.bincount(own, minlength=count)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    simes = np.full(count, np.inf)
    np.minimum.at(simes, own, p_value[order] * sizes[own] / rank)
    first = np.argsort(simes, kind="stable")
    tests = int((sizes > 0).sum())
    holds = simes[first] <= rate / np.maximum(tests - np.arange(count), 1)
    named = np.zeros(count, dtype=bool)
    named[first[: int(np.argmin(holds)) if not holds.all() else count]] = True
    return named
