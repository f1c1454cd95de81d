"""Operators that work number by number: activations, arithmetic, comparisons, choices."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from xplain_cli.models.operators.bounds import UntranslatableError
from xplain_cli.models.operators.tracing import KEEP, Handler, OperatorUse, Tracer, Value

_FLOATS = frozenset({1, 10, 11, 16})
_WHOLES = {2: "uint8", 3: "int8", 4: "int32", 5: "int16", 6: "int32", 7: "int64", 9: "bool"}
_WHOLES |= {12: "int64", 13: "int64"}
_TEXT, _BOOL = 8, 9


def _named(name: str) -> Handler:
    """Return the translation of an operator that torch has too."""

    def translate(trace: Tracer, _: OperatorUse, *inputs: Value) -> Value:
        return trace.one(name, *inputs)

    return translate


def absolute(trace: Tracer, x: Value) -> Value:
    """Return |x|, where it moves as the greater of x and -x: that has a kink that is found."""
    if not x.moves:
        return trace.one("abs", x)
    return trace.one("maximum", x, trace.one("neg", x))


def _scaled(trace: Tracer, x: Value, by: float, plus: float = 0.0) -> Value:
    """Return x * by + plus."""
    made = x if by == 1.0 else trace.one("mul.Scalar", x, by)
    return made if plus == 0.0 else trace.one("add.Scalar", made, plus)


def _abs(trace: Tracer, _: OperatorUse, x: Value) -> Value:
    return absolute(trace, x)


def _leaky_relu(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return trace.one("leaky_relu", x, float(step.get("alpha", 0.01)))


def _prelu(trace: Tracer, _: OperatorUse, x: Value, slope: Value) -> Value:
    if slope.fixed and slope.seen[0].numel() == 1:
        return trace.one("leaky_relu", x, trace.number(slope))
    below = trace.one("relu", trace.one("neg", x))
    return trace.one("sub.Tensor", trace.one("relu", x), trace.one("mul.Tensor", below, slope))


def _clip(
    trace: Tracer, step: OperatorUse, x: Value, low: Value | None = None, high: Value | None = None
) -> Value:
    if any(one is not None and not one.fixed for one in (low, high)):
        made = x if low is None else trace.one("maximum", x, low)
        return made if high is None else trace.one("minimum", made, high)
    ends = [
        step.get(name) if one is None else trace.number(one)
        for name, one in (("min", low), ("max", high))
    ]
    if ends == [None, None]:
        return x
    if not x.is_float:
        ends = [one if one is None else int(one) for one in ends]
    return trace.one("clamp", x, *ends)


def _elu(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return trace.one("elu", x, float(step.get("alpha", 1.0)))


def _celu(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return trace.one("celu", x, float(step.get("alpha", 1.0)))


def _selu(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    alpha = float(step.get("alpha", 1.67326319217681884765625))
    return trace.one("elu", x, alpha, float(step.get("gamma", 1.05070102214813232421875)))


def _hard_sigmoid(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    line = _scaled(trace, x, float(step.get("alpha", 0.2)), float(step.get("beta", 0.5)))
    return trace.one("clamp", line, 0.0, 1.0)


def _hard_swish(trace: Tracer, _: OperatorUse, x: Value) -> Value:
    gate = trace.one("clamp", _scaled(trace, x, 1 / 6, 0.5), 0.0, 1.0)
    return trace.one("mul.Tensor", x, gate)


def _gelu(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return trace.one("gelu", x, named={"approximate": step.get("approximate", "none")})


def _softsign(trace: Tracer, _: OperatorUse, x: Value) -> Value:
    return trace.one("div.Tensor", x, _scaled(trace, trace.one("abs", x), 1.0, 1.0))


def _swish(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    alpha = float(step.get("alpha", 1.0))
    if alpha == 1.0:
        return trace.one("silu", x)
    return trace.one("mul.Tensor", x, trace.one("sigmoid", _scaled(trace, x, alpha)))


def _thresholded_relu(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    above = trace.one("gt.Scalar", x, float(step.get("alpha", 1.0)))
    return trace.one("where.self", above, x, trace.one("mul.Scalar", x, 0.0))


def _shrink(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    limit, bias = float(step.get("lambd", 0.5)), float(step.get("bias", 0.0))
    nothing = trace.one("mul.Scalar", x, 0.0)
    low = trace.one("where.self", trace.one("lt.Scalar", x, -limit), x, nothing)
    low = trace.one(
        "where.self", trace.one("lt.Scalar", x, -limit), _scaled(trace, x, 1.0, bias), low
    )
    high = trace.one("gt.Scalar", x, limit)
    return trace.one("where.self", high, _scaled(trace, x, 1.0, -bias), low)


def _is_inf(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    both = [
        name
        for name, word in (("isposinf", "detect_positive"), ("isneginf", "detect_negative"))
        if step.get(word, 1)
    ]
    if len(both) != 1:
        return trace.one("isinf", x)
    return trace.one(both[0], x)


def by_axis(trace: Tracer, step: OperatorUse, x: Value, name: str) -> Value:
    """Return an operator along one axis; before opset 13 it went over all axes from there on."""
    axis = int(step.get("axis", -1 if step.version >= 13 else 1)) % max(x.rank, 1)
    if step.version >= 13 or axis == x.rank - 1:
        return trace.one(name, x, axis)
    shape = trace.shape(x)
    if all(one == 1 for one in shape[axis + 1 :]):
        return trace.one(name, x, axis)
    flat = trace.reshape(x, [*shape[:axis], -1])
    return trace.reshape(trace.one(name, flat, axis), shape)


def _softmax(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return by_axis(trace, step, x, "softmax.int")


def _log_softmax(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return by_axis(trace, step, x, "log_softmax.int")


def _hardmax(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    axis = int(step.get("axis", -1 if step.version >= 13 else 1)) % x.rank
    if step.version < 13 and axis != x.rank - 1:
        raise UntranslatableError("Hardmax over several axes")
    (count,) = trace.sizes(x, [axis])
    best = trace.one("argmax", x, axis, named=KEEP)
    places = trace.torch.arange(count).reshape([count if i == axis else 1 for i in range(x.rank)])
    hits = trace.one("eq.Tensor", best, trace.constant(places.numpy()))
    return trace.one("_to_copy", hits, named={"dtype": trace.torch.float64})


def cast(trace: Tracer, x: Value, kind: int) -> Value:
    """Return a value as numbers of another type; fractions are double here, whatever they are."""
    if kind in _FLOATS:
        if x.seen[0].is_floating_point():
            return replace(x, whole=False)
        return trace.one("_to_copy", x, named={"dtype": trace.torch.float64})
    if kind == _TEXT and x.texts:
        return x
    if kind not in _WHOLES:
        raise UntranslatableError(f"a Cast to type {kind}")
    return _as_whole(trace, x, kind)


def _as_whole(trace: Tracer, x: Value, kind: int) -> Value:
    if kind == _BOOL and x.moves:
        return trace.one("ne.Scalar", x, 0)
    if x.whole:
        return x
    dtype = getattr(trace.torch, _WHOLES[kind])
    if not x.moves or not x.seen[0].is_floating_point():
        return trace.one("_to_copy", x, named={"dtype": dtype})
    whole = trace.one("_to_copy", trace.one("trunc", x), named={"dtype": dtype})
    return replace(whole, cells=x.cells)  # an encoder of whole numbers reads them off the input


def _cast(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return cast(trace, x, int(step.get("to", 1)))


def _cast_like(trace: Tracer, _: OperatorUse, x: Value, like: Value) -> Value:
    if like.is_float:
        return cast(trace, x, 1)
    return cast(trace, x, 9 if like.seen[0].dtype == trace.torch.bool else 7)


def _div(trace: Tracer, _: OperatorUse, x: Value, y: Value) -> Value:
    if x.is_float:
        return trace.one("div.Tensor", x, y)
    return trace.one("div.Tensor_mode", x, y, named={"rounding_mode": "trunc"})


def _sub(trace: Tracer, _: OperatorUse, x: Value, y: Value) -> Value:
    if x.fixed and y.is_float and x.rank <= y.rank and x.seen[0].numel() == 1:
        return trace.one("rsub.Scalar", y, trace.number(x))  # so that 1 - p is seen as such
    return trace.one("sub.Tensor", x, y)


def _pow(trace: Tracer, _: OperatorUse, x: Value, y: Value) -> Value:
    if not y.fixed or y.seen[0].numel() != 1 or y.rank > x.rank:
        return trace.one("pow.Tensor_Tensor", x, y)
    power = trace.number(y)
    if x.is_float and power == 0.5:
        return trace.one("sqrt", x)
    power = int(power) if power.is_integer() else power
    return trace.one("pow.Tensor_Scalar", x, power)


def _mod(trace: Tracer, step: OperatorUse, x: Value, y: Value) -> Value:
    return trace.one("fmod.Tensor" if step.get("fmod") else "remainder.Tensor", x, y)


def _folded(name: str) -> Handler:
    def translate(trace: Tracer, _: OperatorUse, *inputs: Value) -> Value:
        return reduce(lambda one, other: trace.one(name, one, other), inputs)

    return translate


def _mean(trace: Tracer, _: OperatorUse, *inputs: Value) -> Value:
    total = reduce(lambda one, other: trace.one("add.Tensor", one, other), inputs)
    return _scaled(trace, total, 1 / len(inputs))


def _where(trace: Tracer, _: OperatorUse, condition: Value, x: Value, y: Value) -> Value:
    return trace.one("where.self", condition, x, y)


def _identity(_: Tracer, __: OperatorUse, x: Value, *___: Value) -> Sequence[Value]:
    return [x]


_UNARY = {
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "IsNaN": "isnan",
    "Log": "log",
    "Mish": "mish",
    "Neg": "neg",
    "Not": "logical_not",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Softplus": "softplus",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
_BINARY = {
    "Add": "add.Tensor",
    "And": "logical_and",
    "Equal": "eq.Tensor",
    "Greater": "gt.Tensor",
    "GreaterOrEqual": "ge.Tensor",
    "Less": "lt.Tensor",
    "LessOrEqual": "le.Tensor",
    "Mul": "mul.Tensor",
    "Or": "logical_or",
    "Xor": "logical_xor",
}

ELEMENTWISE: dict[str, Handler] = {
    **{name: _named(found) for name, found in (_UNARY | _BINARY).items()},
    "Abs": _abs,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Celu": _celu,
    "Clip": _clip,
    "Div": _div,
    "Dropout": _identity,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Hardmax": _hardmax,
    "Identity": _identity,
    "IsInf": _is_inf,
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _log_softmax,
    "Max": _folded("maximum"),
    "Mean": _mean,
    "Min": _folded("minimum"),
    "Mod": _mod,
    "PRelu": _prelu,
    "Pow": _pow,
    "Selu": _selu,
    "Shrink": _shrink,
    "Softmax": _softmax,
    "Softsign": _softsign,
    "Sub": _sub,
    "Sum": _folded("add.Tensor"),
    "Swish": _swish,
    "ThresholdedRelu": _thresholded_relu,
    "Where": _where,
}
