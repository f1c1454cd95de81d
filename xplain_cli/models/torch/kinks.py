"""Kinks of paths through a piecewise-linear graph, node by node, for several paths at once.

After Sotoudeh and Thakur 2019 (arXiv:1908.06214), for any graph without loops: every value that is
still needed is kept at all points of the paths, and is linear between neighbours. Where a node
bends between two of them, a point is put there, and all kept values get theirs by interpolation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.models.gradients import Kinks
from xplain_cli.models.torch.graphs import BENT, ScoreGraph, fetched, name_of

_APART = 1e-12
_BLOCK = 64
"""Points of each call: an operator's last digits depend on how many it is given."""
_BYTES = 1 << 26
"""Of the values of one path at one node."""


def _flat(value: Any) -> Any:
    """Return the value of a node as numbers of each point (p, n), where it is one number too."""
    return value.flatten(1) if value.dim() > 1 else value[:, None]


class _TooManyError(Exception):
    """No path is left."""


@dataclass
class _PathWalk:
    """Points on paths, in order, and the values of the nodes there."""

    graph: ScoreGraph
    path: Any
    share: Any
    points: Any
    most: int
    env: dict[Any, Any] = field(default_factory=dict)
    moving: set[Any] = field(default_factory=set)

    def insert(self, left: Any, at: Any) -> bool:
        """Put points between neighbours: behind *left*, the share *at* of the way to the next."""
        import torch

        gap = self.share[left + 1] - self.share[left]
        own = torch.minimum(at, 1 - at) * gap > _APART
        left, at, gap = left[own], at[own], gap[own]
        order = np.lexsort((at.numpy(), left.numpy()))
        left, at, gap = left[order], at[order], gap[order]
        apart = torch.ones(len(left), dtype=torch.bool)
        apart[1:] = (left[1:] != left[:-1]) | ((at[1:] - at[:-1]) * gap[1:] > _APART)
        left, at = self._drop_long(left[apart], at[apart])
        if not len(left):
            return False
        count = len(self.share)
        before = torch.cat([torch.arange(count), left])
        way = torch.cat([torch.zeros(count, dtype=at.dtype), at])
        order = np.lexsort((way.numpy(), before.numpy()))
        self._spread(before[order], way[order])
        return True

    def _spread(self, before: Any, way: Any) -> None:
        """Take points behind *before*, the share *way* of the way to the next, in all values."""
        after = (before + 1).clamp(max=len(self.share) - 1)

        def between(value: Any) -> Any:
            part = way.view(-1, *[1] * (value.dim() - 1))
            return value[before] + part * (value[after] - value[before])

        self.share = between(self.share)
        self.path = self.path[before]
        self.points = between(self.points)
        for node, value in self.env.items():
            if node in self.moving:
                self.env[node] = between(value)

    def _drop_long(self, left: Any, at: Any) -> tuple[Any, Any]:
        """
        Leave out the paths that would have too many pieces, before these take any memory.

        Returns
        -------
        left, at
            As of ``insert``, on the paths that stay.
        """
        import torch

        owners = self.path[left]
        size = int(self.path.max()) + 1
        counts = torch.bincount(self.path, minlength=size) + torch.bincount(owners, minlength=size)
        fine = counts <= self.most + 1
        stays = fine[self.path]
        if bool(stays.all()):
            return left, at
        kept = stays.nonzero(as_tuple=True)[0]
        if not len(kept):
            raise _TooManyError
        self.share, self.path, self.points = self.share[kept], self.path[kept], self.points[kept]
        for node in self.moving & set(self.env):
            self.env[node] = self.env[node][kept]
        own = fine[owners]
        return (stays.cumsum(0) - 1)[left[own]], at[own]

    def cut(self, node: Any, low: Any) -> None:
        """Put points where the value of a node, less *low*, changes its sign."""
        value = _flat(self.env[node] - low)
        crossed = ((value[:-1] > 0) & (value[1:] < 0)) | ((value[:-1] < 0) & (value[1:] > 0))
        crossed &= (self.path[1:] == self.path[:-1])[:, None]
        left, unit = crossed.nonzero(as_tuple=True)
        if len(left):
            first, second = value[left, unit], value[left + 1, unit]
            self.insert(left, first / (first - second))

    def cut_pool(self, node: Any, unfold: Any) -> None:
        """Put points where another number of a window becomes the greatest, until none does."""
        while True:
            seen = unfold(self.env[node])  # (points, ..., window)
            best = seen.argmax(-1, keepdim=True)
            here = (seen[:-1].gather(-1, best[1:]) - seen[:-1].gather(-1, best[:-1])).flatten(1)
            there = (seen[1:].gather(-1, best[1:]) - seen[1:].gather(-1, best[:-1])).flatten(1)
            crossed = (here < -1e-13) & (there > 1e-13)
            crossed &= (self.path[1:] == self.path[:-1])[:, None]
            left, unit = crossed.nonzero(as_tuple=True)
            if not len(left):
                return
            first, second = here[left, unit], there[left, unit]
            if not self.insert(left, first / (first - second)):
                return


def _windows(node: Any) -> Any:
    """Return what lays out the windows of a pooling: (p, c, h, w) -> (p, c, places, window)."""
    import torch

    sizes = [node.args[i] if len(node.args) > i and node.args[i] else None for i in range(1, 5)]
    kernel = sizes[0]
    stride, padding, dilation = sizes[1] or kernel, sizes[2] or [0, 0], sizes[3] or [1, 1]
    if len(node.args) > 5 and node.args[5]:
        raise _TooManyError

    def pair(value: Any) -> list[int]:
        return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))

    kernel, stride, padding, dilation = map(pair, (kernel, stride, padding, dilation))

    def unfold(value: Any) -> Any:
        down, right = padding
        wide = torch.nn.functional.pad(value, (right, right, down, down), value=-1e300)
        made = torch.nn.functional.unfold(wide, kernel, dilation=dilation, stride=stride)
        window = kernel[0] * kernel[1]
        return made.view(len(value), value.shape[1], window, -1).transpose(2, 3)

    return unfold


def _bounds(node: Any) -> list[float]:
    """Return where an operator of one input bends."""
    name, args = name_of(node), (*node.args[1:], *node.kwargs.values())
    if name in {"abs", "relu", "leaky_relu"}:
        return [0.0]
    if name == "relu6":
        return [0.0, 6.0]
    low, high = (-1.0, 1.0) if name == "hardtanh" else (None, None)
    given = [one for one in args if one is None or isinstance(one, (int, float))]
    if name == "clamp_max":
        given = [None, *given]
    bounds = (given + [low, high][len(given) :])[:2]
    return [float(one) for one in bounds if one is not None]


def _bend(walk: _PathWalk, node: Any) -> None:
    """Put points where a node bends."""
    name, first = name_of(node), node.args[0]
    if name == "max_pool2d":
        walk.cut_pool(first, _windows(node))
    elif name in {"maximum", "minimum"}:
        import torch

        one, other = (walk.env[part] for part in node.args[:2])
        marker = object()
        walk.env[marker] = torch.broadcast_tensors(one - other)[0]
        walk.moving.add(marker)
        walk.cut(marker, 0.0)
        del walk.env[marker]
    else:
        for low in _bounds(node):
            walk.cut(first, low)


def _applied(walk: _PathWalk, node: Any, fixed: dict[Any, Any]) -> Any:
    """Return what a node makes of its moving inputs, in blocks of one size."""
    import torch

    mine = [one for one in node.all_input_nodes if one in walk.moving]
    count = len(walk.share)
    places = torch.arange(-(-count // _BLOCK) * _BLOCK).clamp(max=count - 1)
    made = []
    for block in places.split(_BLOCK):
        env = fixed | {one: walk.env[one][block] for one in mine}
        args, kwargs = fetched(node, env)
        made.append(node.target(*args, **kwargs))
    return torch.cat(made)[:count]


def _follow(walk: _PathWalk) -> None:
    """Run the graph node by node on the points, which grow."""
    graph, fixed = walk.graph, dict[Any, Any]()
    nodes = graph.nodes
    moving, last = graph.moving, graph.unneeded
    for node in nodes:
        if node is graph.source:
            walk.env[node] = walk.points
            walk.moving.add(node)
        elif name_of(node) == "sym_size":
            # a block is asked at a time; other lengths do not change along a path
            fixed[node] = (
                _BLOCK if node.args[1] == 0 else walk.env[node.args[0]].shape[node.args[1]]
            )
        elif node not in moving:
            fixed[node] = graph.step(node, fixed, None)
        else:
            if name_of(node) in BENT:
                _bend(walk, node)
            walk.env[node] = _applied(walk, node, fixed)
            walk.moving.add(node)
        for old in last.get(node, ()):
            if old is not graph.end:
                walk.env.pop(old, None)


def _walk(graph: ScoreGraph, starts: Any, steps: Any, most: int) -> dict[int, Kinks]:
    """Follow paths (q, ...) through a graph; those that are given up are left out."""
    import torch

    q = len(starts)
    points = torch.stack([starts, starts + steps], dim=1).flatten(0, 1)
    path, share = torch.arange(q).repeat_interleave(2), torch.tensor([0.0, 1.0]).double().repeat(q)
    walk = _PathWalk(graph, path, share, points, most)
    _follow(walk)
    scores = walk.env[graph.end]
    found: dict[int, Kinks] = {}
    for one in walk.path.unique().tolist():
        own = walk.path == one
        found[one] = Kinks(walk.share[own].numpy(), _flat(scores[own]).numpy())
    return found


def _made(graph: ScoreGraph, points: Any) -> dict[Any, Any]:
    """Return what every node that moves makes of points."""
    env: dict[Any, Any] = {}
    for node in graph.nodes:
        env[node] = graph.step(node, env, points)
    return {node: env[node] for node in graph.nodes if node in graph.moving}


def _largest(graph: ScoreGraph, shape: tuple[int, ...]) -> int | None:
    """
    Return how many numbers the largest value of a graph holds for one point.

    None: some value does not hold its points one after the other, as where time steps come first
    or are points of their own; what is between two of its rows then says nothing of a path.
    """
    import torch

    three = torch.linspace(-1, 1, 3 * int(np.prod(shape)), dtype=torch.float64).view(3, *shape)
    few, more = _made(graph, three[:2]), _made(graph, three)
    most = 1
    for node, value in more.items():
        if not isinstance(value, torch.Tensor):
            continue
        if value.shape[:1] != (3,) or few[node].shape[:1] != (2,):
            return None
        if not torch.allclose(value[:2], few[node], rtol=1e-6, atol=1e-9, equal_nan=True):
            return None
        most = max(most, value.numel() // 3)
    return most


def graph_kinks(
    graph: ScoreGraph, starts: FloatArray, steps: FloatArray, most: int
) -> Sequence[Kinks | None]:
    """
    Return where paths bend in the scores.

    Parameters
    ----------
    graph
        A piecewise-linear graph.
    starts, steps : (q, ...)
    most
        A path with more pieces is given up; so is one whose values take too much memory, and all
        through a graph of which a value does not hold its points one after the other.
    """
    import torch

    with torch.no_grad():
        shape = starts.shape[1:]
        if shape not in graph.largest:
            graph.largest[shape] = _largest(graph, shape)
        largest = graph.largest[shape]
        if largest is None:
            return [None] * len(starts)
        pieces = max(1, min(most, _BYTES // (8 * largest)))
        size = max(1, (_BYTES * 4) // (8 * largest * pieces))
        found: list[Kinks | None] = []
        for at in range(0, len(starts), size):
            part = slice(at, at + size)
            some = [torch.from_numpy(np.ascontiguousarray(one[part])) for one in (starts, steps)]
            try:
                known = _walk(graph, some[0], some[1], pieces)
            except _TooManyError:
                known = {}
            found += [known.get(i) for i in range(len(some[0]))]
    return found
