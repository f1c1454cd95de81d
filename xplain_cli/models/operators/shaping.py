"""Operators that arrange numbers: shapes, slices, picks, pads, and constants of a shape."""

from collections.abc import Sequence

import numpy as np

from xplain_cli.models.operators.bounds import UntranslatableError, check_size
from xplain_cli.models.operators.tracing import (
    Handler,
    Length,
    OperatorUse,
    RowsLength,
    Tracer,
    Value,
)


def _listed(
    trace: Tracer, step: OperatorUse, name: str, given: Value | None
) -> list[Length] | None:
    """Return whole numbers that older versions have as an attribute and newer ones as an input."""
    if given is not None:
        return trace.lengths(given)
    found = step.get(name)
    return None if found is None else [int(one) for one in found]


def _axes(
    trace: Tracer, step: OperatorUse, rank: int, given: Value | None, name: str = "axes"
) -> list[int] | None:
    found = step.get(name) if given is None else trace.wholes(given)
    return None if found is None else [int(one) % rank for one in found]


def _reshape(trace: Tracer, step: OperatorUse, x: Value, shape: Value | None = None) -> Value:
    asked = _listed(trace, step, "shape", shape) or []
    own, zeros = trace.shape(x), bool(step.get("allowzero"))
    dims = [own[i] if one == 0 and not zeros else one for i, one in enumerate(asked)]
    grows = bool(own) and isinstance(own[0], RowsLength)
    if trace.freed and grows and dims and isinstance(dims[0], int) and dims[0] > 0:
        each, rest = divmod(dims[0], trace.freed)
        dims[0] = dims[0] if rest else RowsLength(each, 0)
    return trace.reshape(x, dims)


def _flatten(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    axis, shape = int(step.get("axis", 1)), trace.shape(x)
    axis = axis % x.rank if axis < 0 else axis
    if axis == 1:
        return trace.reshape(x, [shape[0], _product(shape[1:])])
    return trace.reshape(x, [_product(shape[:axis]), _product(shape[axis:])])


def _product(shape: Sequence[Length]) -> Length:
    """Return the product of lengths, of which one may grow with the rows."""
    found: Length = 1
    for one in shape:
        if isinstance(one, int) and isinstance(found, int):
            found *= one
        elif isinstance(one, RowsLength) and isinstance(found, RowsLength):
            raise UntranslatableError("a length that grows with the square of the rows")
        else:
            rows, by = (one, found) if isinstance(one, RowsLength) else (found, one)
            if isinstance(rows, RowsLength) and isinstance(by, int):
                found = RowsLength(rows.each * by, rows.more * by) if by else 0
    return found


def _transpose(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    order = step.get("perm", list(range(x.rank))[::-1])
    return trace.one("permute", x, [int(one) for one in order])


def _squeeze(trace: Tracer, step: OperatorUse, x: Value, axes: Value | None = None) -> Value:
    chosen = _axes(trace, step, x.rank, axes)
    shape = trace.shape(x)
    if chosen is None:
        chosen = [i for i, one in enumerate(shape) if one == 1]
    if any(shape[i] != 1 for i in chosen):
        raise UntranslatableError("a Squeeze of an axis that is not 1 long")
    return trace.reshape(x, [one for i, one in enumerate(shape) if i not in chosen])


def _unsqueeze(trace: Tracer, step: OperatorUse, x: Value, axes: Value | None = None) -> Value:
    listed = step.get("axes") if axes is None else trace.wholes(axes)
    chosen = {int(one) % (x.rank + len(listed)) for one in listed}
    shape = iter(trace.shape(x))
    rank = x.rank + len(listed)
    return trace.reshape(x, [1 if i in chosen else next(shape) for i in range(rank)])


def _concat(trace: Tracer, step: OperatorUse, *inputs: Value) -> Value:
    axis = int(step.get("axis", 0))
    first = [trace.shape(one)[0] for one in inputs if one.rank]
    grown = next((one for one in first if isinstance(one, RowsLength)), None)
    if trace.freed != 1 or grown is None or axis % inputs[0].rank == 0:
        return trace.one("cat", list(inputs), axis)
    parts = [
        trace.one("expand", one, [grown, *trace.shape(one)[1:]]) if length == 1 else one
        for one, length in zip(inputs, first, strict=True)
    ]
    return trace.one("cat", parts, axis)


def _cut(trace: Tracer, x: Value, axis: int, start: Length, stop: Length) -> Value:
    return trace.one("slice.Tensor", x, axis, start, stop, 1)


def _split(trace: Tracer, step: OperatorUse, x: Value, sizes: Value | None = None) -> list[Value]:
    axis = int(step.get("axis", 0)) % x.rank
    asked = _listed(trace, step, "split", sizes)
    if asked is None:
        parts = int(step.get("num_outputs", step.outputs))
        check_size(parts)
        (length,) = trace.sizes(x, [axis])
        each = -(-length // parts)
        asked = [min(each, length - i * each) for i in range(parts)]
    found, at = [], 0
    for one in asked:
        if isinstance(one, RowsLength):
            raise UntranslatableError("a Split of the rows")
        found.append(_cut(trace, x, axis, at, at + one))
        at += one
    return found


def _slice(
    trace: Tracer,
    step: OperatorUse,
    x: Value,
    starts: Value | None = None,
    ends: Value | None = None,
    axes: Value | None = None,
    steps: Value | None = None,
) -> Value:
    first, last = _listed(trace, step, "starts", starts), _listed(trace, step, "ends", ends)
    if first is None or last is None:
        raise UntranslatableError("a Slice without ends")
    chosen = _axes(trace, step, x.rank, axes) or list(range(len(first)))
    strides = [1] * len(first) if steps is None else trace.wholes(steps)
    for axis, start, stop, stride in zip(chosen, first, last, strides, strict=True):
        if stride > 0:
            x = trace.one("slice.Tensor", x, axis, start, stop, stride)
            continue
        if isinstance(start, RowsLength) or isinstance(stop, RowsLength):
            raise UntranslatableError("a Slice that turns the rows round")
        (length,) = trace.sizes(x, [axis])
        places = list(range(length)[slice(start, stop, stride)])
        x = trace.one("index_select", x, axis, trace.constant(np.array(places, dtype=np.int64)))
    return x


def _positive(trace: Tracer, index: Value, length: Length) -> Value:
    """Return indices of which none counts from the end."""
    if index.fixed and isinstance(length, int):
        found = trace.array(index)
        return (
            index
            if (found >= 0).all()
            else trace.constant(np.where(found < 0, found + length, found))
        )
    if isinstance(length, RowsLength):
        return index
    below = trace.one("lt.Scalar", index, 0)
    return trace.one("where.self", below, trace.one("add.Scalar", index, length), index)


def _gather(trace: Tracer, step: OperatorUse, x: Value, index: Value) -> Value:
    axis = int(step.get("axis", 0)) % x.rank
    if index.fixed and index.rank == 0:
        return trace.one("select.int", x, axis, int(trace.number(index)))
    shape = trace.shape(x)
    places = _positive(trace, index, shape[axis])
    picked = trace.one("index_select", x, axis, trace.reshape(places, [-1]))
    if index.rank == 1:
        return picked
    return trace.reshape(picked, [*shape[:axis], *trace.shape(index), *shape[axis + 1 :]])


def _gather_elements(trace: Tracer, step: OperatorUse, x: Value, index: Value) -> Value:
    axis = int(step.get("axis", 0)) % x.rank
    return trace.one("gather", x, axis, _positive(trace, index, trace.shape(x)[axis]))


def _coordinates(trace: Tracer, index: Value) -> list[Value]:
    """Return the index of each axis, from those side by side in the last one."""
    (count,) = trace.sizes(index, [index.rank - 1])
    return [trace.one("select.int", index, index.rank - 1, i) for i in range(count)]


def _gather_nd(trace: Tracer, step: OperatorUse, x: Value, index: Value) -> Value:
    if step.get("batch_dims"):
        raise UntranslatableError("GatherND with batch_dims")
    return trace.one("index.Tensor", x, _coordinates(trace, index))


def _scatter_elements(
    trace: Tracer, step: OperatorUse, x: Value, index: Value, updates: Value
) -> Value:
    axis, how = int(step.get("axis", 0)) % x.rank, step.get("reduction", "none")
    names = {"none": "scatter.src", "add": "scatter_add"}
    if how not in names:
        raise UntranslatableError(f"ScatterElements with reduction {how[:20]}")
    places = _positive(trace, index, trace.shape(x)[axis])
    return trace.one(names[how], x, axis, places, updates)


def _scatter_nd(trace: Tracer, step: OperatorUse, x: Value, index: Value, updates: Value) -> Value:
    how = step.get("reduction", "none")
    if how not in {"none", "add"}:
        raise UntranslatableError(f"ScatterND with reduction {how[:20]}")
    return trace.one("index_put", x, _coordinates(trace, index), updates, how == "add")


def _expand(trace: Tracer, _: OperatorUse, x: Value, shape: Value) -> Value:
    asked, own = trace.lengths(shape), trace.shape(x)
    rank = max(len(asked), len(own))
    pairs = zip(_filled(asked, rank), _filled(own, rank), strict=True)
    return trace.one("expand", x, [mine if one == 1 else one for one, mine in pairs])


def _filled(lengths: list[Length], rank: int) -> list[Length]:
    return [*[1] * (rank - len(lengths)), *lengths]


def _tile(trace: Tracer, _: OperatorUse, x: Value, repeats: Value) -> Value:
    return trace.one("repeat", x, trace.lengths(repeats))


def pad_by(trace: Tracer, x: Value, pads: Sequence[int], mode: str, value: float) -> Value:
    """Return a value with numbers put around each axis: all befores, then all behinds."""
    n = x.rank
    flat = [int(side) for i in reversed(range(n)) for side in (pads[i], pads[n + i])]
    while flat and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    if not flat:
        return x
    if mode == "constant":
        return trace.one("constant_pad_nd", x, flat, value)
    names = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in names:
        raise UntranslatableError(f"Pad in the mode {mode[:20]}")
    sides = 2 * (n - 2)  # torch takes the last axes, all of them
    if len(flat) > sides:
        raise UntranslatableError(f"Pad in the mode {mode} of the first axes")
    return trace.one("pad", x, flat + [0] * (sides - len(flat)), names[mode])


def _pad(
    trace: Tracer,
    step: OperatorUse,
    x: Value,
    pads: Value | None = None,
    value: Value | None = None,
    axes: Value | None = None,
) -> Value:
    listed = step.get("pads") if pads is None else trace.wholes(pads)
    chosen = list(range(x.rank)) if axes is None else [one % x.rank for one in trace.wholes(axes)]
    whole = [0] * (2 * x.rank)
    for i, axis in enumerate(chosen):
        whole[axis], whole[x.rank + axis] = listed[i], listed[len(chosen) + i]
    filled = float(step.get("value", 0.0)) if value is None else trace.number(value)
    return pad_by(trace, x, whole, step.get("mode", "constant"), filled)


def _shape(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    seen = [trace.torch.tensor(list(one.shape), dtype=trace.torch.int64) for one in x.seen]
    own = slice(step.get("start", 0), step.get("end"))
    return _known(trace, [one[own] for one in seen])


def _known(trace: Tracer, seen: list[object]) -> Value:
    """Return a value that is known on each batch; a constant where it is alike on all."""
    if all(trace.torch.equal(one, seen[0]) for one in seen):
        return Value((seen[0],) * len(seen))
    return Value(tuple(seen))


def _size(trace: Tracer, _: OperatorUse, x: Value) -> Value:
    return _known(trace, [trace.torch.tensor(one.numel()) for one in x.seen])


def _constant(trace: Tracer, step: OperatorUse) -> Value:
    names = ("value", "value_float", "value_floats", "value_int", "value_ints")
    found = next((step.get(name) for name in names if step.get(name) is not None), None)
    if found is None:
        raise UntranslatableError("constants of text, or of few numbers among zeros")
    return trace.constant(np.array(found))


def _constant_of_shape(trace: Tracer, step: OperatorUse, shape: Value) -> Value:
    filled = step.get("value")
    filled = np.zeros(1, dtype=np.float32) if filled is None else filled
    one = trace.constant(np.asarray(filled).reshape(-1)[:1])
    dims = trace.lengths(shape)
    if not dims:
        return trace.reshape(one, [])
    return trace.one("expand", trace.reshape(one, [1] * len(dims)), dims)


def _range(trace: Tracer, _: OperatorUse, start: Value, stop: Value, step: Value) -> Value:
    ends = [[one.seen[at].item() for one in (start, stop, step)] for at in range(len(trace.rows))]
    if any(one.moves for one in (start, stop, step)):
        raise UntranslatableError("shapes that depend on the input")
    check_size(max(int(abs((b - a) / (c or 1))) for a, b, c in ends))
    return _known(trace, [trace.torch.arange(*one) for one in ends])


def _one_hot(trace: Tracer, step: OperatorUse, index: Value, depth: Value, values: Value) -> Value:
    count = int(trace.number(depth))
    check_size(count)
    axis = int(step.get("axis", -1)) % (index.rank + 1)
    whole = trace.one("_to_copy", index, named={"dtype": trace.torch.int64})
    places = _positive(trace, whole, count)
    shape = [count if i == axis else 1 for i in range(index.rank + 1)]
    wanted = trace.constant(np.arange(count).reshape(shape))
    hits = trace.one("eq.Tensor", trace.one("unsqueeze", places, axis), wanted)
    off, on = (trace.one("select.int", values, 0, i) for i in (0, 1))
    return trace.one("where.self", hits, on, off)


def _eye_like(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    rows, columns = trace.sizes(x, [0, 1])
    check_size(rows, columns)
    kind = np.int64 if step.get("dtype", 1) in {6, 7} else np.float64
    return trace.constant(np.eye(rows, columns, int(step.get("k", 0)), dtype=kind))


def _trilu(trace: Tracer, step: OperatorUse, x: Value, diagonal: Value | None = None) -> Value:
    k = 0 if diagonal is None else int(trace.number(diagonal))
    return trace.one("triu" if step.get("upper", 1) else "tril", x, k)


def _depth_to_space(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    b = int(step.get("blocksize", 1))
    rows, channels, height, width = trace.shape(x)
    depth, down, right = trace.sizes(x, [1, 2, 3])
    less = depth // (b * b)
    if step.get("mode", "DCR") == "DCR":
        split, order = [rows, b, b, less, height, width], [0, 3, 4, 1, 5, 2]
    else:
        split, order = [rows, less, b, b, height, width], [0, 1, 4, 2, 5, 3]
    del channels
    apart = trace.one("permute", trace.reshape(x, split), order)
    return trace.reshape(apart, [rows, less, down * b, right * b])


def _space_to_depth(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    b, rows = int(step.get("blocksize", 1)), trace.shape(x)[0]
    depth, down, right = trace.sizes(x, [1, 2, 3])
    apart = trace.reshape(x, [rows, depth, down // b, b, right // b, b])
    moved = trace.one("permute", apart, [0, 3, 5, 1, 2, 4])
    return trace.reshape(moved, [rows, depth * b * b, down // b, right // b])


def _non_zero(trace: Tracer, _: OperatorUse, x: Value) -> Value:
    if x.moves:
        raise UntranslatableError("shapes that depend on the input")
    return _known(trace, [one.nonzero().t() for one in x.seen])


SHAPING: dict[str, Handler] = {
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "EyeLike": _eye_like,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "NonZero": _non_zero,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
}
