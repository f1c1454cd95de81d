"""Derivatives at the row itself: saliency, input times gradient, and their mean under noise."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import Attribution, add_up, exact_attribution
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.defaults import no_constants, nothing_sampled
from xplain_cli.methods.integrated_gradients import by_baseline, drawn, mean_over, paths_of
from xplain_cli.methods.quadrature import Paths
from xplain_cli.methods.requests import (
    Explaining,
    MaskTask,
    NeedPath,
    NeedRoutes,
    Noise,
    PathSums,
    Routes,
)
from xplain_cli.samples import NOISE_BUDGET

_ENDS = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
"""Both ends of the path; the derivative counts at the row alone."""


def _at_rows(paths: Paths, *, moved: bool) -> NeedPath:
    """Return the request for derivatives at rows, and for the explained number at baselines."""
    return replace(paths.at(*_ENDS), moved=moved)


def _said(task: MaskTask, sums: PathSums, k: int) -> Attribution:
    """Return what derivatives say that are taken on the paths from k baselines."""
    base = mean_over(by_baseline([values[0] for values in sums.values], task, k))
    asked = np.asarray(by_baseline(sums.asked, task, k).sum(axis=(0, 2)))
    each = by_baseline(sums.sums, task, k)
    said = exact_attribution(mean_over(each), base, samples=1, asked=asked, sums=False)
    if sums.maps is not None:
        said = replace(said, maps=mean_over(by_baseline(sums.maps, task, k)))
    return drawn(said, each, task)


@dataclass(frozen=True)
class Saliency:
    """
    The derivative of the explained number by each feature, at the row.

    Simonyan, Vedaldi and Zisserman 2013 (arXiv:1312.6034), with its sign. Of a feature of several
    numbers it is what moving all of them by 1 gains.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    instead: ClassVar[str] = "occlusion"
    exact: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants(every=True)
    sampled: ClassVar[bool] = False

    default_budget = nothing_sampled
    facts = no_constants

    def row_inputs(self, _law: Masker, _n: int, _budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a path takes."""
        return 2

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        routes: Routes = yield NeedRoutes()
        sums: PathSums = yield _at_rows(paths_of(task, routes), moved=False)
        return _said(task, sums, routes.copies)


@dataclass(frozen=True)
class InputTimesGradient:
    """
    The derivative at the row times the way from the baseline to it: a path followed in one step.

    Shrikumar et al. 2016 (arXiv:1605.01713) for a baseline of 0.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    instead: ClassVar[str] = "occlusion"
    exact: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants()
    sampled: ClassVar[bool] = False

    default_budget = nothing_sampled
    facts = no_constants
    row_inputs = Saliency.row_inputs

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        routes: Routes = yield NeedRoutes()
        sums: PathSums = yield _at_rows(paths_of(task, routes), moved=True)
        return _said(task, sums, routes.copies)


@dataclass(frozen=True)
class SmoothGrad:
    """
    The mean derivative by each feature in the neighbourhood of the row.

    Smilkov et al. 2017 (arXiv:1706.03825). Noise is normal, of each number by itself.

    Attributes
    ----------
    noise
        Its standard deviation, as a share of that of the column in the background.
    """

    noise: float = 0.15

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    instead: ClassVar[str] = "occlusion"
    exact: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants(every=True)
    sampled: ClassVar[bool] = True

    facts = no_constants

    def __post_init__(self) -> None:
        """Refuse noise that is none."""
        if not 0 < self.noise < np.inf:
            raise UsageError(f"smooth:noise={self.noise:g}: must be above 0")

    def default_budget(self, _law: Masker) -> tuple[int, int]:
        """Return the default (samples per repeat, repeats)."""
        return NOISE_BUDGET

    def row_inputs(self, _law: Masker, _n: int, budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a path takes."""
        return 1 + budget[0] * budget[1]

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features; one path a row is enough."""
        routes: Routes = yield NeedRoutes(shifted=True)
        paths = paths_of(task, routes)
        ends: PathSums = yield paths.at(np.zeros(1), np.zeros(1))
        base = mean_over(by_baseline([values[0] for values in ends.values], task, routes.copies))
        # one repeat has no spread of its own: its draws stand for repeats
        groups, size = (task.repeats, task.samples) if task.repeats > 1 else (task.samples, 1)
        first = paths.take(np.flatnonzero(paths.places % routes.copies == 0))
        sums: PathSums = yield _noisy(first, task, groups, size, self.noise)
        b, t = task.pairs.shape[:2]
        each = np.ascontiguousarray(np.moveaxis(sums.sums.reshape(b, t, groups, -1), 2, 0))
        asked = ends.asked.reshape(b, -1).sum(axis=1) + sums.asked.reshape(b, -1).sum(axis=1)
        return _averaged(task, each, base, asked)


def _noisy(first: Paths, task: MaskTask, groups: int, size: int, noise: float) -> NeedPath:
    """Return the request for mean derivatives of groups of draws, groups innermost."""
    places = np.repeat(first.places, groups)
    keys = [int.from_bytes(key, "big") for key in task.block.keys]
    copies = first.routes.copies
    seeds = [
        (task.seed, keys[place // copies], group)
        for place in first.places.tolist()
        for group in range(groups)
    ]
    return NeedPath(
        first.routes,
        places,
        np.repeat(first.pairs, groups, axis=0),
        first.margin,
        [np.ones(size)] * len(places),
        [np.full(size, 1 / size)] * len(places),
        moved=False,
        noise=Noise(seeds, noise),
    )


def _averaged(task: MaskTask, each: Any, base: Any, asked: Any) -> Attribution:
    """Return the mean over groups (g, b, t, n), with its error."""
    groups = len(each)
    weights = add_up(each) / groups
    said = exact_attribution(weights, base, samples=task.samples, asked=asked, sums=False)
    if groups < 2:
        raise UsageError("smooth needs two draws at least: take --samples 2 or more")
    return replace(
        said,
        error_factors=(each - weights) / np.sqrt(groups * (groups - 1)),
        degrees=float(groups - 1),
        repeats=each if task.repeats > 1 else said.repeats,
        n_repeats=task.repeats,
        exact=False,
    )
