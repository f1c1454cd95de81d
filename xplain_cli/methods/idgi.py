"""Important Direction Gradient Integration: the change of each step, shared out by its slopes.

Yang, Wang and Bilgic 2023 (arXiv:2303.14242, equation 6). What the explained number gains from one
node to the next is given to the numbers by their squared derivatives there, as a share. Ours
differs in one point: numbers that do not move have no share, so one equal to its baseline weighs 0.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.defaults import nothing_sampled
from xplain_cli.methods.integrated_gradients import attribute, paths_of
from xplain_cli.methods.quadrature import MOST_NODES, Integrals, Paths, blank_maps
from xplain_cli.methods.requests import (
    SQUARED,
    Explaining,
    MaskTask,
    NeedPath,
    NeedRoutes,
    PathSums,
    Routes,
)

_FIRST = 32
WAY = "steps"


@dataclass(frozen=True)
class ImportantDirections:
    """
    IDGI, its steps halved until that moves the weights by little, twice in a row.

    Attributes
    ----------
    tol
        What each of the last two halvings may move, as a share of the sum of sizes of a row's
        weights.
    """

    tol: float = 1e-2

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
        if not 1e-6 <= self.tol < 1:
            raise UsageError(f"idgi:tol={self.tol:g}: lies between 1e-6 and 1")

    def row_inputs(self, _law: Masker, _n: int, _budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a path takes at most."""
        return 4 * MOST_NODES

    def facts(self, _law: Masker) -> dict[str, Any]:
        """Return what the manifest says of how paths are followed."""
        return {"path": {"tolerance": self.tol, "steps": f"doubled from {_FIRST} to {MOST_NODES}"}}

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        routes: Routes = yield NeedRoutes()
        found = yield from _stepped(paths_of(task, routes), task.n, self.tol)
        return attribute(task, found, routes.copies)


def _shared(paths: Paths, values: FloatArray) -> NeedPath:
    """Return the request that shares out the change of each step by the slopes at its beginning."""
    p, steps = len(values), values.shape[1] - 1
    shares = np.arange(steps) / steps
    return NeedPath(
        paths.routes,
        paths.places,
        paths.pairs,
        paths.margin,
        [shares] * p,
        list(np.diff(values, axis=1)),
        reading=SQUARED,
    )


def _woven(values: FloatArray, between: FloatArray) -> FloatArray:
    """Return values (p, m + 1) with those (p, m) at the middles between them."""
    made = np.empty((len(values), 2 * values.shape[1] - 1))
    made[:, ::2], made[:, 1::2] = values, between
    return made


def _stepped(paths: Paths, n: int, tolerance: float) -> Generator[object, Any, Integrals]:
    """Share out the changes of ever smaller steps."""
    p, steps = len(paths.places), _FIRST
    ends: PathSums = yield paths.at(np.arange(steps + 1) / steps, np.zeros(steps + 1))
    values = np.array(ends.values).reshape(p, -1)
    found = Integrals(
        np.zeros((p, n)),
        np.full((p, n), np.inf),
        values[:, 0].copy(),
        values[:, -1].copy(),
        np.full(p, steps + 1),
        np.full(p, steps + 1),
        np.zeros(p, dtype=bool),
        np.full(p, WAY, dtype=object),
        blank_maps(ends, p),
    )
    live: IntArray = np.arange(p)
    before = np.full((p, n), np.inf)  # what the halving before moved
    while len(live):
        some = paths.take(live)
        sums: PathSums = yield _shared(some, values)
        last = np.abs(sums.sums - found.weights[live]) if steps > _FIRST else np.inf
        # a step with a kink in its second half does not move when it is halved: once may be chance
        found.errors[live], before[live] = np.maximum(last, before[live]), last
        found.weights[live] = sums.sums
        found.keep_maps(live, sums.maps)
        found.asked[live] += steps
        moved, size = found.errors[live].sum(axis=1), np.abs(sums.sums).sum(axis=1)
        found.converged[live] = moved <= tolerance * size
        kept = ~found.converged[live]
        live, values = live[kept], values[kept]
        if not len(live) or steps >= MOST_NODES:
            break
        between: PathSums = yield paths.take(live).at(
            (np.arange(steps) + 0.5) / steps, np.zeros(steps)
        )
        values = _woven(values, np.array(between.values).reshape(len(live), -1))
        found.asked[live] += steps
        found.nodes[live] += steps
        steps *= 2
    return found
