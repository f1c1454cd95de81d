"""Graphs of torch.export as something that can be run node by node, in double precision.

What a graph is made of says how paths through it are followed: piecewise linear, without any
kink, or neither. Operators that write into their input are made such as do not; a softmax or a
sigmoid at the end is left out, so that what is differentiated are the scores.
"""

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xplain_cli.models.gradients import IDENTITY, SHARES, SIGMOID, SOFTMAX

LINEAR = frozenset({
    *("_adaptive_avg_pool2d", "_unsafe_view", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "add"),
    *("addmm", "alias", "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "bmm", "cat"),
    *("clone", "constant_pad_nd", "contiguous", "conv1d", "conv2d", "conv3d", "conv_transpose1d"),
    *("conv_transpose2d", "conv_transpose3d", "convolution", "cumsum", "detach_", "div", "dropout"),
    *("einsum", "expand", "flatten", "flip", "gather", "index_select", "linear", "matmul", "mean"),
    *("mm", "mul", "nan_to_num", "neg", "pad", "permute", "repeat", "reshape", "rsub", "select"),
    *("slice", "squeeze", "stack", "sub", "sum", "t", "transpose", "tril", "triu", "unflatten"),
    *("unsqueeze", "upsample_bilinear2d", "upsample_nearest2d", "view", "where", "_to_copy", "to"),
})
"""Linear in each of their arguments; products and quotients only where one of them is fixed."""

PRODUCTS = frozenset({"addmm", "bmm", "div", "einsum", "matmul", "mm", "mul"})
WEIGHTED = frozenset({
    *("batch_norm", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"),
    *("conv_transpose3d", "convolution", "gather", "index_select", "linear"),
})
"""Linear in their first argument, where all others are fixed."""

BENT = frozenset({
    *("abs", "clamp", "clamp_max", "clamp_min", "hardtanh", "leaky_relu", "max_pool2d"),
    *("maximum", "minimum", "relu", "relu6"),
})
"""Piecewise linear, with kinks that ``kinks`` finds."""

SMOOTH = frozenset({
    *("_softmax", "asinh", "atan", "cos", "cosh", "erf", "exp", "gelu", "group_norm", "gru"),
    *("instance_norm", "layer_norm", "log", "log_softmax", "logsumexp", "lstm", "mish"),
    *(
        "native_layer_norm",
        "pow",
        "rms_norm",
        "rnn_tanh",
        "rsqrt",
        "scaled_dot_product_attention",
        "sigmoid",
        "silu",
    ),
    *("sin", "sinh", "softmax", "softplus", "sqrt", "tan", "tanh", "chunk", "split"),
    *("split_with_sizes", "reciprocal"),
})


SHAPE = "shape"
"""What the ``meta`` of a node has where its lengths are known: on a batch of any size."""

_SHAPES = frozenset({"flatten", "reshape", "squeeze", "unsqueeze", "view"})


def name_of(node: Any) -> str:
    """Return the operator of a node: ``relu`` of torch.ops.aten.relu.default; empty for others."""
    parts = str(node.target).split(".")
    return parts[1] if node.op == "call_function" and parts[0] == "aten" else ""


@dataclass(frozen=True)
class _GraphStep:
    """
    A node that is run again and again.

    Attributes
    ----------
    place
        Its number.
    target
        What is called.
    args
        Its arguments: the place of a value, or None and the argument itself.
    kwargs
        Those that go by their names.
    nested
        The node, where values stand in lists or go by their names.
    places
        The number of each node.
    unneeded
        The places of values that nobody needs behind it.
    """

    place: int
    target: Any
    args: tuple[tuple[int | None, Any], ...]
    kwargs: Mapping[str, Any]
    nested: Any
    places: Mapping[Any, int]
    unneeded: tuple[int, ...]

    def made(self, env: list[Any]) -> Any:
        """Return its value, of those at the places of others."""
        if self.nested is not None:
            from torch.fx.node import map_arg

            held = (self.nested.args, self.nested.kwargs)
            args, kwargs = (map_arg(one, lambda node: env[self.places[node]]) for one in held)
            return self.target(*args, **kwargs)
        given = [one if at is None else env[at] for at, one in self.args]
        return self.target(*given, **self.kwargs)


def _step(node: Any, places: Mapping[Any, int], unneeded: Sequence[int]) -> _GraphStep:
    """Return a node as a step."""
    from torch.fx import Node

    flat = [places[one] if isinstance(one, Node) else None for one in node.args]
    named = {places[one] for one in node.all_input_nodes}
    nested = node if named - set(flat) else None
    args = tuple(zip(flat, node.args, strict=True))
    return _GraphStep(places[node], node.target, args, node.kwargs, nested, places, tuple(unneeded))


@dataclass(frozen=True)
class ScoreGraph:
    """
    A graph that ends in scores.

    Attributes
    ----------
    module
        The ``torch.fx.GraphModule``, in double precision.
    source, end
        The node of the input, and that of the scores.
    link
        How the scores become what the module answers.
    mover
        The node that alone moves on a path, and what rests on it; None: the input.
    """

    module: Any
    source: Any
    end: Any
    link: str
    mover: Any = None

    @cached_property
    def nodes(self) -> list[Any]:
        """The nodes that the scores rest on, in order."""
        needed, due = {self.end}, [self.end]
        while due:
            for one in due.pop().all_input_nodes:
                if one not in needed:
                    needed.add(one)
                    due.append(one)
        return [node for node in self.module.graph.nodes if node in needed]

    @cached_property
    def largest(self) -> dict[tuple[int, ...], int | None]:
        """By the lengths of a point, how many numbers values hold (``kinks``), as far as asked."""
        return {}

    @cached_property
    def unneeded(self) -> dict[Any, list[Any]]:
        """By node, the values that nobody needs behind it."""
        return last_uses(self.nodes)

    @cached_property
    def moving(self) -> set[Any]:
        """The nodes whose values depend on the input."""
        return self.resting_on(self.source)

    @property
    def moved(self) -> set[Any]:
        """The nodes whose values change along a path."""
        return self.moving if self.mover is None else self.resting_on(self.mover)

    def resting_on(self, node: Any) -> set[Any]:
        """Return a node and those whose values depend on its value."""
        found = {node}
        for one in self.nodes:
            if any(part in found for part in one.all_input_nodes) and name_of(one) != "sym_size":
                found.add(one)
        return found

    def run(self, points: Any, given: Mapping[Any, Any] | None = None) -> Any:
        """
        Return the scores at points.

        Parameters
        ----------
        given
            Values in place of those of some nodes.
        """
        if given:
            return self.values(points, self.end, given)
        env = list(self._held)
        if self.source in self._places:
            env[self._places[self.source]] = points
        for step in self._steps:
            env[step.place] = step.made(env)
            for old in step.unneeded:
                env[old] = None
        return env[self._places[self.end]]

    @cached_property
    def _places(self) -> dict[Any, int]:
        """The number of each node."""
        return {node: at for at, node in enumerate(self.nodes)}

    @cached_property
    def _held(self) -> list[Any]:
        """What the module holds, at the places of the nodes that read it."""
        return [self.step(node, {}, None) if node.op == "get_attr" else None for node in self.nodes]

    @cached_property
    def _steps(self) -> list["_GraphStep"]:
        """The nodes that compute, in order: read once, as reading one takes as long as it runs."""
        return [
            _step(node, self._places, [self._places[one] for one in self.unneeded[node]])
            for node in self.nodes
            if node is not self.source and node.op != "get_attr"
        ]

    def values(self, points: Any, end: Any, given: Mapping[Any, Any]) -> Any:
        """Return the value of a node at points."""
        env: dict[Any, Any] = {}
        for node in self.nodes:
            env[node] = given[node] if node in given else self.step(node, env, points)
            if node is end:
                return env[node]
            for old in self.unneeded[node]:
                env.pop(old, None)
        raise ValueError(f"no node {end}")

    def step(self, node: Any, env: Mapping[Any, Any], points: Any) -> Any:
        """Return the value of one node."""
        if node is self.source:
            return points
        if node.op == "get_attr":
            held = self.module
            for part in node.target.split("."):
                held = getattr(held, part)
            return held
        args, kwargs = fetched(node, env)
        return node.target(*args, **kwargs)


def fetched(node: Any, env: Mapping[Any, Any]) -> tuple[Any, Any]:
    """Return the arguments of a node, with values in place of nodes."""
    from torch.fx.node import map_arg

    return map_arg(node.args, env.__getitem__), map_arg(node.kwargs, env.__getitem__)


def last_uses(nodes: list[Any]) -> dict[Any, list[Any]]:
    """Return by node which values nobody needs behind it."""
    seen: set[Any] = set()
    found: dict[Any, list[Any]] = {}
    for node in reversed(nodes):
        fresh = [one for one in node.all_input_nodes if one not in seen]
        found[node] = fresh
        seen.update(fresh)
    return found


def _functional(node: Any, torch: Any) -> None:
    """Make an operator that writes into its input one that does not; who read it reads the new."""
    name = name_of(node)
    packet = getattr(torch.ops.aten, name[:-1], None) if name.endswith("_") else None
    if packet is None or name.startswith("__"):
        return
    overload = str(node.target).rsplit(".", 1)[1]
    found = getattr(packet, overload, None)
    if found is None:
        return
    node.target, written = found, node.args[0]
    after = False
    for one in list(node.graph.nodes):
        if after and written in one.all_input_nodes:
            one.replace_input_with(written, node)
        after = after or one is node


def _widened(value: Any, torch: Any) -> Any:
    """Return an argument with double precision in place of single."""
    narrow = isinstance(value, torch.dtype) and value in {torch.float32, torch.float16}
    return torch.float64 if narrow else value


def _output(graph: Any) -> Any:
    """Return the node of the one tensor that a graph answers."""
    (last,) = (node for node in graph.nodes if node.op == "output")
    found = last.args[0]
    return found[0] if isinstance(found, (tuple, list)) and len(found) == 1 else found


def _is_over_outputs(node: Any) -> bool:
    """Return whether a softmax goes over all numbers of a row."""
    axis, shape = node.args[1], node.meta.get(SHAPE)
    if shape is None:
        return axis in {1, -1}
    rest = [length for at, length in enumerate(shape) if at not in {0, axis % len(shape)}]
    return axis % len(shape) > 0 and all(length == 1 for length in rest)


def _bare(end: Any) -> Any:
    """Return what stands before changes of shape that leave each row its numbers, in order."""
    while name_of(end) in _SHAPES and end.meta.get(SHAPE, ())[:1] == _rows(end.args[0]):
        end = end.args[0]
    return end


def _rows(node: Any) -> tuple[int, ...]:
    found: tuple[int, ...] = node.meta.get(SHAPE, (0,))[:1]
    return found


def _lone_score(end: Any) -> Any:
    """Return the score z of what ends in (1 - s, s) with s the sigmoid of z; None: no such end."""
    if name_of(end) != "cat" or len(end.args[0]) != 2 or end.args[1:] not in {(1,), (-1,)}:
        return None
    other, own = end.args[0]
    turned = name_of(other) in {"rsub", "sub"} and own in other.args and 1 in other.args
    first = other.args[:1] == ((own,) if name_of(other) == "rsub" else (1,))
    return own.args[0] if turned and first and name_of(own) == "sigmoid" else None


def _shared_scores(end: Any) -> Any:
    """Return the scores of what ends in sigmoids over their sum; None: no such end."""
    if name_of(end) != "div":
        return None
    own, total = end.args[:2]
    summed = name_of(total) == "sum" and total.args[0] is own and total.args[1] in ([1], [-1])
    return own.args[0] if summed and name_of(own) == "sigmoid" else None


def _cut(end: Any, *, probabilities: bool) -> tuple[Any, str]:
    """Return the node of the scores, and the link that is left out behind it."""
    if not probabilities:
        return end, IDENTITY
    last = _bare(end)
    name, lone, shared = name_of(last), _lone_score(last), _shared_scores(last)
    if name == "sigmoid":
        return last.args[0], SIGMOID
    if name in {"softmax", "_softmax"} and _is_over_outputs(last):
        return last.args[0], SOFTMAX
    if lone is not None:
        return lone, SIGMOID
    if shared is not None:
        return shared, SHARES
    return end, IDENTITY


def read_graph(module: Any, *, probabilities: bool) -> ScoreGraph:
    """
    Return a copy of a module of torch.export as a graph that ends in scores.

    Parameters
    ----------
    probabilities
        Whether its answers are probabilities: then a softmax or sigmoid at its end is left out.
    """
    import torch
    from torch.fx.node import map_aggregate

    with warnings.catch_warnings():  # torch's own copies call what torch has deprecated
        warnings.simplefilter("ignore")
        held = copy.deepcopy(module).double()
    for parameter in held.parameters():
        parameter.requires_grad = False
    for node in list(held.graph.nodes):
        node.args = map_aggregate(node.args, lambda one: _widened(one, torch))
        node.kwargs = map_aggregate(node.kwargs, lambda one: _widened(one, torch))
        _functional(node, torch)
    (source,) = (node for node in held.graph.nodes if node.op == "placeholder")
    end, link = _cut(_output(held.graph), probabilities=probabilities)
    return ScoreGraph(held, source, end, link)


def _used(node: Any, moving: set[Any]) -> list[Any]:
    """Return what moves among the arguments of a node; one that stands there twice, twice."""
    from torch.fx.node import map_arg

    found: list[Any] = []
    map_arg((node.args, node.kwargs), found.append)
    return [one for one in found if one in moving]


def _is_linear(node: Any, moving: set[Any]) -> bool:
    """Return whether a node is linear in what moves."""
    name, mine = name_of(node), _used(node, moving)
    if name == "where":
        return node.args[0] not in moving
    if name in {"_to_copy", "to"} and not _stays_fractional(node):
        return False
    if name in WEIGHTED:
        return len(mine) == 1 and mine[0] is node.args[0]
    if name in PRODUCTS and name != "addmm":
        return len(mine) == 1 and not (name == "div" and node.args[1] in moving)
    return name in LINEAR and (name != "addmm" or len(mine) == 1)


def _stays_fractional(node: Any) -> bool:
    """Return whether a conversion names no type of whole numbers."""
    given = [*node.args, *node.kwargs.values()]
    return all(getattr(one, "is_floating_point", True) for one in given)


def _is_smooth(node: Any, moving: set[Any]) -> bool:
    """Return whether a node has no kinks."""
    name = name_of(node)
    if name in {"where", "_to_copy", "to"}:
        return _is_linear(node, moving)
    return name in LINEAR | SMOOTH or (
        not name and str(node.target) == "<built-in function getitem>"
    )


def kind_of(graph: ScoreGraph) -> tuple[bool, bool]:
    """Return whether the scores are piecewise linear, and whether they have no kinks."""
    moved = graph.moved
    names = {node: name_of(node) for node in graph.nodes if node in moved}
    names.pop(graph.source if graph.mover is None else graph.mover, None)
    pieces = all(_is_linear(node, moved) or name in BENT for node, name in names.items())
    smooth = all(_is_smooth(node, moved) for node in names)
    return pieces, smooth
