"""Integrated Gradients: derivatives along the straight path from a baseline to a row.

Sundararajan, Taly and Yan 2017 (arXiv:1703.01365); over several baselines Expected Gradients
(Erion et al. 2021, doi:10.1038/s42256-021-00343-w). Pieces of piecewise-linear networks after
Sotoudeh and Thakur 2019 (arXiv:1908.06214).
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import Attribution, FloatArray, add_up, exact_attribution
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.defaults import nothing_sampled
from xplain_cli.methods.quadrature import MOST_NODES, Integrals, Paths, integrate
from xplain_cli.methods.requests import MEAN, ZERO, Explaining, MaskTask, NeedRoutes, Routes

MOST_PIECES = 1024
"""Pieces of a path that is followed exactly; of more, a quadrature is cheaper."""


def paths_of(task: MaskTask, routes: Routes) -> Paths:
    """Return the paths of all rows, targets and baselines: (b * k * t), targets innermost."""
    b, t = task.pairs.shape[:2]
    k = routes.copies
    places = np.repeat(np.arange(b * k), t)
    pairs = np.repeat(task.pairs, k, axis=0).reshape(-1, 2)
    return Paths(routes, places, pairs, task.margin)


def by_baseline(values: Any, task: MaskTask, k: int) -> Any:
    """Return numbers (b * k * t, ...) of paths as (k, b, t, ...)."""
    b, t = task.pairs.shape[:2]
    return np.moveaxis(np.asarray(values).reshape(b, k, t, *np.shape(values)[1:]), 1, 0)


def mean_over(values: FloatArray) -> FloatArray:
    """Return the mean over the first axis, added in order."""
    return add_up(values) / len(values)


def drawn(said: Attribution, each: FloatArray, task: MaskTask) -> Attribution:
    """
    Return a mean over baselines with its error, where these are a sample.

    Parameters
    ----------
    each : (k, b, t, n)
        The weights under each of the baselines.
    """
    k = len(each)
    if not task.perturbation.traits.drawn or k < 2:
        return said
    factors = (each - said.weights) / np.sqrt(k * (k - 1))
    return replace(said, error_factors=factors, degrees=float(k - 1), exact=False)


def attribute(task: MaskTask, found: Integrals, k: int) -> Attribution:
    """
    Return what integrals along the paths of all baselines say of rows.

    Where the baselines are a sample, the mean over them has an error: that of a mean of k.
    """
    each = by_baseline(found.weights, task, k)  # (k, b, t, n)
    weights = mean_over(each)
    base = mean_over(by_baseline(found.start, task, k))
    asked = by_baseline(found.asked, task, k).sum(axis=(0, 2))
    ways = by_baseline(found.way, task, k)
    nodes = by_baseline(found.nodes, task, k).sum(axis=0)
    said = exact_attribution(weights, base, samples=np.asarray(nodes), asked=np.asarray(asked))
    said = replace(
        said,
        quadrature_error=mean_over(by_baseline(found.errors, task, k)),
        converged=by_baseline(found.converged, task, k).all(axis=0).astype(np.float64),
        quadrature=ways.max(axis=0),  # the least exact one: the words stand in that order
        maps=None if found.maps is None else mean_over(by_baseline(found.maps, task, k)),
    )
    return drawn(said, each, task)


@dataclass(frozen=True)
class IntegratedGradients:
    """
    Integrated Gradients, exact where the scores are piecewise linear.

    Attributes
    ----------
    tol
        The L1 error of a row's weights, as a share of the sum of their sizes: what a quadrature
        has to reach.
    layer
        Follow the value of this layer, not the input: explicit-baseline layer Integrated Gradients,
        after Cui and Fan 2026 (arXiv:2605.22417, of which the abstract alone is public).
    layer_baseline
        ``zero`` or ``mean`` (over rows): what the layer's value is compared with; empty: what the
        net makes there of the row's baseline.
    """

    tol: float = 1e-3
    layer: str = field(default="", metadata={"unsaid": True})
    layer_baseline: str = field(
        default="", metadata={"key": "layer-baseline", "choices": (ZERO, MEAN), "unsaid": True}
    )

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    instead: ClassVar[str] = "kernel-shap"
    exact: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants()
    sampled: ClassVar[bool] = False
    weight_columns: ClassVar[tuple[str, ...]] = ("quadrature_error",)
    stability_columns: ClassVar[tuple[str, ...]] = ("quadrature",)

    default_budget = nothing_sampled

    def __post_init__(self) -> None:
        """Refuse a tolerance that is none."""
        if not 1e-9 <= self.tol < 1:
            raise UsageError(f"ig:tol={self.tol:g}: lies between 1e-9 and 1")
        if self.layer_baseline and not self.layer:
            raise UsageError(f"ig:layer-baseline={self.layer_baseline}: of which layer=?")

    @property
    def origin(self) -> str:
        """Where paths begin (``NeedRoutes.origin``)."""
        return self.layer_baseline

    def row_inputs(self, _law: Masker, _n: int, _budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a path takes at most."""
        return 2 * MOST_PIECES + MOST_NODES + 1

    def facts(self, _law: Masker) -> dict[str, Any]:
        """Return what the manifest says of how paths are followed."""
        return {"path": _FACTS | {"tolerance": self.tol}}

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        routes: Routes = yield NeedRoutes(MOST_PIECES, origin=self.origin)
        found = yield from integrate(paths_of(task, routes), task.n, self.tol)
        said = attribute(task, found, routes.copies)
        entered = task.pairs.shape[1] * routes.copies * routes.entered
        return replace(said, n_inputs=said.n_inputs + entered) if entered else said


_FACTS = {
    "space": "straight from the baseline to the row, in numbers; categories as their encoder codes",
    "model_inputs": "one forward and one backward pass count as one, so does a forward pass alone",
    "quadrature": (
        "exact: one derivative for each piece of a piecewise-linear network; gauss-legendre: 8, 16"
        " and 32 nodes for one without kinks; trapezoid: doubled from 4 to 2,048 panels (of large"
        " pictures as many as 2^27 over its numbers, 256 at least), by what a doubling moves"
    ),
}
