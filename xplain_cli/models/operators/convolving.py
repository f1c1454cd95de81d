"""Convolutions, poolings, and pictures of another size."""

import math
from collections.abc import Sequence

import numpy as np

from xplain_cli.models.operators.bounds import UntranslatableError
from xplain_cli.models.operators.reducing import greatest
from xplain_cli.models.operators.resizing import resize, upsample
from xplain_cli.models.operators.shaping import pad_by
from xplain_cli.models.operators.tracing import KEEP, Handler, OperatorUse, Tracer, Value

_BELOW = -1e300
"""Less than any number: between infinities nothing could be interpolated."""


def _windows(
    trace: Tracer, step: OperatorUse, x: Value, kernel: list[int]
) -> tuple[list[int], list[int], list[int]]:
    """Return the strides, the dilations, and the pads (all befores, then all behinds)."""
    n = len(kernel)
    strides = [int(one) for one in step.get("strides") or [1] * n]
    dilations = [int(one) for one in step.get("dilations") or [1] * n]
    how = step.get("auto_pad", "NOTSET")
    if how in {"NOTSET", ""}:
        return strides, dilations, [int(one) for one in step.get("pads") or [0] * 2 * n]
    if how == "VALID":
        return strides, dilations, [0] * 2 * n
    lengths = trace.sizes(x, list(range(2, 2 + n)))
    total = [
        max((-(-length // stride) - 1) * stride + (size - 1) * apart + 1 - length, 0)
        for length, stride, size, apart in zip(lengths, strides, kernel, dilations, strict=True)
    ]
    before = [one // 2 if how == "SAME_UPPER" else -(-one // 2) for one in total]
    return strides, dilations, before + [a - b for a, b in zip(total, before, strict=True)]


def _padded(trace: Tracer, x: Value, pads: Sequence[int], value: float) -> tuple[Value, list[int]]:
    """Return a value and the pads that are alike on both sides; others are put around it here."""
    n = len(pads) // 2
    before, behind = list(pads[:n]), list(pads[n:])
    if before == behind:
        return x, before
    return pad_by(trace, x, [0, 0, *before, 0, 0, *behind], "constant", value), [0] * n


def _conv(
    trace: Tracer, step: OperatorUse, x: Value, weights: Value, bias: Value | None = None
) -> Value:
    kernel = [int(one) for one in weights.seen[0].shape[2:]]
    if not 1 <= len(kernel) <= 3:
        raise UntranslatableError(f"Conv over {len(kernel)} axes")
    strides, dilations, pads = _windows(trace, step, x, kernel)
    x, sides = _padded(trace, x, pads, 0.0)
    name, groups = f"conv{len(kernel)}d", int(step.get("group", 1))
    return trace.one(name, x, weights, bias, strides, sides, dilations, groups)


def _conv_transpose(
    trace: Tracer, step: OperatorUse, x: Value, weights: Value, bias: Value | None = None
) -> Value:
    kernel = [int(one) for one in weights.seen[0].shape[2:]]
    n = len(kernel)
    if not 1 <= n <= 3:
        raise UntranslatableError(f"ConvTranspose over {n} axes")
    strides = [int(one) for one in step.get("strides") or [1] * n]
    dilations = [int(one) for one in step.get("dilations") or [1] * n]
    more = [int(one) for one in step.get("output_padding") or [0] * n]
    groups = int(step.get("group", 1))
    whole = trace.one(
        f"conv_transpose{n}d.{'default' if n == 1 else 'input'}",
        *(x, weights, None, strides, [0] * n, [0] * n, groups, dilations),
    )
    lengths = trace.sizes(whole, list(range(2, 2 + n)))
    pads = _cropped(step, lengths, more, trace.sizes(x, list(range(2, 2 + n))), strides)
    found = pad_by(trace, whole, [0, 0, *pads[:n], 0, 0, *pads[n:]], "constant", 0.0)
    if bias is None:
        return found
    return trace.one("add.Tensor", found, trace.reshape(bias, [1, -1, *[1] * n]))


def _cropped(
    step: OperatorUse, lengths: list[int], more: list[int], given: list[int], strides: list[int]
) -> list[int]:
    """Return how much is put around a whole transposed convolution: mostly less than nothing."""
    n, how = len(lengths), step.get("auto_pad", "NOTSET")
    asked = step.get("output_shape")
    if asked is None and how.startswith("SAME"):
        asked = [length * stride for length, stride in zip(given, strides, strict=True)]
    if asked is None:
        pads = [0] * 2 * n if how == "VALID" else list(step.get("pads") or [0] * 2 * n)
        return [-one for one in pads[:n]] + [a - b for a, b in zip(more, pads[n:], strict=True)]
    total = [a + b - c for a, b, c in zip(lengths, more, asked[-n:], strict=True)]
    before = [one // 2 if how == "SAME_UPPER" else one - one // 2 for one in total]
    behind = [a - b for a, b in zip(total, before, strict=True)]
    return [-one for one in before] + [a - b for a, b in zip(more, behind, strict=True)]


def _overhang(
    trace: Tracer, step: OperatorUse, x: Value, kernel: list[int]
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return strides, dilations, pads, and how far the last windows reach over all pads."""
    strides, dilations, pads = _windows(trace, step, x, kernel)
    n = len(kernel)
    over = [0] * n
    if not step.get("ceil_mode"):
        return strides, dilations, pads, over
    lengths = trace.sizes(x, list(range(2, 2 + n)))
    for i in range(n):
        reach = (kernel[i] - 1) * dilations[i] + 1
        free = lengths[i] + pads[i] + pads[n + i] - reach
        windows = math.ceil(free / strides[i])
        if windows * strides[i] >= lengths[i] + pads[i]:  # it would begin behind all
            windows -= 1
        over[i] = max(0, windows * strides[i] - free)
    return strides, dilations, pads, over


def _max_pool(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    if step.outputs > 1:
        raise UntranslatableError("the places of MaxPool")
    kernel = [int(one) for one in step.get("kernel_shape", ())]
    n = len(kernel)
    strides, dilations, pads, over = _overhang(trace, step, x, kernel)
    pads = pads[:n] + [a + b for a, b in zip(pads[n:], over, strict=True)]
    if any(2 * one > size for one, size in zip(pads, kernel * 2, strict=True)):
        x, sides = pad_by(trace, x, [0, 0, *pads[:n], 0, 0, *pads[n:]], "constant", _BELOW), [0] * n
    else:
        x, sides = _padded(trace, x, pads, _BELOW)
    if n == 3:
        return trace.one("max_pool3d", x, kernel, strides, sides, dilations)
    if n == 2:
        return trace.one("max_pool2d", x, kernel, strides, sides, dilations)
    flat = trace.one("unsqueeze", x, 2)
    found = trace.one("max_pool2d", flat, [1, *kernel], [1, *strides], [0, *sides], [1, *dilations])
    rows, channels, _, length = trace.shape(found)
    return trace.reshape(found, [rows, channels, length])


def _sums(trace: Tracer, x: Value, kernel: list[int], strides: list[int], pads: list[int]) -> Value:
    """Return the mean of each window over a value with zeros around it."""
    n = len(kernel)
    wide = pad_by(trace, x, [0, 0, *pads[:n], 0, 0, *pads[n:]], "constant", 0.0)
    return trace.one(f"avg_pool{n}d", wide, kernel, strides)


def _average_pool(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    kernel = [int(one) for one in step.get("kernel_shape", ())]
    n = len(kernel)
    strides, dilations, pads, over = _overhang(trace, step, x, kernel)
    if any(one != 1 for one in dilations) or not 1 <= n <= 3:
        raise UntranslatableError("AveragePool with dilations")
    behind = [a + b for a, b in zip(pads[n:], over, strict=True)]
    means = _sums(trace, x, kernel, strides, [*pads[:n], *behind])
    if not any(pads) and not any(over):
        return means
    lengths = trace.sizes(x, list(range(2, 2 + n)))
    ones = trace.constant(np.ones([1, 1, *lengths]))
    if step.get("count_include_pad"):
        ones = pad_by(trace, ones, [0, 0, *pads[:n], 0, 0, *pads[n:]], "constant", 1.0)
        counted = _sums(trace, ones, kernel, strides, [0] * n + over)
    else:
        counted = _sums(trace, ones, kernel, strides, [*pads[:n], *behind])
    return trace.one("div.Tensor", means, counted)


def _lp_pool(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    kernel = [int(one) for one in step.get("kernel_shape", ())]
    n, power = len(kernel), float(step.get("p", 2))
    strides, dilations, pads, over = _overhang(trace, step, x, kernel)
    if any(one != 1 for one in dilations):
        raise UntranslatableError("LpPool with dilations")
    raised = trace.one("pow.Tensor_Scalar", trace.one("abs", x), power)
    behind = [a + b for a, b in zip(pads[n:], over, strict=True)]
    means = _sums(trace, raised, kernel, strides, [*pads[:n], *behind])
    total = trace.one("mul.Scalar", means, float(math.prod(kernel)))
    return trace.one("pow.Tensor_Scalar", total, 1 / power)


def _places(x: Value) -> list[int]:
    return list(range(2, x.rank))


def _global_average(trace: Tracer, _: OperatorUse, x: Value) -> Value:
    return trace.one("mean.dim", x, _places(x), named=KEEP)


def _global_greatest(trace: Tracer, _: OperatorUse, x: Value) -> Value:
    return greatest(trace, x, _places(x), keep=True)


def _global_lp(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    return trace.one("linalg_vector_norm", x, float(step.get("p", 2)), _places(x), named=KEEP)


CONVOLVING: dict[str, Handler] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_average,
    "GlobalLpPool": _global_lp,
    "GlobalMaxPool": _global_greatest,
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
    "Resize": resize,
    "Upsample": upsample,
}
