"""A graph that goes on from the value at a layer, in place of going on from the input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import UsageError, nearest
from xplain_cli.models.contract import UnableError
from xplain_cli.models.torch.graphs import ScoreGraph, name_of
from xplain_cli.models.torch.layer_names import StoredLayer


def _is_skipped(graph: ScoreGraph, node: Any, behind: set[Any]) -> bool:
    """Return whether something of the input reaches the scores past a node."""
    own = {node, *behind}
    return any(
        part in graph.moving and part not in own for one in behind for part in one.all_input_nodes
    )


def _count_rows_at(points: Any, behind: set[Any]) -> None:
    """Let what asks how many rows there are ask the new input."""
    asked = {part for one in behind for part in one.all_input_nodes if name_of(part) == "sym_size"}
    for one in asked:
        if one.args[1] == 0:
            one.args = (points, 0)


@dataclass(frozen=True)
class CutGraph:
    """
    A graph that goes on from the value at a node.

    Attributes
    ----------
    graph
        Its input are points: the value of the node (m, ...); or where something of the input passes
        by the node, the numbers of that value and of the whole input behind each other, (m, d).
    held
        How many of the last numbers of a point are the input's; 0: none are needed.
    """

    graph: ScoreGraph
    held: int


def cut_graph(
    graph: ScoreGraph, node: Any, shape: tuple[int, ...], source: tuple[int, ...]
) -> CutGraph:
    """
    Make a graph go on from the value at a node, in place.

    What passes by the node, such as a skip connection, still comes from the row itself. So the
    scores are those that the whole net gives with the value of the node replaced.

    Parameters
    ----------
    node
        One of the graph.
    shape, source
        The lengths of the value at the node, and of the input, of one row.
    """
    import torch

    behind = graph.resting_on(node) - {node}
    points, body = graph.source, graph.module.graph
    if not _is_skipped(graph, node, behind):
        _count_rows_at(points, behind)
        node.replace_all_uses_with(points)
        end = points if graph.end is node else graph.end
        return CutGraph(ScoreGraph(graph.module, points, end, graph.link), 0)
    count, held = _numbers(shape), _numbers(source)
    parts: list[Any] = []
    at = points
    for start, stop, lengths in ((0, count, shape), (count, count + held, source)):
        for target, more in (
            (torch.ops.aten.slice.Tensor, (1, start, stop)),
            (torch.ops.aten.reshape.default, ([-1, *lengths],)),
        ):
            with body.inserting_after(at):
                at = body.call_function(target, (parts[-1] if len(more) == 1 else points, *more))
            parts.append(at)
    first, value, second, whole = parts
    node.replace_all_uses_with(value)
    points.replace_all_uses_with(whole, delete_user_cb=lambda user: user not in {first, second})
    return CutGraph(ScoreGraph(graph.module, points, graph.end, graph.link, value), held)


def _numbers(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def find_layer(graph: ScoreGraph, layers: Mapping[str, StoredLayer], name: str) -> Any:
    """
    Return the node of a layer.

    Raises
    ------
    UsageError
        The model has no such layer.
    UnableError
        The scores do not rest on it.
    """
    if name not in layers:
        raise UsageError(
            f"no layer {name!r} in this model{nearest(name, layers)}; xplain inspect MODEL lists"
            " its layers"
        )
    (node,) = (one for one in graph.module.graph.nodes if one.name == layers[name].node)
    if node not in graph.moving:
        raise UnableError(f"follows layers that the scores rest on, and {name!r} is none")
    return node
