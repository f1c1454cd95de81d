"""Integrates derivatives along paths until every weight is known well enough, or says it is not.

Three ways. Piecewise-linear scores: one derivative a piece, exact. Scores without kinks:
Gauss-Legendre rules of 8, 16 and 32 nodes. Others: the trapezoid rule, its nodes doubled. There
T_2n = (T_n + M_n) / 2 wastes no node, and |T_n - M_n| / 2, what a doubling moved, measures the
error of each weight. It may be small by chance: half of what the doubling before moved counts too.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.requests import NeedPath, NeedPieces, PathSums, Routes

EXACT, GAUSS, TRAPEZOID = "exact", "gauss-legendre", "trapezoid"
MOST_NODES = 2048
"""Panels of the trapezoid rule at most."""
_LEAST_NODES, _MOST_NUMBERS = 256, 1 << 27
"""Panels of large pictures at least, and the numbers in all their points at most."""
_GAUSS = (8, 16, 32)
_FIRST = 4


@dataclass(frozen=True)
class Integrals:
    """
    Integrals along p paths.

    Attributes
    ----------
    weights, errors : (p, n)
        Of each feature, and how far off it may be.
    start, stop : (p,)
        The explained number at both ends.
    nodes, asked : (p,) int
        Derivatives that were taken, and model inputs.
    converged : (p,) bool
        Whether the sum of errors is within the tolerance of the sum of sizes, and the sum of
        weights is what the number changes by.
    way : (p,) str
        ``exact``, ``gauss-legendre`` or ``trapezoid``.
    maps : (p, h, w), optional
        The integrals before they were added up over features (``PathSums.maps``).
    """

    weights: FloatArray
    errors: FloatArray
    start: FloatArray
    stop: FloatArray
    nodes: IntArray
    asked: IntArray
    converged: BoolArray
    way: Any
    maps: FloatArray | None = None

    def keep_maps(self, rows: IntArray, maps: FloatArray | None) -> None:
        """Put in the maps of some of the paths, where there are any."""
        if self.maps is not None and maps is not None:
            self.maps[rows] = maps

    def put(self, rows: IntArray, other: "Integrals") -> "Integrals":
        """Return them with some of the paths replaced."""
        if other.maps is not None:
            maps = self.maps
            if maps is None:
                maps = np.zeros((len(self.weights), *other.maps.shape[1:]))
            maps[rows] = other.maps
            self = replace(self, maps=maps)  # noqa: PLW0642 - the same integrals
        for name in ("weights", "errors", "start", "stop", "nodes", "asked", "converged", "way"):
            getattr(self, name)[rows] = getattr(other, name)
        return self


Integrating = Generator[object, Any, Integrals]


def blank_maps(sums: PathSums, paths: int) -> FloatArray | None:
    """Return maps of zeros (p, h, w) of the size of those that were answered; None for none."""
    return None if sums.maps is None else np.zeros((paths, *sums.maps.shape[1:]))


def _blank(paths: int, n: int) -> Integrals:
    return Integrals(
        np.zeros((paths, n)),
        np.full((paths, n), np.inf),
        np.zeros(paths),
        np.zeros(paths),
        np.zeros(paths, dtype=np.int64),
        np.zeros(paths, dtype=np.int64),
        np.zeros(paths, dtype=bool),
        np.full(paths, TRAPEZOID, dtype=object),
    )


@dataclass(frozen=True)
class Paths:
    """
    What is integrated.

    Attributes
    ----------
    routes
        The paths of a block.
    places, pairs : (p,), (p, 2) int
        Which of them, and the outputs whose number is followed.
    margin
        See ``targets.pair_values``.
    """

    routes: Routes
    places: IntArray
    pairs: IntArray
    margin: bool

    def take(self, rows: IntArray) -> "Paths":
        """Return some of them."""
        return replace(self, places=self.places[rows], pairs=self.pairs[rows])

    def at(self, nodes: FloatArray, weights: FloatArray) -> NeedPath:
        """Return the request for a rule that is the same on all paths."""
        p = len(self.places)
        return NeedPath(
            self.routes, self.places, self.pairs, self.margin, [nodes] * p, [weights] * p
        )

    @property
    def pieces(self) -> NeedPieces:
        """The request for the integrals piece by piece."""
        return NeedPieces(self.routes, self.places, self.pairs, self.margin)


def _settled(made: Integrals, tolerance: float, rounding: float) -> BoolArray:
    """Say which paths are known well enough, by their errors and by what they must add up to."""
    size = np.abs(made.weights).sum(axis=1)
    slack = rounding * (size + np.abs(made.start) + np.abs(made.stop))
    missed = np.abs(made.weights.sum(axis=1) - (made.stop - made.start))
    good = made.errors.sum(axis=1) <= tolerance * size + slack
    return np.asarray(good & (missed <= tolerance * size + slack), dtype=np.bool_)


def _exact(paths: Paths) -> Integrating:
    """Integrate piece by piece."""
    sums: PathSums = yield paths.pieces
    kinks = paths.routes.asked[paths.places]
    ends = np.array([[one[0], one[-1]] for one in sums.values]).reshape(-1, 2)
    made = Integrals(
        sums.sums,
        np.zeros(sums.sums.shape),
        ends[:, 0],
        ends[:, 1],
        sums.asked,
        sums.asked + kinks,
        np.ones(len(kinks), dtype=bool),
        np.full(len(kinks), EXACT, dtype=object),
        sums.maps,
    )
    # rounding alone can part them; more means that the pieces are not those of the model
    return replace(made, converged=_settled(made, 1e-9, 1e3 * paths.routes.rounding))


def _gauss(paths: Paths, tolerance: float) -> Integrating:
    """Integrate by ever more Gauss-Legendre nodes; the ends are asked once, for what is due."""
    ends: PathSums = yield paths.at(np.array([0.0, 1.0]), np.zeros(2))
    n = ends.sums.shape[1]
    found = _blank(len(paths.places), n)
    values = np.array(ends.values).reshape(-1, 2)
    maps = blank_maps(ends, len(values))
    found = replace(found, start=values[:, 0], stop=values[:, 1], maps=maps)
    found.asked[:] += 2
    live = np.arange(len(paths.places))
    for count in _GAUSS:
        if not len(live):
            break
        nodes, weights = np.polynomial.legendre.leggauss(count)
        sums: PathSums = yield paths.take(live).at((nodes + 1) / 2, weights / 2)
        found.errors[live] = (
            np.abs(sums.sums - found.weights[live]) if count > _GAUSS[0] else np.inf
        )
        found.weights[live] = sums.sums
        found.keep_maps(live, sums.maps)
        found.nodes[live] += count
        found.asked[live] += count
        found.way[live] = GAUSS
        found.converged[live] = _settled(_of(found, live), tolerance, paths.routes.rounding)
        live = live[~found.converged[live]]
    return found


def _of(made: Integrals, rows: IntArray) -> Integrals:
    return Integrals(
        made.weights[rows],
        made.errors[rows],
        made.start[rows],
        made.stop[rows],
        made.nodes[rows],
        made.asked[rows],
        made.converged[rows],
        made.way[rows],
    )


def _trapezoid(paths: Paths, tolerance: float, most: int) -> Integrating:
    """Integrate by the trapezoid rule; nodes are doubled where a path needs it."""
    panels = _FIRST
    weights = np.full(panels + 1, 1 / panels)
    weights[[0, -1]] /= 2
    first: PathSums = yield paths.at(np.linspace(0, 1, panels + 1), weights)
    found = replace(_blank(len(paths.places), first.sums.shape[1]), maps=first.maps)
    found.weights[:] = first.sums
    found.start[:] = [values[0] for values in first.values]
    found.stop[:] = [values[-1] for values in first.values]
    found.nodes[:] = found.asked[:] = panels + 1
    live, before = np.arange(len(paths.places)), np.zeros(first.sums.shape)
    while len(live) and panels < most:
        middle = (np.arange(panels) + 0.5) / panels
        sums: PathSums = yield paths.take(live).at(middle, np.full(panels, 1 / panels))
        moved = np.abs(found.weights[live] - sums.sums) / 2
        found.errors[live] = moved if panels == _FIRST else np.maximum(moved, before[live] / 2)
        before[live] = moved
        found.weights[live] = (found.weights[live] + sums.sums) / 2
        if found.maps is not None and sums.maps is not None:
            found.maps[live] = (found.maps[live] + sums.maps) / 2
        found.nodes[live] += panels
        found.asked[live] += panels
        if panels > _FIRST:
            found.converged[live] = _settled(_of(found, live), tolerance, paths.routes.rounding)
        live = live[~found.converged[live]]
        panels *= 2
    return found


def most_panels(numbers: int) -> int:
    """Return how many panels a path of rows of so many numbers takes at most: a power of two."""
    most = max(_LEAST_NODES, _MOST_NUMBERS // max(1, numbers))
    return int(min(MOST_NODES, 1 << (most.bit_length() - 1)))


def integrate(paths: Paths, n: int, tolerance: float, most: int = MOST_NODES) -> Integrating:
    """
    Integrate derivatives along paths, each in the best way that there is for it.

    Parameters
    ----------
    paths
        What is integrated; exactly where ``routes.kinks`` says where a path bends.
    n
        The number of features.
    tolerance
        The L1 error of a path's weights, over the sum of their sizes.
    most
        Panels of the trapezoid rule at most; of large pictures there are fewer.
    """
    known = np.array([paths.routes.kinks[i] is not None for i in paths.places.tolist()], dtype=bool)
    found = _blank(len(known), n)
    exact, left = np.flatnonzero(known), np.flatnonzero(~known)
    if len(exact):
        found = found.put(exact, (yield from _exact(paths.take(exact))))
    if len(left) and paths.routes.smooth:
        made = yield from _gauss(paths.take(left), tolerance)
        found = found.put(left, made)
        left = left[~made.converged]
    if len(left):
        spent = found.asked[left]
        starts = paths.routes.starts
        # rows that are pictures are all of one size: those of texts depend on what is beside them
        panels = min(most, most_panels(starts[0].size)) if starts.ndim > 2 else most
        made = yield from _trapezoid(paths.take(left), tolerance, panels)
        made.asked[:] += spent
        found = found.put(left, made)
    return found
