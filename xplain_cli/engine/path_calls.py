"""Answers what methods ask of paths: where they bend, and sums of derivatives along them.

Points of all paths of all blocks are asked together, in batches of one size that are never of one
point alone. What is added up of a path is added in double precision, in the order of its nodes, so
that no sum depends on the paths beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.methods.requests import (
    AVERAGED,
    MEAN,
    OWN,
    PLAIN,
    POSITIVE,
    SQUARED,
    NeedPath,
    NeedPieces,
    NeedRoutes,
    Noise,
    PathSums,
    Routes,
    UnexplainedError,
)
from xplain_cli.models.batches import METER, metered, take
from xplain_cli.models.gradients import Gradient, Readout, Slopes
from xplain_cli.models.one_by_one import together_or_each
from xplain_cli.seeds import NOISE, stream

_ROUNDING = {False: 1e-12, True: 1e-5}

N = TypeVar("N", NeedPath, NeedPieces)

Told: TypeAlias = Callable[[Exception, str], str]
"""Says why a row failed: of what the model raised, and on what."""


@dataclass(frozen=True)
class PathModel:
    """
    How derivatives are asked.

    Attributes
    ----------
    gradient
        The model's.
    scale
        The scale on which its outputs are explained.
    kept
        The outputs that are needed, by which methods count.
    told
        Says why a row failed.
    mean
        At a layer: the mean of its value over rows, where paths begin there.
    """

    gradient: Gradient
    scale: str
    kept: IntArray
    told: Told
    mean: FloatArray | None = None

    def readout(self, pairs: IntArray, *, margin: bool) -> Readout:
        """Return which number each path is about, by the outputs that methods know."""
        own = np.where(pairs >= 0, self.kept[np.maximum(pairs, 0)], -1)
        return Readout(own, self.gradient.link, self.scale, margin)


def unit_values(asked: PathModel, inputs: Any) -> Any:
    """Return what the units of a layer are worth on rows, (b, n) object."""
    gradient = asked.gradient
    values = gradient.enter(inputs)
    own = values.reshape(len(values), -1)[:, : int(np.prod(gradient.shape))]
    return gradient.leave(own).astype(object)


def _ends(asked: PathModel, block: Any, origin: str) -> tuple[FloatArray, FloatArray]:
    """Return where the paths of a block begin, and the ways from there to the rows."""
    gradient = asked.gradient
    theirs, mine = block.ends()
    if origin == OWN:
        starts, stops = gradient.enter(theirs), gradient.enter(mine)
    else:
        copies = len(mine) // len(block)
        stops = gradient.enter(take(mine, range(0, len(mine), copies)))
        starts = np.zeros(stops.shape)
        if origin == MEAN and asked.mean is not None:
            starts.reshape(len(starts), -1)[:, : asked.mean.size] = asked.mean.ravel()
    if gradient.held:  # what passes by the layer stays the row's own
        starts[:, -gradient.held :] = stops[:, -gradient.held :]
    return starts, stops - starts


def _route(asked: PathModel, block: Any, need: NeedRoutes) -> Routes | UnexplainedError:
    gradient = asked.gradient

    def enter(rows: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        return _ends(asked, block if len(rows) == len(block) else block.take(rows), need.origin)

    found, errors = together_or_each(enter, range(len(block)))
    lost = {row: asked.told(error, "this row or its baseline") for row, error in errors.items()}
    if lost:
        return UnexplainedError(lost)
    starts, steps = found[0][1]
    copies = len(starts) // len(block)
    finite = np.isfinite(starts) & np.isfinite(steps)
    bad = np.flatnonzero(~finite.reshape(len(block), -1).all(axis=1))
    if len(bad):
        why = "no path leads from the baseline to this row: one of them has a missing value"
        return UnexplainedError(dict.fromkeys(bad.tolist(), why))
    kinks: Sequence[Any] = [None] * len(starts)
    if need.most and gradient.kinks is not None:
        kinks = gradient.kinks(starts, steps, need.most)
    shifts = None
    if need.shifted:
        own = np.repeat(gradient.enter(block.shifted()), copies, axis=0)
        shifts = own - (starts + steps)
    passed = np.array([0 if one is None else len(one.shares) for one in kinks], dtype=np.int64)
    entered = (2 if need.origin == OWN else 1) if gradient.shape else 0
    METER.inputs += int(passed.sum()) + entered * len(starts)
    rounding = _ROUNDING[gradient.single]
    return Routes(starts, steps, copies, kinks, gradient.smooth, rounding, passed, shifts, entered)


def answer_routes(
    asked: PathModel, waiting: Sequence[tuple[Any, NeedRoutes]]
) -> list[Routes | UnexplainedError]:
    """Answer requests for the paths of blocks."""
    answers = []
    for block, need in waiting:
        with metered(0):
            answers.append(_route(asked, block, need))
    return answers


@dataclass(frozen=True)
class _Nodes:
    """
    Nodes of many paths, those of one path side by side and in order.

    Attributes
    ----------
    path : (m,) int
        The path of each node, counted from 0, ascending.
    share, weight : (m,)
    slopes : (m, k), optional
        Fixed derivatives by the scores; None: those of the readout at the node.
    """

    path: IntArray
    share: FloatArray
    weight: FloatArray
    slopes: FloatArray | None = None


@dataclass(frozen=True)
class _PathLines:
    """The straight lines (p, ...) on which nodes lie, what is read of each, and noise on them."""

    starts: FloatArray
    steps: FloatArray
    readout: Readout
    reading: str = PLAIN
    noise: Noise | None = None
    shifts: FloatArray | None = None

    def points(self, nodes: "_Nodes", batch: "_Batch", points: FloatArray) -> FloatArray:
        """Return the points of some nodes, in memory that the next ones will take."""
        path = nodes.path[batch.nodes]
        shares = nodes.share[batch.nodes].reshape(-1, *[1] * (self.steps.ndim - 1))
        for own, low, high in batch.stretches:
            np.multiply(shares[low:high], self.steps[own], out=points[low:high])
            points[low:high] += self.starts[own]
        if self.noise is None or self.shifts is None:
            return np.asarray(points)
        first = np.searchsorted(nodes.path, path)  # a node's draw goes by its number on the path
        for at, (own, node) in enumerate(zip(path.tolist(), batch.nodes.tolist(), strict=True)):
            source = stream(NOISE, *self.noise.seeds[own], node - int(first[at]))
            points[at] += (
                self.noise.size * source.standard_normal(points.shape[1:]) * self.shifts[own]
            )
        return np.asarray(points)


@dataclass(frozen=True)
class _Batch:
    """
    Nodes that are asked together.

    Attributes
    ----------
    nodes : (size,) int
        Their places; the last one is repeated where there are fewer.
    count
        How many there are.
    stretches
        Of each path the first and the last but one of its nodes, by their places in the batch.
    """

    nodes: IntArray
    count: int
    stretches: Sequence[tuple[int, int, int]]


def _batched(path: IntArray, size: int) -> Iterator[_Batch]:
    """Yield all nodes, in batches of one size."""
    for at in range(0, len(path), size):
        count = min(size, len(path) - at)
        nodes = np.minimum(np.arange(at, at + size), len(path) - 1)
        own = path[nodes]
        begins = [0, *(np.flatnonzero(own[1:] != own[:-1]) + 1).tolist()]
        stretches = zip(own[begins].tolist(), begins, [*begins[1:], size], strict=True)
        yield _Batch(nodes, count, list(stretches))


def _squares(slopes: FloatArray, steps: FloatArray) -> FloatArray:
    """Return squares over their sum, of the numbers that move; 0 where nothing slopes."""
    squares = np.where(steps != 0, slopes, 0.0) ** 2
    axes = tuple(range(1, squares.ndim))
    total = np.array([one.sum() for one in squares]).reshape(-1, *[1] * len(axes))
    return np.asarray(np.divide(squares, total, out=np.zeros(squares.shape), where=total > 0))


def _read_as(
    reading: str, slopes: FloatArray, steps: FloatArray, shape: tuple[int, ...]
) -> FloatArray:
    """Return what is taken in place of derivatives (m, ...); see ``NeedPath.reading``."""
    if reading == SQUARED:
        return _squares(slopes, steps)
    if reading == POSITIVE:
        return np.asarray(np.maximum(slopes, 0.0))
    if reading == AVERAGED and len(shape) > 1:
        flat = slopes.reshape(len(slopes), -1)
        count = int(np.prod(shape))
        own = flat[:, :count].reshape(len(slopes), shape[0], -1)
        means = own.mean(axis=2)
        made = np.zeros(flat.shape)
        made[:, :count] = np.repeat(means, own.shape[2], axis=1)
        return made.reshape(slopes.shape)
    return slopes


def _add(sums: FloatArray, batch: _Batch, parts: FloatArray) -> None:
    """
    Add parts (m, ...) to the sums of their paths, one after the other.

    Parts are written to. The first path may have begun in a batch before: what it has come to
    stands before its next part, so that no sum depends on where batches end.
    """
    flat, into = parts.reshape(len(parts), -1), sums.reshape(len(sums), -1)
    flat[0] += into[batch.stretches[0][0]]
    for own, low, high in batch.stretches:
        some = flat[low : min(high, batch.count)]
        # rows of a matrix are added in order; numbers of a lone column would be in pairs
        into[own] = (
            np.add.reduce(some, axis=0) if flat.shape[1] > 1 else np.add.accumulate(some)[-1]
        )


@dataclass
class _ScoreReading:
    """
    Reads slopes off the scores at nodes, and keeps the explained number there.

    Attributes
    ----------
    readout
        Of each path.
    slopes : (p, k), optional
        The derivatives of each path, once they are known to hang on no score.
    values : (m,), optional
        The explained number at the nodes.
    """

    readout: Readout
    slopes: FloatArray | None = None
    values: FloatArray | None = None

    def of(self, path: IntArray) -> Slopes:
        """Return what reads the derivatives (m, k) of nodes on some paths off their scores."""

        def read(scores: FloatArray) -> FloatArray:
            if self.slopes is None:
                self.slopes = self.readout.fixed_slopes(scores.shape[1])
            if self.slopes is None:
                self.values, slopes = self.readout.of(path).read(scores)
                return slopes
            (plus, minus), rows = self.readout.pairs[path].T, np.arange(len(scores))
            self.values = scores[rows, plus] - np.where(minus < 0, 0.0, scores[rows, minus])
            return self.slopes[path]

        return read


def _walked(
    gradient: Gradient, lines: _PathLines, nodes: _Nodes
) -> tuple[FloatArray, FloatArray | None]:
    """
    Return the sums (p, ...) over the nodes of each path, and the explained number at each.

    None in place of the numbers where the slopes of nodes are fixed: nobody asks then.
    """
    sums, size, count = np.zeros(lines.steps.shape), gradient.batch_rows, len(nodes.path)
    values = np.empty(count) if nodes.slopes is None else None
    # fresh memory of that size would cost as much as the work in it
    room, reading = np.empty((size, *lines.steps.shape[1:])), _ScoreReading(lines.readout)
    for batch in _batched(nodes.path, size):
        points = lines.points(nodes, batch, room)
        own, fixed = batch.nodes[: batch.count], nodes.slopes
        read = reading.of(nodes.path[batch.nodes])
        with metered(size):
            slopes, _ = gradient.derive(
                points, read if fixed is None else _known(fixed[batch.nodes])
            )
        slopes = slopes[: batch.count]
        if values is not None and reading.values is not None:
            values[own] = reading.values[: batch.count]
        if lines.reading != PLAIN:
            slopes = _read_as(lines.reading, slopes, lines.steps[nodes.path[own]], gradient.shape)
        slopes *= nodes.weight[own].reshape(-1, *[1] * (slopes.ndim - 1))
        _add(sums, batch, slopes)
        del slopes  # its memory serves the next batch
    return sums, values


def _known(slopes: FloatArray) -> Slopes:
    """Return what reads derivatives that hang on no score."""
    return lambda _: slopes


def _lines(
    asked: PathModel, waiting: Sequence[tuple[Any, NeedPath | NeedPieces]]
) -> tuple[FloatArray, FloatArray, Readout]:
    """Return the lines of the paths of all requests, (p, ...), and what is read of each."""
    needs = [need for _, need in waiting]
    starts = np.concatenate([need.routes.starts[need.places] for need in needs])
    steps = np.concatenate([need.routes.steps[need.places] for need in needs])
    pairs = np.concatenate([need.pairs for need in needs])
    return starts, steps, asked.readout(pairs, margin=needs[0].margin)


def _pooled(
    asked: PathModel,
    waiting: Sequence[tuple[Any, NeedPath | NeedPieces]],
    sums: FloatArray,
    values: Sequence[FloatArray],
    counts: IntArray,
) -> list[PathSums | UnexplainedError]:
    """Give each request its own paths, added up over features."""
    answers: list[PathSums | UnexplainedError] = []
    at = 0
    for block, need in waiting:
        own = slice(at, at + len(need.places))
        at = own.stop
        rows = need.places // need.routes.copies
        bad = ~np.isfinite(sums[own].reshape(len(rows), -1)).all(axis=1)
        if bad.any():
            why = "the model's derivatives between this row and its baseline are NaN or infinite"
            answers.append(UnexplainedError(dict.fromkeys(np.unique(rows[bad]).tolist(), why)))
            continue
        gradient, found = asked.gradient, sums[own]
        if gradient.held:  # they do not move, and say whose numbers stand before them
            whose = need.routes.starts[need.places]
            found = np.concatenate([found[:, : -gradient.held], whose[:, -gradient.held :]], axis=1)
        left, grid = gradient.leave(found), gradient.grid
        maps = block.charted(rows, left, grid)
        answers.append(PathSums(block.pooled(rows, left, grid), values[own], counts[own], maps))
    return answers


def _kind(need: NeedPath) -> tuple[Any, ...]:
    """Return what requests must agree in to be added up together."""
    noise = 0.0 if need.noise is None else need.noise.size
    return need.moved, need.reading, need.margin, noise, need.routes.starts.shape[1:]


def _apart(
    waiting: Sequence[tuple[Any, N]],
    kind: Callable[[N], Any],
    answer: Callable[[Sequence[tuple[Any, N]]], Sequence[PathSums | UnexplainedError]],
) -> list[PathSums | UnexplainedError]:
    """Answer requests of each kind together."""
    found: dict[int, PathSums | UnexplainedError] = {}
    for one in sorted({kind(need) for _, need in waiting}):
        places = [i for i, (_, need) in enumerate(waiting) if kind(need) == one]
        found |= dict(zip(places, answer([waiting[i] for i in places]), strict=True))
    return [found[i] for i in range(len(waiting))]


def _noise(needs: Sequence[NeedPath]) -> tuple[Noise | None, FloatArray | None]:
    """Return the noise on the paths of all requests, and how far their numbers usually move."""
    held = [(need.noise, need.routes.shifts, need.places) for need in needs]
    noises = [noise for noise, _, _ in held if noise is not None]
    if not noises:
        return None, None
    shifts = [moved[places] for _, moved, places in held if moved is not None]
    seeds = [seed for noise in noises for seed in noise.seeds]
    return Noise(seeds, noises[0].size), np.concatenate(shifts)


def _added(
    asked: PathModel, some: Sequence[tuple[Any, NeedPath]]
) -> list[PathSums | UnexplainedError]:
    """Answer requests that add up alike, together."""
    starts, steps, readout = _lines(asked, some)
    needs = [need for _, need in some]
    noise, shifts = _noise(needs)
    shares = [nodes for need in needs for nodes in need.nodes]
    counts = np.array([len(one) for one in shares], dtype=np.int64)
    nodes = _Nodes(
        np.repeat(np.arange(len(counts)), counts),
        np.concatenate(shares),
        np.concatenate([part for need in needs for part in need.weights]),
    )
    lines = _PathLines(starts, steps, readout, needs[0].reading, noise, shifts)
    sums, found = _walked(asked.gradient, lines, nodes)
    values = np.zeros(len(nodes.path)) if found is None else found
    if needs[0].moved and needs[0].reading != SQUARED:
        sums = sums * steps
    return _pooled(asked, some, sums, np.split(values, np.cumsum(counts)[:-1]), counts)


def answer_paths(
    asked: PathModel, waiting: Sequence[tuple[Any, NeedPath]]
) -> list[PathSums | UnexplainedError]:
    """Answer requests for sums at nodes; those that add up alike go together."""
    return _apart(waiting, _kind, partial(_added, asked))


def _pieced(
    asked: PathModel, waiting: Sequence[tuple[Any, NeedPieces]]
) -> list[PathSums | UnexplainedError]:
    """Answer requests for integrals on paths of one shape."""
    starts, steps, readout = _lines(asked, waiting)
    kinks = [need.routes.kinks[i] for _, need in waiting for i in need.places.tolist()]
    counts = np.array([len(one.shares) - 1 for one in kinks], dtype=np.int64)
    path = np.repeat(np.arange(len(kinks)), counts)
    low = np.concatenate([one.shares[:-1] for one in kinks])
    high = np.concatenate([one.shares[1:] for one in kinks])
    before = np.concatenate([one.scores[:-1] for one in kinks])
    after = np.concatenate([one.scores[1:] for one in kinks])
    slopes = readout.of(path).mean_slopes(before, after)
    nodes = _Nodes(path, (low + high) / 2, high - low, slopes)
    sums, _ = _walked(asked.gradient, _PathLines(starts, steps, readout), nodes)
    values = [
        readout.of(np.full(len(one.scores), i)).read(one.scores)[0] for i, one in enumerate(kinks)
    ]
    return _pooled(asked, waiting, sums * steps, values, counts)


def answer_pieces(
    asked: PathModel, waiting: Sequence[tuple[Any, NeedPieces]]
) -> list[PathSums | UnexplainedError]:
    """Answer requests for integrals piece by piece: one derivative each, at its middle."""
    return _apart(waiting, lambda need: need.routes.starts.shape[1:], partial(_pieced, asked))
