"""Sanity of explanations: how alike two are, how sparse one is, and what such numbers say.

Adebayo et al. 2018 for randomised models, Wang et al. 2004 for SSIM, Chalasani et al. 2020 for the
Gini index of attributions. Every verdict says in which direction its number is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from xplain_cli.explanation import BoolArray, FloatArray

FALLS, STAYS, CONTROL = 0.3, 0.6, 0.9
"""Likeness to which it must fall, from which it hardly changes, and that a control must reach."""
_SURE = 2.0
_WINDOW, _SMALL_WINDOW, _SMALL_SIDE = 7, 5, 14


def _ranks(values: FloatArray) -> FloatArray:
    """Return the ranks of values, the mean of them for equal ones."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: FloatArray = ends - (counts - 1) / 2
    return means[places]


def spearman(first: FloatArray, second: FloatArray) -> float:
    """Return the rank correlation of two explanations; NaN where one of them is constant."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float(a @ b) / size if size > 0 else np.nan


def _scaled(picture: FloatArray) -> FloatArray:
    sizes = np.abs(picture)
    largest = sizes.max(initial=0.0)
    return np.asarray(sizes / largest if largest > 0 else sizes, dtype=np.float64)


def ssim(first: FloatArray, second: FloatArray) -> float:
    """
    Return the mean structural similarity of the sizes of two maps (h, w), each by its largest.

    Windows of 7 by 7, of 5 by 5 where a side is below 14; NaN for maps that hold none.
    """
    a, b = _scaled(first), _scaled(second)
    side = _SMALL_WINDOW if min(a.shape) < _SMALL_SIDE else _WINDOW
    if min(a.shape) < side:
        return np.nan
    x, y = (sliding_window_view(one, (side, side)).reshape(-1, side * side) for one in (a, b))
    mean_x, mean_y = x.mean(axis=1), y.mean(axis=1)
    spread_x, spread_y = x.var(axis=1, ddof=1), y.var(axis=1, ddof=1)
    common = ((x - mean_x[:, None]) * (y - mean_y[:, None])).sum(axis=1) / (side * side - 1)
    small, smaller = 0.01**2, 0.03**2
    above = (2 * mean_x * mean_y + small) * (2 * common + smaller)
    below = (mean_x**2 + mean_y**2 + small) * (spread_x + spread_y + smaller)
    return float((above / below).mean())


def gini(weights: FloatArray) -> float:
    """Return the Gini index of |weights|: 0 all alike, near 1 a few carry all; NaN of zeros."""
    sizes = np.sort(np.abs(weights))
    n, total = len(sizes), float(sizes.sum())
    if not total:
        return np.nan
    return float(((2 * np.arange(1, n + 1) - n - 1) * sizes).sum() / (n * total))


def inside(sizes: FloatArray, region: BoolArray) -> float:
    """Return the share of |weights| that lies in a region; NaN where there are none."""
    total = float(np.abs(sizes).sum())
    return float(np.abs(sizes)[region].sum()) / total if total else np.nan


@dataclass(frozen=True)
class Average:
    """A mean over explanations with its standard error, of those in which it is known."""

    value: float
    error: float
    count: int

    def __str__(self) -> str:
        if not self.count:
            return "unknown"
        if not np.isfinite(self.error):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} +- {self.error:.3f}"


def mean_of(values: Sequence[float] | Any) -> Average:
    """Return the mean of the finite ones among some values, and its standard error."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Average(np.nan, np.nan, 0)
    error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan
    return Average(float(known.mean()), error, len(known))


def beyond(apart: Average) -> bool:
    """Say whether a mean difference is more than these rows may show by chance."""
    return bool(apart.count > 1 and abs(apart.value) > _SURE * apart.error)


def drop_verdict(own: Average, over_random: Average, best: str | None, behind: Average) -> str:
    """
    Say what the drop under a common replacement tells of an explanation.

    Parameters
    ----------
    own
        Share of the drop.
    over_random
        What it is above that of random orders, row by row.
    best, behind
        The baseline that has most, and how far this one is behind it; None: this one is it.
    """
    if not own.count:
        return "unknown: the replacement changes nothing"
    if not beyond(over_random) or over_random.value <= 0:
        return "no better than a random order"
    found = f"{over_random.value:.2f} above a random order"
    if best is None:
        return f"{found}; the best of these"
    if not beyond(behind):
        return f"{found}; as good as {best}, as far as these rows show"
    return f"{found}; {abs(behind.value):.2f} behind {best}"


def control_holds(control: float) -> bool:
    """Say whether the same model, explained with another seed, is explained alike."""
    return bool(np.isfinite(control) and control >= CONTROL)


def randomised_verdict(likeness: float, control: float) -> str:
    """
    Say what the likeness to explanations of a randomised model tells.

    Parameters
    ----------
    likeness
        Average likeness to the explanations of the model itself.
    control
        The same of the model itself with another seed.
    """
    if not np.isfinite(likeness):
        return "unknown: nothing was explained"
    if not control_holds(control):
        said = "unknown" if not np.isfinite(control) else f"{control:.3f}"
        return f"proves nothing: the control is {said}, and must be {CONTROL:g} or more"
    if likeness <= FALLS:
        return "falls: the explanation depends on what was randomised"
    if likeness < STAYS:
        return "falls in part: some of the explanation is there without what was learned"
    return "hardly changes: it would look like this without what was learned"
