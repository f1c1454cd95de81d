"""Reads an ONNX graph whole from the bytes of its file: operators, attributes, weights, functions.

The field numbers are those of onnx.proto, as in ``files``. Nothing here is run, and a file comes
here after the door has judged it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.models.onnx.files import fields, opsets
from xplain_cli.models.pickles.unpickler import Content

Span: TypeAlias = tuple[int, int]
"""Where a message starts and ends in the file."""

_GRAPH, _FUNCTION, _STRING, _FLOAT16, _BFLOAT16 = 7, 25, 8, 10, 16
_KINDS = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2"}
_KINDS |= {11: "<f8", 12: "<u4", 13: "<u8", 16: "<u2"}
_FLOATS, _WHOLES, _DOUBLES = 4, (5, 7, 11), 10
_DIMS, _TYPE, _TEXTS, _RAW, _OUTSIDE, _LOCATION = 1, 2, 6, 9, 13, 14


class DamagedError(Exception):
    """A message that no exporter writes; what it says goes on from 'it'."""


@dataclass(frozen=True)
class Operator:
    """
    One operator as the graph uses it.

    Attributes
    ----------
    op, domain, name
        ``Relu``, '' for ONNX's own, and what the file calls this one.
    inputs, outputs
        Names of values; '' for one that is left out.
    at
        Where its bytes start and end.
    version
        Of its domain, which says what its attributes mean.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    at: Span
    version: int = 0


@dataclass(frozen=True)
class OperatorBlock:
    """
    Operators in order, with the constants that they use.

    Attributes
    ----------
    inputs, outputs
        Names of values.
    operators
        In the order of the file, in which each stands behind what it needs.
    constants
        By name, where each lies.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    operators: tuple[Operator, ...] = ()
    constants: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True)
class OnnxProgram:
    """
    A model file as operators.

    Attributes
    ----------
    data, folder
        The file, and where its other files lie.
    graph
        What is run.
    functions
        Blocks that are used as operators, by domain and name.
    versions
        Of each domain of operators; '' is ONNX's own.
    """

    data: Content
    folder: Path
    graph: OperatorBlock
    functions: Mapping[tuple[str, str], OperatorBlock]
    versions: Mapping[str, int]


def _text(data: Content, span: Span) -> str:
    return bytes(data[span[0] : span[1]]).decode("utf-8", "replace")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _wholes(data: Content, wire: int, start: int, stop: int) -> list[int]:
    """Return the numbers of a repeated field: one, or many that are packed."""
    if wire == 0:
        return [_signed(start)]
    found, value, shift = [], 0, 0
    for byte in bytes(data[start:stop]):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(_signed(value))
            value = shift = 0
    return found


Parts: TypeAlias = dict[int, list[tuple[int, int, int]]]


def _parts(data: Content, span: Span) -> Parts:
    """Return the (wire type, start, end) of each field of a message."""
    found: Parts = {}
    for number, wire, start, stop in fields(data, *span):
        found.setdefault(number, []).append((wire, start, stop))
    return found


def _spans(parts: Parts, number: int) -> list[Span]:
    return [(start, stop) for wire, start, stop in parts.get(number, ()) if wire == 2]


def _number(parts: Parts, number: int) -> int:
    found = [start for wire, start, _ in parts.get(number, ()) if wire == 0]
    return _signed(found[-1]) if found else 0


def _outside(data: Content, folder: Path, entries: Sequence[Span]) -> bytes:
    """Return the bytes of a tensor that lies in another file, which the door has judged."""
    said = {}
    for span in entries:
        parts = _parts(data, span)
        key, value = ("".join(_text(data, one) for one in _spans(parts, n)) for n in (1, 2))
        said[key] = value
    path = (folder / said.get("location", "")).resolve()
    if folder.resolve() not in path.parents:
        raise DamagedError("reads weights outside its folder")
    with path.open("rb") as file:
        file.seek(int(said.get("offset", "0")))
        return file.read(int(said["length"])) if "length" in said else file.read()


def _packed(data: Content, parts: Parts, number: int) -> bytes:
    """Return the bytes of a repeated field of numbers of one size, packed or one by one."""
    return b"".join(
        bytes(data[start:stop]) for wire, start, stop in parts.get(number, ()) if wire in {1, 2, 5}
    )


def _values(data: Content, folder: Path, parts: Parts, kind: int) -> NDArray[Any]:
    """Return the numbers of a tensor, in a row."""
    dtype = np.dtype(_KINDS[kind])
    raw = _packed(data, parts, _RAW)
    if _number(parts, _LOCATION) == 1:
        raw = _outside(data, folder, _spans(parts, _OUTSIDE))
    if raw:
        return np.frombuffer(raw, dtype, len(raw) // dtype.itemsize)
    for number, wide in ((_FLOATS, "<f4"), (_DOUBLES, "<f8")):
        if number in parts:
            return np.frombuffer(_packed(data, parts, number), wide)
    found = [one for n in _WHOLES for part in parts.get(n, ()) for one in _wholes(data, *part)]
    if kind == _FLOAT16:  # as whole numbers of the same bits
        return np.array(found, dtype=np.uint16).view("<f2")
    return np.array(found, dtype=np.int64).astype(dtype)


def read_tensor(data: Content, folder: Path, span: Span) -> NDArray[Any]:
    """
    Return a tensor, texts as objects.

    Raises
    ------
    DamagedError
        It holds other numbers than it states, or numbers of a kind that has no meaning here.
    """
    parts = _parts(data, span)
    dims = [one for part in parts.get(_DIMS, ()) for one in _wholes(data, *part)]
    kind = _number(parts, _TYPE)
    if kind == _STRING:
        values = np.array([_text(data, one) for one in _spans(parts, _TEXTS)], dtype=object)
    elif kind in _KINDS:
        values = _values(data, folder, parts, kind)
    else:
        raise DamagedError(f"holds a constant of kind {kind}")
    if any(one < 0 for one in dims) or math.prod(dims) != len(values):
        raise DamagedError(
            f"states {math.prod(dims)} numbers of a constant and holds {len(values)}"
        )
    if kind == _BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.reshape(dims)


def _floats(data: Content, parts: Parts, number: int) -> list[float]:
    found: list[float] = np.frombuffer(_packed(data, parts, number), "<f4").astype(float).tolist()
    return found


_READERS: dict[int, Callable[[Content, Path, Parts], Any]] = {
    1: lambda data, _, parts: (_floats(data, parts, 2) or [0.0])[-1],
    2: lambda _, __, parts: _number(parts, 3),
    3: lambda data, _, parts: "".join(_text(data, one) for one in _spans(parts, 4)[-1:]),
    4: lambda data, folder, parts: read_tensor(data, folder, _spans(parts, 5)[-1]),
    5: lambda _, __, parts: _spans(parts, 6)[-1],
    6: lambda data, _, parts: _floats(data, parts, 7),
    7: lambda data, _, parts: [n for part in parts.get(8, ()) for n in _wholes(data, *part)],
    8: lambda data, _, parts: [_text(data, one) for one in _spans(parts, 9)],
}
"""How the value of an attribute is read, by its type."""


def read_attributes(program: OnnxProgram, operator: Operator) -> dict[str, Any]:
    """
    Return the attributes of an operator; a graph as where it lies, ``@name`` for a reference.

    Raises
    ------
    DamagedError
        One has a type that no operator here has.
    """
    data, found = program.data, {}
    for span in _spans(_parts(data, operator.at), 5):
        parts = _parts(data, span)
        name = "".join(_text(data, one) for one in _spans(parts, 1))
        referred = "".join(_text(data, one) for one in _spans(parts, 21))
        kind = _number(parts, 20) or next((k for k, n in _GUESSED.items() if n in parts), 0)
        if referred:
            found[name] = f"@{referred}"
        elif kind in _READERS:
            found[name] = _READERS[kind](data, program.folder, parts)
        else:
            raise DamagedError(f"has an attribute {name[:40]!r} of kind {kind}")
    return found


_GUESSED = {1: 2, 2: 3, 3: 4, 4: 5, 6: 7, 7: 8, 8: 9}
"""The field that a type of attribute is in: old files leave the type out."""


def _operator(data: Content, span: Span, versions: Mapping[str, int]) -> Operator:
    parts = _parts(data, span)

    def one(number: int) -> str:
        return "".join(_text(data, found) for found in _spans(parts, number)[-1:])

    inputs, outputs = (
        tuple(_text(data, found) for found in _spans(parts, number)) for number in (1, 2)
    )
    domain = one(7)
    domain = "" if domain == "ai.onnx" else domain
    return Operator(one(4), domain, one(3), inputs, outputs, span, versions.get(domain, 0))


def _named(data: Content, spans: Sequence[Span], number: int) -> tuple[str, ...]:
    """Return the names in messages that have one in a field."""
    return tuple(
        "".join(_text(data, one) for one in _spans(_parts(data, span), number)) for span in spans
    )


def read_block(data: Content, span: Span, versions: Mapping[str, int]) -> OperatorBlock:
    """Return a graph that starts and ends at some places."""
    parts = _parts(data, span)
    constants = _spans(parts, 5)
    return OperatorBlock(
        _named(data, _spans(parts, 11), 1),
        _named(data, _spans(parts, 12), 1),
        tuple(_operator(data, one, versions) for one in _spans(parts, 1)),
        dict(zip(_named(data, constants, 8), constants, strict=True)),
    )


def _function(
    data: Content, span: Span, versions: Mapping[str, int]
) -> tuple[str, str, OperatorBlock]:
    parts = _parts(data, span)
    name, domain = ("".join(_text(data, one) for one in _spans(parts, n)) for n in (1, 10))
    own = dict(versions)
    for one in _spans(parts, 9):
        entry = _parts(data, one)
        own["".join(_text(data, part) for part in _spans(entry, 1))] = _number(entry, 2)
    inputs, outputs = (tuple(_text(data, one) for one in _spans(parts, n)) for n in (4, 5))
    nodes = tuple(_operator(data, one, own) for one in _spans(parts, 7))
    return domain, name, OperatorBlock(inputs, outputs, nodes)


def read_program(data: Content, folder: Path) -> OnnxProgram:
    """
    Return the operators of a model.

    Raises
    ------
    IndexError
        The bytes are no ONNX model.
    """
    versions = opsets(data)
    versions = {"" if name == "ai.onnx" else name: one for name, one in versions.items()}
    parts = _parts(data, (0, len(data)))
    functions = {}
    for span in _spans(parts, _FUNCTION):
        domain, name, block = _function(data, span, versions)
        functions[domain, name] = block
    graph = read_block(data, _spans(parts, _GRAPH)[-1], versions)
    return OnnxProgram(data, folder, graph, functions, versions)
