"""Refuses ONNX graphs that make onnxruntime allocate without end, or follow trees astray.

A graph of a hundred bytes may ask for a tensor of terabytes, which is made while the file is
opened: constants are folded then. What a graph allocates by the rows it is asked is not seen here.
The field numbers are those of onnx.proto, as in ``files``.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from xplain_cli.errors import with_article
from xplain_cli.models.onnx.files import MESSAGES, fields
from xplain_cli.models.onnx.graph import Graph, Node, constant, listed, parse_node, parse_nodes
from xplain_cli.models.onnx.trees import odd_trees
from xplain_cli.models.pickles.unpickler import Content

_MOST = 2**28
"""Numbers of a tensor that a graph makes of its constants alone: a gigabyte of floats."""

_REPEATS = 2**24
_INPUT, _STEPS = 11, 16
_COLUMN_BY_COLUMN = frozenset({"Cast", "Identity", "Imputer", "Scaler", "Normalizer"})
_DIMS, _SPARSE_DIMS, _LOCATION = 1, 3, 14
# trees keep millions of numbers and modes of nodes in attributes: fields 7, 8 and 9
_RUN = re.compile(
    rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f]|\x4a(?:\x0aBRANCH_[A-Z]{3}|\x04LEAF))++",
    re.DOTALL,
)
_SHAPED = {"ConstantOfShape": 0, "Expand": 1, "Reshape": 1}
_SIZED = frozenset({"RandomNormal", "RandomUniform"})


def _parts(kind: str, data: Content, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the fields of a message; of an attribute without its runs of numbers."""
    while start < stop:
        run = _RUN.match(data, start, stop) if kind == "attribute" else None
        if run is not None:
            start = run.end()
            continue
        for number, wire, a, b in fields(data, start, stop):
            yield number, wire, a, b
            start = b
            if kind == "attribute":
                break
        else:
            return


def _messages(data: Content) -> Iterator[tuple[str, int, int]]:
    """Yield every message that may lead to a tensor or an operator, with its place."""
    waiting = [("model", 0, len(data))]
    while waiting:
        kind, start, stop = waiting.pop()
        yield kind, start, stop
        within = MESSAGES.get(kind, {})
        waiting.extend(
            (within[number], a, b)
            for number, wire, a, b in (_parts(kind, data, start, stop) if within else ())
            if wire == 2 and number in within
        )


def _lengths(data: Content, start: int, stop: int, wanted: int) -> list[int]:
    """Return the lengths of the axes of a tensor, packed or not."""
    found: list[int] = []
    for number, wire, a, b in fields(data, start, stop):
        if number == wanted and wire == 0:
            found.append(a)
        elif number == wanted and wire == 2:
            value = shift = 0
            for byte in data[a:b]:
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    found.append(value)
                    value = shift = 0
    return found


def _odd_tensor(data: Content, start: int, stop: int, outside: int) -> str | None:
    numbers = math.prod(_lengths(data, start, stop, _DIMS))
    held = stop - start
    if any(field == _LOCATION for field, *_ in fields(data, start, stop)):
        held += outside
    # two numbers of four bits lie in a byte
    return None if numbers <= 2 * held else "a constant that states more numbers than it holds"


def _product(graph: Graph, node: Node, place: int) -> int:
    """Return how many numbers a constant shape asks for; 0 where it is no constant."""
    if len(node.inputs) <= place:
        return 0
    lengths = constant(graph, node.inputs[place])
    known = [one for one in lengths if isinstance(one, int)]
    return math.prod(known) if known and all(one >= 0 for one in known) else 0


def _numbers(graph: Graph, node: Node) -> list[float]:
    found = [constant(graph, name) for name in node.inputs]
    return [float(one) for values in found for one in values if not isinstance(one, str)]


def _steps(graph: Graph, node: Node) -> float:
    """Return how many numbers a range of constants has; 0 where they are none."""
    ends = _numbers(graph, node)
    if len(ends) != 3 or not ends[2] or not all(map(math.isfinite, ends)):
        return 0
    return (ends[1] - ends[0]) / ends[2]


def _odd_node(graph: Graph, node: Node) -> str | None:
    asked = f"{with_article(node.op)} of more than {_MOST} numbers"
    if node.op in _SHAPED and _product(graph, node, _SHAPED[node.op]) > _MOST:
        return asked
    if node.op in _SIZED:
        shape = [one for one in listed(graph, node, ("shape",)) if isinstance(one, int)]
        return asked if math.prod(shape) > _MOST else None
    if node.op == "Range" and _steps(graph, node) > _MOST:
        return asked
    if node.op in {"Tile", "Pad", "OneHot", "Upsample", "Resize", "Loop", "EyeLike"}:
        most = max(_numbers(graph, node), default=0.0)
        return f"{with_article(node.op)} by more than {_REPEATS}" if most > _REPEATS else None
    return None


def _width(data: Content, start: int, stop: int) -> int | None:
    """Return the second length of an input (ValueInfoProto), where it is stated."""
    at = [(start, stop)]
    for wanted in (2, 1, 2):  # its type, the tensor's, the shape
        at = [
            (c, d)
            for a, b in at
            for n, wire, c, d in fields(data, a, b)
            if (n, wire) == (wanted, 2)
        ]
    lengths = [part for place in at for part in fields(data, *place)]
    if len(lengths) != 2 or lengths[1][1] != 2:
        return None
    stated = [a for n, wire, a, _ in fields(data, *lengths[1][2:]) if (n, wire) == (1, 0)]
    return stated[0] if stated else None


def _inputs(data: Content, graphs: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Return how many columns the inputs of graphs have, as far as they say so."""
    found: dict[str, int] = {}
    for number, wire, a, b in (part for graph in graphs for part in fields(data, *graph)):
        if (number, wire) == (_INPUT, 2):
            names = [
                bytes(data[c:d]).decode("utf-8", "replace")
                for n, _, c, d in fields(data, a, b)
                if n == 1
            ]
            width = _width(data, a, b)
            if width is not None:
                found |= dict.fromkeys(names, width)
    return found


def _columns(graph: Graph, known: Mapping[str, int], name: str) -> int | None:
    """Return how many columns a value has that is an input, or made of one column by column."""
    for _ in range(_STEPS):
        node = graph.nodes.get(name)
        if node is None or node.op not in _COLUMN_BY_COLUMN or not node.inputs:
            break
        name = node.inputs[0]
    return known.get(name)


def find_excess(data: Content, outside: int) -> str | None:
    """
    Return what of a model allocates without end, or leads compiled code astray, or None.

    Parameters
    ----------
    outside
        Bytes of the other files that its constants lie in.

    Raises
    ------
    IndexError
        The bytes are no ONNX model.
    """
    graphs: dict[str, list[tuple[int, int]]] = {"graph": [], "function": []}
    trees = []
    for kind, start, stop in _messages(data):
        if kind == "tensor":
            odd = _odd_tensor(data, start, stop, outside)
            if odd is not None:
                return odd
        elif kind == "sparse" and math.prod(_lengths(data, start, stop, _SPARSE_DIMS)) > _MOST:
            return f"a sparse constant of more than {_MOST} numbers"
        elif kind in graphs:
            graphs[kind].append((start, stop))
        elif kind == "node":
            trees.append((start, stop))
    graph = parse_nodes(data, graphs["graph"], graphs["function"])
    found = (_odd_node(graph, node) for node in dict.fromkeys(graph.nodes.values()))
    known = _inputs(data, graphs["graph"])
    # by their places, for operators may share the names of what they make
    walked = (
        odd_trees(data, *at, _columns(graph, known, next(iter(parse_node(data, *at).inputs), "")))
        for at in trees
    )
    return next((one for one in (*found, *walked) if one is not None), None)
