"""Normalisations: by statistics of training, of a row, of channels, of groups."""

import math

import numpy as np

from xplain_cli.models.operators.bounds import UntranslatableError
from xplain_cli.models.operators.tracing import KEEP, Handler, OperatorUse, Tracer, Value


def _epsilon(step: OperatorUse) -> float:
    return float(step.get("epsilon", 1e-5))


def _shaped(trace: Tracer, one: Value, rank: int) -> Value:
    """Return numbers of channels so that they go with a value of some axes."""
    return trace.reshape(one, [1, -1, *[1] * (rank - 2)])


def _times_plus(trace: Tracer, x: Value, factor: Value | None, shift: Value | None) -> Value:
    made = x if factor is None else trace.one("mul.Tensor", x, factor)
    return made if shift is None else trace.one("add.Tensor", made, shift)


def standardised(trace: Tracer, x: Value, axes: list[int], epsilon: float) -> Value:
    """Return a value less its mean, over its deviation, along axes."""
    centred = trace.one("sub.Tensor", x, trace.one("mean.dim", x, axes, named=KEEP))
    spread = trace.one("mean.dim", trace.one("pow.Tensor_Scalar", centred, 2), axes, named=KEEP)
    inverse = trace.one("rsqrt", trace.one("add.Scalar", spread, epsilon))
    return trace.one("mul.Tensor", centred, inverse)


def _batch(
    trace: Tracer,
    step: OperatorUse,
    x: Value,
    scale: Value,
    shift: Value,
    mean: Value,
    spread: Value,
) -> Value:
    if step.get("training_mode"):
        raise UntranslatableError("BatchNormalization in training")
    inverse = trace.one("rsqrt", trace.one("add.Scalar", spread, _epsilon(step)))
    factor = trace.one("mul.Tensor", scale, inverse)
    plus = trace.one("sub.Tensor", shift, trace.one("mul.Tensor", mean, factor))
    rank = max(x.rank, 2)
    return _times_plus(trace, x, _shaped(trace, factor, rank), _shaped(trace, plus, rank))


def _instance(trace: Tracer, step: OperatorUse, x: Value, scale: Value, shift: Value) -> Value:
    made = standardised(trace, x, list(range(2, x.rank)), _epsilon(step))
    return _times_plus(trace, made, _shaped(trace, scale, x.rank), _shaped(trace, shift, x.rank))


def _layer(
    trace: Tracer,
    step: OperatorUse,
    x: Value,
    scale: Value | None = None,
    shift: Value | None = None,
) -> Value:
    if step.outputs > 1:
        raise UntranslatableError("the statistics of LayerNormalization")
    axis = int(step.get("axis", -1)) % x.rank
    lengths = trace.sizes(x, list(range(axis, x.rank)))
    given = [one for one in (scale, shift) if one is not None]
    if all(one.fixed and list(one.seen[0].shape) == lengths for one in given):
        return trace.one("layer_norm", x, lengths, scale, shift, _epsilon(step))
    made = trace.one("layer_norm", x, lengths, None, None, _epsilon(step))
    return _times_plus(trace, made, scale, shift)


def _root_mean_square(
    trace: Tracer, step: OperatorUse, x: Value, scale: Value | None = None
) -> Value:
    axes = list(range(int(step.get("axis", -1)) % x.rank, x.rank))
    squares = trace.one("mean.dim", trace.one("pow.Tensor_Scalar", x, 2), axes, named=KEEP)
    inverse = trace.one("rsqrt", trace.one("add.Scalar", squares, _epsilon(step)))
    return _times_plus(trace, trace.one("mul.Tensor", x, inverse), scale, None)


def _group(trace: Tracer, step: OperatorUse, x: Value, scale: Value, shift: Value) -> Value:
    groups = int(step.get("num_groups", 1))
    shape = trace.shape(x)
    (channels,) = trace.sizes(x, [1])
    rest = math.prod(trace.sizes(x, list(range(1, x.rank)))) // groups
    apart = trace.reshape(x, [shape[0], groups, rest])
    made = trace.reshape(standardised(trace, apart, [2], _epsilon(step)), shape)
    parts = []
    for one in (scale, shift):
        found = trace.array(one)
        if len(found) != channels:  # before opset 21 there is one for each group
            found = np.repeat(found, channels // groups)
        parts.append(_shaped(trace, trace.constant(found), x.rank))
    return _times_plus(trace, made, *parts)


def _local_response(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    size = int(step.get("size", 1))
    shape = trace.shape(x)
    channels, *_ = trace.sizes(x, list(range(1, x.rank)))
    rest = math.prod(trace.sizes(x, list(range(2, x.rank))))
    squares = trace.one("pow.Tensor_Scalar", x, 2)
    flat = trace.reshape(squares, [shape[0], 1, channels, rest])
    below = (size - 1) // 2
    wide = trace.one("constant_pad_nd", flat, [0, 0, below, size - 1 - below], 0.0)
    means = trace.reshape(trace.one("avg_pool2d", wide, [size, 1], [1, 1]), shape)
    alpha, beta = float(step.get("alpha", 1e-4)), float(step.get("beta", 0.75))
    base = trace.one(
        "add.Scalar", trace.one("mul.Scalar", means, alpha), float(step.get("bias", 1.0))
    )
    return trace.one("mul.Tensor", x, trace.one("pow.Tensor_Scalar", base, -beta))


def _lp(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    axis, power = int(step.get("axis", -1)) % x.rank, int(step.get("p", 2))
    length = trace.one("linalg_vector_norm", x, power, [axis], named=KEEP)
    return trace.one("div.Tensor", x, trace.one("clamp_min", length, 1e-300))


def _mean_variance(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    axes = [int(one) % x.rank for one in step.get("axes", [0, 2, 3])]
    if 0 in axes:
        raise UntranslatableError("MeanVarianceNormalization over the rows of a batch")
    centred = trace.one("sub.Tensor", x, trace.one("mean.dim", x, axes, named=KEEP))
    spread = trace.one("mean.dim", trace.one("pow.Tensor_Scalar", centred, 2), axes, named=KEEP)
    return trace.one(
        "div.Tensor", centred, trace.one("add.Scalar", trace.one("sqrt", spread), 1e-9)
    )


NORMALISING: dict[str, Handler] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LRN": _local_response,
    "LayerNormalization": _layer,
    "LpNormalization": _lp,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _root_mean_square,
}
