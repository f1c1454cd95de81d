"""Reads the operators of an ONNX graph and its constants from the bytes of the file.

The field numbers are those of onnx.proto, as in ``files``.
"""

import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from xplain_cli.models.onnx.files import fields
from xplain_cli.models.pickles.unpickler import Content

Value: TypeAlias = int | float | str

_GRAPH, _NODE, _INITIALIZER, _FUNCTION_NODE = 7, 1, 5, 7
_NODE_TEXTS, _ATTRIBUTE = {1: "inputs", 2: "outputs", 4: "op"}, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_TENSOR, _ATTRIBUTE_WHOLE, _ATTRIBUTE_TEXT = 1, 5, 8, 9
_TENSOR_TYPE, _TENSOR_FLOAT, _TENSOR_TEXT, _TENSOR_NAME, _TENSOR_RAW = 2, 4, 6, 8, 9
_TENSOR_DOUBLE, _TENSOR_WHOLE = 10, (5, 7)
_TYPES = {1: "<f4", 2: "u1", 3: "i1", 5: "<i2", 6: "<i4", 7: "<i8", 11: "<f8"}
_STRING = 8
_LONGEST = 100_000  # bytes: names of classes, no weights


@dataclass(frozen=True)
class Node:
    """One operator; ``at`` is where its bytes start and end."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    at: tuple[int, int]


@dataclass(frozen=True)
class Graph:
    """
    The operators of a model file, by what they make.

    Attributes
    ----------
    data
        The file.
    nodes
        Name of a value -> the operator that makes it.
    constants
        Name of a constant -> where its bytes start and end.
    """

    data: Content = b""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    constants: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def _text(data: Content, start: int, stop: int) -> str:
    return bytes(data[start:stop]).decode("utf-8", "replace")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _whole(data: Content, wire: int, start: int, stop: int) -> list[int]:
    """Return the numbers of a repeated field: one, or many that are packed."""
    if wire == 0:
        return [_signed(start)]
    found, value, shift = [], 0, 0
    for byte in data[start:stop]:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(_signed(value))
            value = shift = 0
    return found


def parse_node(data: Content, start: int, stop: int) -> Node:
    """Return the operator whose bytes start and end somewhere."""
    texts: dict[str, list[str]] = {"inputs": [], "outputs": [], "op": []}
    for number, wire, a, b in fields(data, start, stop):
        if wire == 2 and number in _NODE_TEXTS:
            texts[_NODE_TEXTS[number]].append(_text(data, a, b))
    return Node(
        "".join(texts["op"]), tuple(texts["inputs"]), tuple(texts["outputs"]), (start, stop)
    )


def parse_nodes(
    data: Content, graphs: Sequence[tuple[int, int]], functions: Sequence[tuple[int, int]] = ()
) -> Graph:
    """
    Return the operators of the graphs, and functions, that start and end at some places.

    Raises
    ------
    IndexError
        The bytes are no ONNX model.
    """
    nodes: dict[str, Node] = {}
    constants: dict[str, tuple[int, int]] = {}
    for number, _, a, b in (part for graph in graphs for part in fields(data, *graph)):
        if number == _NODE:
            node = parse_node(data, a, b)
            nodes |= dict.fromkeys(node.outputs, node)
        elif number == _INITIALIZER:
            names = [_text(data, c, d) for n, _, c, d in fields(data, a, b) if n == _TENSOR_NAME]
            constants |= dict.fromkeys(names, (a, b))
    for number, _, a, b in (part for one in functions for part in fields(data, *one)):
        if number == _FUNCTION_NODE:
            node = parse_node(data, a, b)
            nodes |= dict.fromkeys(node.outputs, node)
    return Graph(data, nodes, constants)


def parse_graph(data: Content) -> Graph:
    """
    Return the operators of a model.

    Raises
    ------
    IndexError
        The bytes are no ONNX model.
    """
    whole = fields(data, 0, len(data))
    return parse_nodes(
        data, [(a, b) for number, wire, a, b in whole if (number, wire) == (_GRAPH, 2)]
    )


def read_graph(path: str) -> Graph:
    """Return the operators of a model file; none where it cannot be read as one."""
    try:
        with Path(path).open("rb") as file:
            return parse_graph(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError, IndexError):  # onnxruntime judges the file; names are a courtesy
        return Graph()


def _tensor(data: Content, start: int, stop: int) -> tuple[Value, ...]:
    """Return the numbers or texts of a tensor; none where it has another type, or is too long."""
    if stop - start > _LONGEST:
        return ()
    parts: dict[int, list[tuple[int, int, int]]] = {}
    for number, wire, a, b in fields(data, start, stop):
        parts.setdefault(number, []).append((wire, a, b))
    kind = parts.get(_TENSOR_TYPE, [(0, 0, 0)])[0][1]
    if kind == _STRING:
        return tuple(_text(data, a, b) for _, a, b in parts.get(_TENSOR_TEXT, []))
    whole = [one for n in _TENSOR_WHOLE for part in parts.get(n, []) for one in _whole(data, *part)]
    if whole or kind not in _TYPES:
        return tuple(whole)
    raw = b"".join(
        bytes(data[a:b])
        for number in (_TENSOR_RAW, _TENSOR_FLOAT, _TENSOR_DOUBLE)
        for wire, a, b in parts.get(number, [])
        if wire
    )
    dtype = np.dtype(_TYPES[kind])
    return tuple(np.frombuffer(raw, dtype, len(raw) // dtype.itemsize).tolist())


def _attributes(graph: Graph, node: Node) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the name of each attribute of an operator, and where its bytes start and end."""
    for number, _, start, stop in fields(graph.data, *node.at):
        if number == _ATTRIBUTE:
            parts = fields(graph.data, start, stop)
            names = [_text(graph.data, a, b) for n, _, a, b in parts if n == _ATTRIBUTE_NAME]
            yield "".join(names), (start, stop)


def listed(graph: Graph, node: Node, wanted: Sequence[str]) -> tuple[Value, ...]:
    """Return the list that an operator has under the first of some names that it uses."""
    for name, (start, stop) in _attributes(graph, node):
        if name in wanted:
            found: list[Value] = []
            for number, wire, a, b in fields(graph.data, start, stop):
                if number == _ATTRIBUTE_WHOLE:
                    found += _whole(graph.data, wire, a, b)
                elif number == _ATTRIBUTE_TEXT:
                    found.append(_text(graph.data, a, b))
                elif number == _ATTRIBUTE_TENSOR:
                    found += _tensor(graph.data, a, b)
            if found:
                return tuple(found)
    return ()


def constant(graph: Graph, name: str) -> tuple[Value, ...]:
    """Return the values of a constant; none where the name is none."""
    if name in graph.constants:
        return _tensor(graph.data, *graph.constants[name])
    node = graph.nodes.get(name)
    if node is None or node.op != "Constant":
        return ()
    return listed(graph, node, ("value", "value_ints", "value_strings"))
