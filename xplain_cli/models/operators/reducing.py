"""Operators that add up, or choose, along axes; and products of matrices."""

from typing import Any

from xplain_cli.models.operators.bounds import UntranslatableError
from xplain_cli.models.operators.elementwise import absolute
from xplain_cli.models.operators.tracing import Handler, OperatorUse, Tracer, Value


def greatest(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    """Return the greatest along some axes, of rows as a pooling: its kinks are found."""
    if not x.moves or 0 in axes or not x.is_float:
        return trace.one("amax", x, axes, keep)
    shape, kept = trace.shape(x), [i for i in range(x.rank) if i not in axes]
    try:
        count = 1
        for one in trace.sizes(x, axes):
            count *= one
        rest = 1
        for one in trace.sizes(x, kept[1:]):
            rest *= one
    except UntranslatableError:
        return trace.one("amax", x, axes, keep)
    order = [*kept, *axes]
    moved = x if order == sorted(order) else trace.one("permute", x, order)
    flat = trace.reshape(moved, [shape[0], 1, rest, count])
    best = trace.one("max_pool2d", flat, [1, count])
    left = [1 if i in axes else one for i, one in enumerate(shape)]
    return trace.reshape(best, left if keep else [shape[i] for i in kept])


def _axes(trace: Tracer, step: OperatorUse, x: Value, axes: Value | None) -> list[int] | None:
    """Return the axes to reduce, ascending; None: nothing is reduced."""
    listed = step.get("axes") if axes is None else trace.wholes(axes)
    if not listed:
        return None if step.get("noop_with_empty_axes") else list(range(x.rank))
    return sorted({int(one) % x.rank for one in listed})


def _total(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    return trace.one("sum.dim_IntList", x, axes, keep)


def _average(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    return trace.one("mean.dim", x, axes, keep)


def _least(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    if not x.moves:
        return trace.one("amin", x, axes, keep)
    return trace.one("neg", greatest(trace, trace.one("neg", x), axes, keep=keep))


def _product(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    for axis in reversed(axes):
        x = trace.one("prod.dim_int", x, axis, keep)
    return x


def _sum_of_sizes(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    return _total(trace, absolute(trace, x), axes, keep=keep)


def _length(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    return trace.one("linalg_vector_norm", x, 2, axes, keep)


def _sum_of_squares(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    return _total(trace, trace.one("pow.Tensor_Scalar", x, 2), axes, keep=keep)


def _log_sum(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    return trace.one("log", _total(trace, x, axes, keep=keep))


def _log_sum_exp(trace: Tracer, x: Value, axes: list[int], *, keep: bool) -> Value:
    return trace.one("logsumexp", x, axes, keep)


def _untouched(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    """Return what is left where nothing is reduced: what is done to each number."""
    alone = {"ReduceL1": "abs", "ReduceL2": "abs", "ReduceLogSum": "log"}
    if step.op == "ReduceSumSquare":
        return trace.one("pow.Tensor_Scalar", x, 2)
    return trace.one(alone[step.op], x) if step.op in alone else x


def _reduced(along: Any) -> Handler:
    def translate(trace: Tracer, step: OperatorUse, x: Value, axes: Value | None = None) -> Value:
        chosen = _axes(trace, step, x, axes)
        if chosen is None:
            return _untouched(trace, step, x)
        if not chosen:
            return x
        found: Value = along(trace, x, chosen, keep=bool(step.get("keepdims", 1)))
        return found

    return translate


def _place(name: str) -> Handler:
    def translate(trace: Tracer, step: OperatorUse, x: Value) -> Value:
        axis, keep = int(step.get("axis", 0)) % x.rank, bool(step.get("keepdims", 1))
        if not step.get("select_last_index"):
            return trace.one(name, x, axis, named={"keepdim": keep})
        (count,) = trace.sizes(x, [axis])
        found = trace.one(name, trace.one("flip", x, [axis]), axis, named={"keepdim": keep})
        return trace.one("rsub.Scalar", found, count - 1)

    return translate


def _cumulative(trace: Tracer, step: OperatorUse, x: Value, axis: Value) -> Value:
    along = trace.wholes(axis)[0] % x.rank
    backwards = bool(step.get("reverse"))
    given = trace.one("flip", x, [along]) if backwards else x
    found = trace.one("cumsum", given, along)
    if step.get("exclusive"):
        found = trace.one("sub.Tensor", found, given)
    return trace.one("flip", found, [along]) if backwards else found


def _top(trace: Tracer, step: OperatorUse, x: Value, count: Value | None = None) -> list[Value]:
    k = int(step.get("k", 1)) if count is None else trace.wholes(count)[0]
    axis = int(step.get("axis", -1)) % x.rank
    found: list[Value] = trace.call(
        "topk", x, k, axis, named={"largest": bool(step.get("largest", 1))}
    )
    return found


def _matmul(trace: Tracer, _: OperatorUse, x: Value, y: Value) -> Value:
    return trace.one("matmul", x, y)


def _flipped(trace: Tracer, x: Value, given: object) -> Value:
    return trace.one("permute", x, [1, 0]) if given else x


def _times(trace: Tracer, x: Value, factor: float) -> Value:
    return x if factor == 1.0 else trace.one("mul.Scalar", x, factor)


def _gemm(
    trace: Tracer, step: OperatorUse, x: Value, y: Value, shift: Value | None = None
) -> Value:
    x, y = _flipped(trace, x, step.get("transA")), _flipped(trace, y, step.get("transB"))
    y = _times(trace, y, float(step.get("alpha", 1.0)))
    if shift is not None:
        shift = _times(trace, shift, float(step.get("beta", 1.0)))
    if not y.moves and x.moves and (shift is None or _is_row(shift, y)):
        bias = None if shift is None else trace.reshape(shift, [-1])
        return trace.one("linear", x, trace.one("permute", y, [1, 0]), bias)
    found = trace.one("matmul", x, y)
    return found if shift is None else trace.one("add.Tensor", found, shift)


def _is_row(shift: Value, y: Value) -> bool:
    """Return whether a shift is one number for each column."""
    return shift.fixed and int(shift.seen[0].numel()) == int(y.seen[0].shape[1])


def _einsum(trace: Tracer, step: OperatorUse, *inputs: Value) -> Value:
    return trace.one("einsum", step.get("equation"), list(inputs))


REDUCING: dict[str, Handler] = {
    "ArgMax": _place("argmax"),
    "ArgMin": _place("argmin"),
    "CumSum": _cumulative,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "ReduceL1": _reduced(_sum_of_sizes),
    "ReduceL2": _reduced(_length),
    "ReduceLogSum": _reduced(_log_sum),
    "ReduceLogSumExp": _reduced(_log_sum_exp),
    "ReduceMax": _reduced(greatest),
    "ReduceMean": _reduced(_average),
    "ReduceMin": _reduced(_least),
    "ReduceProd": _reduced(_product),
    "ReduceSum": _reduced(_total),
    "ReduceSumSquare": _reduced(_sum_of_squares),
    "TopK": _top,
}
