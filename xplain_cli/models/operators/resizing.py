"""Pictures of another size: each axis is a matrix, whatever way between pixels the file names."""

import math
from collections.abc import Callable

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.operators.bounds import UntranslatableError, check_size
from xplain_cli.models.operators.tracing import OperatorUse, Tracer, Value

_ROUNDED: dict[str, Callable[[FloatArray], FloatArray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
_COORDINATES: dict[str, Callable[[FloatArray, float, int, int], FloatArray]] = {
    "half_pixel": lambda x, scale, _, __: (x + 0.5) / scale - 0.5,
    "half_pixel_symmetric": lambda x, scale, length, made: (
        length / 2 * (1 - made / (length * scale)) + (x + 0.5) / scale - 0.5
    ),
    "pytorch_half_pixel": lambda x, scale, _, made: (
        (x + 0.5) / scale - 0.5 if made > 1 else np.zeros_like(x)
    ),
    "align_corners": lambda x, _, length, made: (
        x * x.dtype.type((length - 1) / (made - 1)) if made > 1 else np.zeros_like(x)
    ),
    "asymmetric": lambda x, scale, _, __: x / scale,
    "tf_half_pixel_for_nn": lambda x, scale, _, __: (x + 0.5) / scale,
}
"""Where a pixel of the new picture lies in the old one: of its number, the scale, the lengths."""


def _nearest(at: FloatArray, length: int, how: str) -> IntArray:
    if how not in _ROUNDED:
        raise UntranslatableError(f"Resize with nearest_mode {how[:30]}")
    return np.clip(_ROUNDED[how](at), 0, length - 1).astype(np.int64)


def _linear(at: FloatArray, length: int) -> FloatArray:
    """Return the matrix (made, length) of linear interpolation."""
    at = np.clip(at, 0, length - 1)
    low = np.floor(at).astype(np.int64)
    high, share, rows = np.minimum(low + 1, length - 1), at - low, np.arange(len(at))
    found = np.zeros((len(at), length))
    np.add.at(found, (rows, low), 1 - share)
    np.add.at(found, (rows, high), share)
    return found


def _cubic(at: FloatArray, length: int, step: OperatorUse) -> FloatArray:
    """Return the matrix (made, length): Keys 1981, doi:10.1109/TASSP.1981.1163711."""
    a = float(step.get("cubic_coeff_a", -0.75))
    low, found = np.floor(at).astype(np.int64), np.zeros((len(at), length))
    for k in range(-1, 3):
        d = np.abs(at - (low + k))
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        weight = np.where(d <= 1, near, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a)
        inside = (low + k >= 0) & (low + k < length)
        if step.get("exclude_outside"):
            weight = np.where(inside, weight, 0.0)
        np.add.at(found, (np.arange(len(at)), np.clip(low + k, 0, length - 1)), weight)
    return found / found.sum(axis=1, keepdims=True) if step.get("exclude_outside") else found


def _along(trace: Tracer, x: Value, axis: int, matrix: FloatArray) -> Value:
    """Return a value whose axis is multiplied by a matrix (made, length)."""
    held = trace.constant(np.ascontiguousarray(matrix.T))
    if axis == x.rank - 1:
        return trace.one("matmul", x, held)
    order = [i for i in range(x.rank) if i != axis] + [axis]
    back = [order.index(i) for i in range(x.rank)]
    moved = trace.one("matmul", trace.one("permute", x, order), held)
    return trace.one("permute", moved, back)


def _resized(
    trace: Tracer, step: OperatorUse, x: Value, axis: int, made: int, scale: float
) -> Value:
    """Return a value with an axis of another length."""
    (length,) = trace.sizes(x, [axis])
    how = step.get("coordinate_transformation_mode", "half_pixel")
    how = how if step.version >= 11 else "asymmetric"
    mode = step.get("mode", "nearest")
    check_size(made, 1 if mode == "nearest" else length)
    if how not in _COORDINATES or mode not in {"nearest", "linear", "cubic"}:
        raise UntranslatableError(f"Resize as {mode[:20]}, {how[:30]}")
    # to the nearest pixel goes what lies in the middle, as onnxruntime rounds in single precision
    kind = np.float32 if mode == "nearest" else np.float64
    at = _COORDINATES[how](np.arange(made, dtype=kind), float(kind(scale)), length, made)
    if mode == "nearest":
        way = step.get("nearest_mode", "round_prefer_floor") if step.version >= 11 else "floor"
        places = _nearest(np.asarray(at), length, way)
        return trace.one("index_select", x, axis, trace.constant(places))
    matrix = _linear(at, length) if mode == "linear" else _cubic(at, length, step)
    return _along(trace, x, axis, matrix)


def _by(
    trace: Tracer,
    step: OperatorUse,
    x: Value,
    axes: list[int],
    scales: list[float],
    made: list[int],
) -> Value:
    if step.get("antialias") or step.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UntranslatableError("Resize with antialias, or that keeps the aspect ratio")
    for axis, scale, length in zip(axes, scales, made, strict=True):
        if scale == 1.0 and trace.shape(x)[axis] == length:
            continue
        x = _resized(trace, step, x, axis, length, scale)
    return x


def resize(trace: Tracer, step: OperatorUse, x: Value, *given: Value | None) -> Value:
    """Return a value with axes of other lengths, by scales or by these lengths."""
    if step.version < 11:
        return upsample(trace, step, x, *given)
    _, scales, sizes = (*given, None, None, None)[:3]
    chosen = step.get("axes")
    axes = list(range(x.rank)) if chosen is None else [int(one) % x.rank for one in chosen]
    if sizes is not None and sizes.seen[0].numel():
        asked, own = trace.lengths(sizes), trace.shape(x)
        pairs = [(axis, one) for axis, one in zip(axes, asked, strict=True) if own[axis] != one]
        moved = [axis for axis, _ in pairs]
        made = [one for _, one in pairs if isinstance(one, int)]
        if len(made) != len(moved):
            raise UntranslatableError("a Resize of the rows")
        old = trace.sizes(x, moved)
        return _by(trace, step, x, moved, [b / a for a, b in zip(old, made, strict=True)], made)
    if scales is None:
        raise UntranslatableError("Resize without scales")
    return _scaled(trace, step, x, axes, scales)


def _scaled(trace: Tracer, step: OperatorUse, x: Value, axes: list[int], scales: Value) -> Value:
    found = [float(one) for one in trace.array(scales).astype(np.float32).reshape(-1).tolist()]
    moved = [(axis, one) for axis, one in zip(axes, found, strict=True) if one != 1.0]
    sides = [axis for axis, _ in moved]
    lengths = trace.sizes(x, sides)
    made = [math.floor(a * b) for a, (_, b) in zip(lengths, moved, strict=True)]
    return _by(trace, step, x, sides, [one for _, one in moved], made)


def upsample(trace: Tracer, step: OperatorUse, x: Value, scales: Value | None = None) -> Value:
    """Return a value with axes of other lengths, as it was before opset 11."""
    held = trace.constant(np.array(step.get("scales", ()))) if scales is None else scales
    old = OperatorUse(step.op, 10, step.attributes, step.outputs)
    return _scaled(trace, old, x, list(range(x.rank)), held)
