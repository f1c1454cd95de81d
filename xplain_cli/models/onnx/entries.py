"""How rows enter a translated graph: numbers as they are, categories as a number for each."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Signature, UnableError
from xplain_cli.models.operators.bounds import MOST_NUMBERS
from xplain_cli.models.operators.tracing import Encoding, Tracer, Value

_PROBE_ROWS = 6


@dataclass(frozen=True)
class OnnxAsked:
    """
    What is known of an ONNX model when its gradient is opened.

    Attributes
    ----------
    path
        The file, which the door has judged.
    content
        What stands in its place where layers were drawn anew; None: the file as it is.
    kinds
        By input, its numpy type; a text's is ``object``.
    shapes
        By input, its lengths; None: any.
    outputs
        The outputs that are explained, side by side.
    rows
        The one number of rows that it takes; None: any.
    layout
        How it takes pictures.
    signature
        What the probe chose.
    feed
        Returns a batch as onnxruntime is given it, by input.
    answer
        Returns the explained outputs (rows, own) on what onnxruntime is given.
    """

    path: str
    kinds: Mapping[str, str]
    shapes: Mapping[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    rows: int | None
    layout: str
    signature: Signature
    feed: Callable[[Any], dict[str, Any]]
    answer: Callable[[dict[str, Any]], FloatArray]
    content: bytes | None = None

    @property
    def is_matrix(self) -> bool:
        """Whether one input holds all numbers of a row."""
        return len(self.shapes) == 1 and len(next(iter(self.shapes.values()))) > 1

    @property
    def lengths(self) -> tuple[int, ...]:
        """
        The lengths of a row as it comes: of a picture, or the columns of a table.

        Raises
        ------
        UnableError
            The file does not say.
        """
        if not self.is_matrix:
            return (len(self.shapes),)
        (shape,) = self.shapes.values()
        if any(length is None for length in shape[1:]):
            raise UnableError("needs a model whose file says how long its input is")
        if not 0 < math.prod(abs(int(length or 0)) for length in shape[1:]) <= MOST_NUMBERS:
            raise UnableError(f"follows rows of 1 to {MOST_NUMBERS} numbers")
        return tuple(int(length or 1) for length in shape[1:])

    def shape_of(self, name: str, rows: int) -> tuple[int, ...]:
        """Return the lengths of an input with so many rows."""
        if self.is_matrix:
            return (rows, *self.lengths)
        return (rows, 1)[: len(self.shapes[name]) or 1]


@dataclass(frozen=True)
class Entry:
    """
    What columns of a table become.

    Attributes
    ----------
    encodings
        Those that enter as categories as well.
    fills
        By column, what stands for a missing number.
    width
        How many numbers a row is in all.
    """

    encodings: tuple[Encoding, ...] = ()
    fills: Mapping[int, float] = field(default_factory=dict)
    width: int = 0


def _drawn(shape: tuple[int, ...], kind: str, seed: int) -> Any:
    """Return numbers of a type in a shape, the same at every call."""
    if kind == "object":
        return np.zeros(shape)
    drawn = np.random.default_rng(seed).normal(size=shape)
    return np.round(2 * np.abs(drawn)) if _is_whole(kind) else drawn


def _is_whole(kind: str) -> bool:
    return np.dtype(kind).kind in "iub"


def enter_values(asked: OnnxAsked, tracer: Tracer) -> dict[str, Value]:
    """Return the inputs of a program as values of a graph under construction."""
    lengths, torch = asked.lengths, tracer.torch
    tracer.width, found = lengths[0], {}
    for at, (name, kind) in enumerate(asked.kinds.items()):
        shapes = [asked.shape_of(name, rows) for rows in tracer.rows]
        seen = [torch.from_numpy(np.array(_drawn(one, kind, at + one[0]), float)) for one in shapes]
        if len(lengths) > 1:
            found[name] = Value(tuple(seen), moves=True, node=tracer.source, whole=_is_whole(kind))
            continue
        width = lengths[0] if asked.is_matrix else 1
        node = tracer.slice_source(at, at + width)
        cells = [torch.arange(at, at + width).repeat(one[0], 1) for one in shapes]
        if len(shapes[0]) == 1:
            node = tracer.graph.call_function(torch.ops.aten.select.int, (node, 1, 0))
            cells = [one[:, 0] for one in cells]
        found[name] = Value(
            tuple(seen),
            moves=True,
            node=node,
            cells=tuple(cells),
            texts=kind == "object",
            whole=_is_whole(kind),
        )
    return found


def points_of(asked: OnnxAsked, fed: Mapping[str, Any], entry: Entry) -> FloatArray:
    """Return what onnxruntime is given as points of the graph."""
    lengths = asked.lengths
    if len(lengths) > 1:
        (whole,) = fed.values()
        return np.asarray(whole, dtype=np.float64)
    held = [one for part in fed.values() for one in part.reshape(len(part), -1).T]
    points = np.zeros((len(held[0]), entry.width))
    for at, one in enumerate(held):
        if one.dtype != object:
            points[:, at] = one
    for at, filled in entry.fills.items():
        points[np.isnan(points[:, at]), at] = filled
    for code in entry.encodings:
        _encode(points, held[code.column], code)
    return points


def _encode(points: FloatArray, column: Any, code: Encoding) -> None:
    """Put 1 at the category of each row."""
    cells = column if column.dtype == object else np.trunc(column.astype(np.float64))
    known = np.zeros(len(column), dtype=bool)
    for at, category in enumerate(code.categories):
        hits = np.array([one == category for one in cells.tolist()], dtype=bool)
        points[hits, code.start + at] = 1.0
        known |= hits
    if code.strict and not known.all():
        raise ValueError(f"a category that the model does not know: {cells[~known][0]!r}")


def left_by(columns: int, entry: Entry) -> Callable[[FloatArray], FloatArray]:
    """Return what adds up over the numbers that each column became."""

    def leave(parts: FloatArray) -> FloatArray:
        found = np.array(parts[:, :columns])
        for code in entry.encodings:
            stop = code.start + len(code.categories)
            found[:, code.column] += parts[:, code.start : stop].sum(axis=1)
        return found

    return leave


def probe_of(asked: OnnxAsked, entry: Entry) -> dict[str, Any]:
    """Return what onnxruntime is given to compare: drawn numbers, and categories in turn."""
    fixed = asked.rows or 1
    rows = fixed * max(2, _PROBE_ROWS // fixed)
    categories = {one.column: one.categories for one in entry.encodings}
    fed: dict[str, Any] = {}
    for at, (name, kind) in enumerate(asked.kinds.items()):
        drawn = _drawn(asked.shape_of(name, rows), kind, at)
        if len(asked.lengths) == 1:
            drawn = drawn.astype(object if kind == "object" else np.float64)
            flat = drawn.reshape(rows, -1)
            for column in range(flat.shape[1]):
                known = categories.get(at + column, ("",) if kind == "object" else ())
                if known:
                    flat[:, column] = [known[i % len(known)] for i in range(rows)]
                if at + column in entry.fills:
                    flat[0, column] = np.nan
        fed[name] = drawn.astype(kind)
    return fed
