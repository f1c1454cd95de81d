"""Operators of ai.onnx.ml: what skl2onnx writes for networks, linear models and encoders."""

from typing import Any

import numpy as np

from xplain_cli.models.operators.bounds import UntranslatableError
from xplain_cli.models.operators.elementwise import absolute, cast
from xplain_cli.models.operators.reducing import greatest
from xplain_cli.models.operators.tracing import KEEP, Handler, OperatorUse, Tracer, Value

_SHARES = "shares"
"""What the ``meta`` of a node says whose rows add up to 1, and are not negative."""


def _floats(trace: Tracer, step: OperatorUse, name: str) -> Value:
    return trace.constant(np.asarray(step.get(name, ()), dtype=np.float64))


def _scaler(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    moved = trace.one("sub.Tensor", cast(trace, x, 1), _floats(trace, step, "offset"))
    return trace.one("mul.Tensor", moved, _floats(trace, step, "scale"))


def _normalizer(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    x = cast(trace, x, 1)
    how, axis = step.get("norm", "MAX"), x.rank - 1
    if how == "L1":
        if x.node is not None and x.node.meta.get(_SHARES):
            return x
        # sigmoids are positive: their plain sum is seen as such where the graph ends
        size = x if _is_sigmoid(x) else absolute(trace, x)
        return trace.one("div.Tensor", x, trace.one("sum.dim_IntList", size, [axis], named=KEEP))
    if how == "L2":
        return trace.one("div.Tensor", x, trace.one("linalg_vector_norm", x, 2, [axis], named=KEEP))
    return trace.one("div.Tensor", x, greatest(trace, x, [axis], keep=True))


def _is_sigmoid(x: Value) -> bool:
    return x.node is not None and str(x.node.target) == "aten.sigmoid.default"


def _linear(trace: Tracer, step: OperatorUse, x: Value, rows: int) -> Value:
    weights = np.asarray(step.get("coefficients"), dtype=np.float64).reshape(rows, -1)
    shift = np.asarray(step.get("intercepts") or np.zeros(rows), dtype=np.float64)
    x = cast(trace, x, 1)
    if x.rank == 1:
        x = trace.one("unsqueeze", x, 0)
    return trace.one("linear", x, trace.constant(weights), trace.constant(shift))


def _linear_regressor(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    _check_plain(step)
    return _linear(trace, step, x, int(step.get("targets", 1)))


def _check_plain(step: OperatorUse) -> None:
    if step.get("post_transform", "NONE") != "NONE":
        raise UntranslatableError(
            f"{step.op} with post_transform {step.get('post_transform')[:20]}"
        )


def _two_shares(trace: Tracer, score: Value) -> Value:
    """Return the probabilities of two classes from one score."""
    second = trace.one("sigmoid", score)
    found = trace.one("cat", [trace.one("rsub.Scalar", second, 1.0), second], 1)
    found.node.meta[_SHARES] = True
    return found


def _linear_classifier(trace: Tracer, step: OperatorUse, x: Value) -> list[Value | None]:
    how = step.get("post_transform", "NONE")
    labels = step.get("classlabels_ints") or step.get("classlabels_strings") or []
    rows = len(step.get("intercepts") or labels)
    opposite = rows == 2 and _are_opposite(step)
    if how == "LOGISTIC" and opposite:
        both = _linear(trace, step, x, rows)
        return [None, _two_shares(trace, trace.one("slice.Tensor", both, 1, 1, 2, 1))]
    scores = _linear(trace, step, x, rows)
    if rows != len(labels):
        raise UntranslatableError("LinearClassifier of one score for two classes")
    if how == "LOGISTIC":
        return [None, trace.one("sigmoid", scores)]
    if how == "SOFTMAX":
        found = trace.one("softmax.int", scores, 1)
        found.node.meta[_SHARES] = True
        return [None, found]
    _check_plain(step)
    return [None, scores]


def _are_opposite(step: OperatorUse) -> bool:
    """Return whether the second of two scores is the first one with another sign."""
    weights = np.asarray(step.get("coefficients")).reshape(2, -1)
    shift = np.asarray(step.get("intercepts") or [0.0, 0.0])
    return bool((weights[0] == -weights[1]).all() and shift[0] == -shift[1])


def _zip_map(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    """Return the numbers of what onnxruntime answers as dicts, whose keys it sorts."""
    labels = step.get("classlabels_int64s") or step.get("classlabels_strings") or []
    order = sorted(range(len(labels)), key=lambda i: _sortable(labels[i]))
    if order == list(range(len(labels))):
        return x
    return trace.one("index_select", x, 1, trace.constant(np.array(order, dtype=np.int64)))


def _sortable(label: str | int) -> Any:
    return label.encode() if isinstance(label, str) else label


def _extractor(trace: Tracer, _: OperatorUse, x: Value, index: Value) -> Value:
    flat = trace.reshape(index, [-1])
    found = trace.one("index_select", x, x.rank - 1, flat)
    return found if x.rank > 1 else trace.reshape(found, [1, -1])


def _one_hot_encoder(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    """Return the categories of columns of the input, which enter as a number for each category."""
    if x.cells is None:
        raise UntranslatableError("OneHotEncoder of what is no column of the input")
    found = step.get("cats_strings") or step.get("cats_int64s") or []
    if x.texts != bool(step.get("cats_strings")):
        raise UntranslatableError("OneHotEncoder of other categories than its input has")
    cells = x.cells[0].reshape(len(x.cells[0]), -1)
    if not bool((cells == cells[:1]).all()):
        raise UntranslatableError("OneHotEncoder across rows")
    columns = [int(one) for one in cells[0].tolist()]
    strict = not step.get("zeros", 1)
    parts = [trace.encoded(one, tuple(found), strict=strict) for one in columns]
    whole = trace.one("cat", parts, 1) if len(parts) > 1 else parts[0]
    return trace.reshape(whole, [*trace.shape(x), len(found)])


def _imputer(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    x = cast(trace, x, 1)
    filled = step.get("imputed_value_floats") or step.get("imputed_value_int64s")
    if not np.isnan(step.get("replaced_value_float", 0.0)):
        raise UntranslatableError("Imputer of numbers other than NaN")
    if _is_filled_on_entry(trace, x, [float(one) for one in filled]):
        return x
    held = trace.constant(np.asarray(filled, dtype=np.float64))
    # what is missing becomes 0 less the value, without a choice that would hide a line
    less = trace.one("sub.Tensor", x, held)
    kept = trace.one("nan_to_num", less, 0.0, float("inf"), float("-inf"))
    return trace.one("add.Tensor", kept, held)


def _is_filled_on_entry(trace: Tracer, x: Value, filled: list[float]) -> bool:
    """Return whether what is missing in columns of the input is put there when rows enter."""
    if x.cells is None:
        return False
    cells = x.cells[0].reshape(len(x.cells[0]), -1)
    if not bool((cells == cells[:1]).all()):
        return False
    columns = [int(one) for one in cells[0].tolist()]
    wanted = dict(zip(columns, filled * (len(columns) // len(filled)), strict=True))
    if any(trace.fills.get(at, one) != one for at, one in wanted.items()):
        return False  # two ways to fill one column: one of them stays in the graph
    trace.fills.update(wanted)
    return True


def _vectorizer(trace: Tracer, _: OperatorUse, *inputs: Value) -> Value:
    return trace.one("cat", [cast(trace, one, 1) for one in inputs], 1)


def _binarizer(trace: Tracer, step: OperatorUse, x: Value) -> Value:
    above = trace.one("gt.Scalar", x, float(step.get("threshold", 0.0)))
    return trace.one("_to_copy", above, named={"dtype": trace.torch.float64})


ESTIMATING: dict[str, Handler] = {
    "ArrayFeatureExtractor": _extractor,
    "Binarizer": _binarizer,
    "FeatureVectorizer": _vectorizer,
    "Imputer": _imputer,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Normalizer": _normalizer,
    "OneHotEncoder": _one_hot_encoder,
    "Scaler": _scaler,
    "ZipMap": _zip_map,
}
