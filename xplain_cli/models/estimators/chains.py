"""Networks and linear models of scikit-learn as a chain of stages, differentiated by NumPy alone.

Everything is computed in double precision, row by row alike: matrix products are taken in blocks of
one size, so that a row's last digits do not depend on the rows beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.gradients import Kinks, Slopes, linked

_BLOCK = 512
_APART = 1e-12
"""Kinks of one path that are nearer to each other are one: nothing is gained between them."""


class Stage(Protocol):
    """One step of a chain."""

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return what it makes of inputs (m, d)."""

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:
        """Return derivatives (m, d) by its inputs, of those by what it made."""


@dataclass(frozen=True)
class Affine:
    """A matrix (d, e) and a shift (e,)."""

    matrix: FloatArray
    shift: FloatArray

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return x W + c."""
        return inputs @ self.matrix + self.shift

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs."""
        return slopes @ self.matrix.T


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return max(x, 0)."""
        return np.maximum(inputs, 0.0)

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs: 0 at the kink itself."""
        return slopes * (inputs > 0)


@dataclass(frozen=True)
class Bend:
    """A smooth function of each number: ``tanh``, ``logistic`` or ``exp``."""

    name: str

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return the function."""
        if self.name == "tanh":
            return np.tanh(inputs)
        if self.name == "exp":
            return np.exp(inputs)
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * inputs), dtype=np.float64)

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs."""
        if self.name == "exp":
            return np.asarray(slopes * made, dtype=np.float64)
        own: FloatArray = 1 - made * made if self.name == "tanh" else made * (1 - made)
        return np.asarray(slopes * own, dtype=np.float64)


@dataclass(frozen=True)
class Outputs:
    """Probabilities (m, k) of scores (m, k), within a network: what calibration is fitted on."""

    link: str

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return the probabilities."""
        return linked(inputs, self.link)

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:
        """Return derivatives by the scores."""
        if self.link == "softmax":
            inner = slopes - (made * slopes).sum(axis=1, keepdims=True)
            return np.asarray(made * inner, dtype=np.float64)
        if self.link == "sigmoid":
            return slopes * made * (1 - made)
        each = 0.5 + 0.5 * np.tanh(0.5 * inputs)  # made = each / their sum
        total = each.sum(axis=1, keepdims=True)
        inner = (slopes - (made * slopes).sum(axis=1, keepdims=True)) / total
        return np.asarray(inner * each * (1 - each), dtype=np.float64)


def _given(slopes: FloatArray) -> Slopes:
    """Return derivatives that are known already, whatever the scores."""
    return lambda _: slopes


@dataclass(frozen=True)
class Blend:
    """The weighted sum of what several chains make of the same inputs."""

    chains: "tuple[Chain, ...]"
    shares: tuple[float, ...]

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return the weighted sum."""
        parts = [s * c.scores(inputs) for c, s in zip(self.chains, self.shares, strict=True)]
        return np.asarray(sum(parts[1:], parts[0]), dtype=np.float64)

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs."""
        found = np.zeros(inputs.shape)
        for chain, share in zip(self.chains, self.shares, strict=True):
            found += share * chain.derive(inputs, _given(slopes))[0]
        return found


@dataclass(frozen=True)
class Beside:
    """What several chains make of inputs side by side, side by side: how many each, and which."""

    parts: "tuple[tuple[int, Chain], ...]"

    def _split(self, inputs: FloatArray) -> list[FloatArray]:
        ends = np.cumsum([width for width, _ in self.parts])[:-1]
        return [np.ascontiguousarray(part) for part in np.split(inputs, ends, axis=1)]

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return what the chains make."""
        own = zip(self.parts, self._split(inputs), strict=True)
        return np.hstack([chain.scores(part) for (_, chain), part in own])

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs."""
        found, at = [], 0
        for (_, chain), part in zip(self.parts, self._split(inputs), strict=True):
            own = chain.scores(part[:1]).shape[1]
            back, _ = chain.derive(part, _given(slopes[:, at : at + own]))
            found.append(back)
            at += own
        return np.hstack(found)


def _in_blocks(stage: Stage, inputs: FloatArray) -> FloatArray:
    """Apply a stage in blocks of one size, the last one filled with repeats of its last row."""
    places = np.minimum(np.arange(-(-len(inputs) // _BLOCK) * _BLOCK), len(inputs) - 1)
    blocks = [
        stage.forward(inputs[places[at : at + _BLOCK]]) for at in range(0, len(places), _BLOCK)
    ]
    return np.concatenate(blocks)[: len(inputs)]


@dataclass(frozen=True)
class Chain:
    """Stages one after the other."""

    stages: tuple[Stage, ...]

    def scores(self, points: FloatArray) -> FloatArray:
        """Return what the last stage makes of points (m, d)."""
        for stage in self.stages:
            points = stage.forward(points)
        return points

    def in_blocks(self, points: FloatArray) -> FloatArray:
        """Return what the last stage makes of points, in blocks of one size."""
        for stage in self.stages:
            points = _in_blocks(stage, points)
        return points

    def derive(self, points: FloatArray, slopes: Slopes) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives (m, d) of what is read of the last stage, and that (m, k)."""
        made = [points]
        for stage in self.stages:
            made.append(stage.forward(made[-1]))
        back = slopes(made[-1])
        for i in range(len(self.stages) - 1, -1, -1):
            back = self.stages[i].backward(made[i], made[i + 1], back)
        return back, made[-1]

    @property
    def pieces(self) -> bool:
        """Whether it is piecewise linear."""
        return all(isinstance(stage, Affine | Relu) for stage in self.stages)

    @property
    def smooth(self) -> bool:
        """Whether it has no kinks."""
        inner = [
            chain
            for stage in self.stages
            if isinstance(stage, Blend | Beside)
            for chain in (
                stage.chains if isinstance(stage, Blend) else [one for _, one in stage.parts]
            )
        ]
        bent = any(isinstance(stage, Relu) for stage in self.stages)
        return not bent and all(chain.smooth for chain in inner)

    def kinks(self, starts: FloatArray, steps: FloatArray, most: int) -> list[Kinks | None]:
        """
        Return where paths bend, layer by layer, for all paths at once.

        After Sotoudeh and Thakur 2019 (arXiv:1908.06214): what a layer makes is linear between the
        kinks of the layers before it, so a unit's own kinks are the zeros of straight lines.

        Parameters
        ----------
        starts, steps : (q, d)
        most
            A path with more pieces is given up.
        """
        q = len(starts)
        walk = _PathPoints(
            np.repeat(np.arange(q), 2),
            np.tile([0.0, 1.0], q),
            np.stack([starts, starts + steps], axis=1).reshape(2 * q, -1),
        )
        for stage in self.stages:
            if isinstance(stage, Relu):
                walk = _few(_refined(walk), most)
                walk = _PathPoints(walk.path, walk.share, stage.forward(walk.values))
            elif len(walk.path):
                walk = _PathPoints(walk.path, walk.share, _in_blocks(stage, walk.values))
        found: list[Kinks | None] = [None] * q
        begins = np.flatnonzero(np.r_[True, walk.path[1:] != walk.path[:-1]][: len(walk.path)])
        ends = np.r_[begins[1:], len(walk.path)]
        for path, low, high in zip(
            walk.path[begins].tolist(), begins.tolist(), ends.tolist(), strict=False
        ):
            found[path] = Kinks(walk.share[low:high], walk.values[low:high])
        return found


@dataclass(frozen=True)
class _PathPoints:
    """Points on paths, in order: which path, how far along it, and what the net makes there."""

    path: IntArray
    share: FloatArray
    values: FloatArray


def _few(walk: _PathPoints, most: int) -> _PathPoints:
    """Leave out the paths of more than so many pieces."""
    counts = np.bincount(walk.path)
    if counts.max(initial=0) <= most + 1:
        return walk
    kept = counts[walk.path] <= most + 1
    return _PathPoints(walk.path[kept], walk.share[kept], walk.values[kept])


def _refined(walk: _PathPoints) -> _PathPoints:
    """Put a point wherever some value changes its sign between two neighbours of one path."""
    path, share, values = walk.path, walk.share, walk.values
    above, below = values > 0, values < 0
    crossed = (above[:-1] & below[1:]) | (below[:-1] & above[1:])
    crossed[path[1:] != path[:-1]] = False
    left, unit = np.nonzero(crossed)
    if not len(left):
        return walk
    low, high = values[left, unit], values[left + 1, unit]
    gap = share[left + 1] - share[left]
    at = low / (low - high)
    own = np.minimum(at, 1 - at) * gap > _APART  # else the neighbour is the kink
    left, at, gap = left[own], at[own], gap[own]
    order = np.lexsort((at, left))
    left, at, gap = left[order], at[order], gap[order]
    apart = np.ones(len(left), dtype=bool)
    apart[1:] = (left[1:] != left[:-1]) | ((at[1:] - at[:-1]) * gap[1:] > _APART)
    left, at, gap = left[apart], at[apart], gap[apart]
    between = values[left] + at[:, None] * (values[left + 1] - values[left])
    places = left + 1
    return _PathPoints(
        np.insert(path, places, path[left]),
        np.insert(share, places, share[left] + at * gap),
        np.insert(values, places, between, axis=0),
    )


def joined(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Return stages in which neighbouring matrices are multiplied into one."""
    found: list[Stage] = []
    for stage in stages:
        last = found[-1] if found else None
        if isinstance(stage, Affine) and isinstance(last, Affine):
            shift = last.shift @ stage.matrix + stage.shift
            found[-1] = Affine(last.matrix @ stage.matrix, shift)
        else:
            found.append(stage)
    return tuple(found)


def blend(chains: Sequence[Chain], shares: Sequence[float]) -> Stage:
    """Return the weighted sum of chains: one matrix where all are matrices."""
    lines = [chain.stages[0] for chain in chains if len(chain.stages) == 1]
    own = [line for line in lines if isinstance(line, Affine)]
    if len(own) < len(chains):
        return Blend(tuple(chains), tuple(shares))
    matrix = sum((share * one.matrix for one, share in zip(own, shares, strict=True)), np.zeros(()))
    shift = sum((share * one.shift for one, share in zip(own, shares, strict=True)), np.zeros(()))
    return Affine(np.asarray(matrix, np.float64), np.asarray(shift, np.float64))


def together(parts: Sequence[tuple[int, Chain]]) -> tuple[Stage, ...]:
    """Return the stages that chains beside each other are: none, a matrix, or what holds them."""
    if not any(chain.stages for _, chain in parts):
        return ()
    lines = [
        Affine(np.eye(width), np.zeros(width)) if not chain.stages else chain.stages[0]
        for width, chain in parts
    ]
    if all(isinstance(one, Affine) for one in lines) and all(
        len(chain.stages) <= 1 for _, chain in parts
    ):
        from scipy.linalg import block_diag

        matrices = [one.matrix for one in lines if isinstance(one, Affine)]
        shifts = [one.shift for one in lines if isinstance(one, Affine)]
        return (Affine(np.asarray(block_diag(*matrices), np.float64), np.concatenate(shifts)),)
    return (Beside(tuple(parts)),)
