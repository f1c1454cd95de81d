"""Draws layers of an ONNX file anew, in the bytes of the file: onnxruntime opens what comes out.

A layer is an operator that multiplies by constants (Gemm, MatMul, Conv, ...), with the constants
that are added behind it, or a linear model of ai.onnx.ml. The field numbers are those of
onnx.proto, as in ``files``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from xplain_cli.models.onnx.files import fields
from xplain_cli.models.pickles.unpickler import Content
from xplain_cli.models.redrawing import Redraw, redrawn_shifts, redrawn_weights

_GRAPH, _NODE, _TENSOR = 7, 1, 5
_INPUT, _OUTPUT, _NAME, _OP, _ATTRIBUTE = 1, 2, 3, 4, 5
_DIMS, _TYPE, _TENSOR_NAME = 1, 2, 8
_KEPT_IN = {4: "<f4", 9: "", 10: "<f8"}
_TYPES = {1: "<f4", 10: "<f2", 11: "<f8"}
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_LINEAR = frozenset({"LinearClassifier", "LinearRegressor"})
_COEFFICIENTS, _FLOATS = frozenset({"coefficients", "intercepts"}), 7


@dataclass(frozen=True)
class _Numbers:
    """Where floats lie in the file: in one place, or each by itself; weights, or what is added."""

    dtype: str
    spans: tuple[tuple[int, int], ...]
    weights: bool

    def read(self, data: Content) -> np.ndarray:
        """Return them."""
        return np.frombuffer(b"".join(bytes(data[a:b]) for a, b in self.spans), self.dtype)

    def write(self, data: bytearray, values: np.ndarray) -> None:
        """Put others in their place."""
        made, at = np.ascontiguousarray(values, dtype=self.dtype).tobytes(), 0
        for start, stop in self.spans:
            data[start:stop] = made[at : at + stop - start]
            at += stop - start


@dataclass(frozen=True)
class _Step:
    """An operator: its name, what it reads and makes, and its attributes."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[tuple[int, int], ...]


def _text(data: Content, start: int, stop: int) -> str:
    return bytes(data[start:stop]).decode("utf-8", "replace")


def _graph(data: Content) -> tuple[list[_Step], dict[str, _Numbers]]:
    """Return the operators of the main graph, in order, and its float constants."""
    steps: list[_Step] = []
    held: dict[str, _Numbers] = {}
    for field, wire, start, stop in fields(data, 0, len(data)):
        if field != _GRAPH or wire != 2:
            continue
        for inner, _, begin, end in fields(data, start, stop):
            if inner == _NODE:
                steps.append(_step(data, begin, end))
            elif inner == _TENSOR:
                held |= dict(_constant(data, begin, end))
    return steps, held


def _step(data: Content, start: int, stop: int) -> _Step:
    found: dict[int, list[tuple[int, int]]] = {}
    for field, wire, begin, end in fields(data, start, stop):
        if wire == 2:
            found.setdefault(field, []).append((begin, end))

    def texts(field: int) -> tuple[str, ...]:
        return tuple(_text(data, *span) for span in found.get(field, ()))

    name, op = ("".join(texts(field)[:1]) for field in (_NAME, _OP))
    return _Step(name, op, texts(_INPUT), texts(_OUTPUT), tuple(found.get(_ATTRIBUTE, ())))


def _constant(data: Content, start: int, stop: int) -> Iterator[tuple[str, _Numbers]]:
    """Yield a tensor whose floats lie in one place of the file."""
    name, kind, axes, spans = "", "", list[int](), list[tuple[str, int, int]]()
    for field, wire, begin, end in fields(data, start, stop):
        if field == _DIMS:
            packed = fields_of_varints(data, begin, end) if wire == 2 else [begin]
            axes += packed
        elif field == _TYPE:
            kind = _TYPES.get(begin, "")
        elif field == _TENSOR_NAME:
            name = _text(data, begin, end)
        elif field in _KEPT_IN and wire == 2 and end > begin:
            spans.append((_KEPT_IN[field], begin, end))
    if kind and len(spans) == 1:
        form, begin, end = spans[0]
        wide = sum(length > 1 for length in axes) > 1 or len(axes) > 2
        yield name, _Numbers(form or kind, ((begin, end),), weights=wide)


def fields_of_varints(data: Content, start: int, stop: int) -> list[int]:
    """Return whole numbers that are packed one after the other."""
    found, value, shift = [], 0, 0
    for byte in bytes(data[start:stop]):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value)
            value = shift = 0
    return found


def _of_linear(data: Content, step: _Step) -> list[_Numbers]:
    """Return the coefficients of a linear model, and what is added to them."""
    found = []
    for start, stop in step.attributes:
        name, spans = "", list[tuple[int, int]]()
        for field, wire, begin, end in fields(data, start, stop):
            if field == 1 and wire == 2:
                name = _text(data, begin, end)
            elif field == _FLOATS and wire in {2, 5}:
                spans.append((begin, end))
        if name in _COEFFICIENTS and spans:
            found.append(_Numbers("<f4", tuple(spans), weights=name == "coefficients"))
    return found


def _layers(data: Content) -> dict[str, list[_Numbers]]:
    """Return the numbers of each layer, the topmost first."""
    steps, held = _graph(data)
    found: dict[str, list[_Numbers]] = {}
    behind: dict[str, str] = {}
    for step in steps:
        own = [held[name] for name in step.inputs if name in held]
        name = step.name or "".join(step.outputs[:1])
        if step.op in _PRODUCTS and any(one.weights for one in own):
            found[name] = own
        elif step.op in _LINEAR:
            found[name] = _of_linear(data, step)
        elif step.op == "Add" and own and any(one in behind for one in step.inputs):
            found[next(behind[one] for one in step.inputs if one in behind)] += own
            continue
        else:
            continue
        behind |= dict.fromkeys(step.outputs, name)
    return dict(reversed(found.items()))


def file_layers(data: Content) -> tuple[str, ...]:
    """Return the names of a file's layers from the top down; empty: it has none of its own."""
    return tuple(_layers(data))


def redraw_file(data: Content, redraw: Redraw) -> bytes:
    """Return a file with so many layers drawn anew, from the top."""
    made, layers = bytearray(data), list(_layers(data).values())
    for layer, numbers in enumerate(layers[: redraw.layers]):
        source = redraw.source(layer)
        for one in numbers:
            drawn = redrawn_weights if one.weights else redrawn_shifts
            one.write(made, drawn(source, one.read(data)))
    return bytes(made)


NO_LAYERS: Mapping[str, str] = {
    "redrawable": "needs layers of weights to draw anew, and this file has none (or in other files)"
}
"""Why a file has none, as capabilities say it."""
