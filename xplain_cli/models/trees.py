"""Trees as leaf boxes, for closed forms: the answer is a base plus the values of the leaves hit.

scikit-learn's own trees and gradient boosting round x to float32 before they compare it with a
float64 threshold; histogram boosting compares in float64. Boxes here are on x itself: the
threshold is moved to the last float64 number that still rounds to the left side, so boxes hold
exactly.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.columns import inner, steps_of
from xplain_cli.models.contract import Settled

_LONE = ("DecisionTree", "ExtraTreeC", "ExtraTreeR")
_FORESTS = ("RandomForestC", "RandomForestR", "ExtraTreesC", "ExtraTreesR")
_WAY_OUT = "take lime:exact=no"


@dataclass(frozen=True)
class LeafBoxes:
    """
    Output = base + the sum of the values of the leaves that a row falls into.

    Attributes
    ----------
    values : (leaves, outputs)
        What each leaf adds to each output.
    base : (outputs,)
        What every row gets.
    leaf : (entries,)
        The leaf that an entry belongs to; a leaf without entries holds every row.
    column : (entries,)
        The input column that an entry is about; one entry per leaf and column.
    lower, upper : (entries,)
        The row is in the leaf where lower < x <= upper on all its columns.
    missing : (entries,) bool
        Whether NaN passes.
    """

    values: FloatArray
    base: FloatArray
    leaf: IntArray
    column: IntArray
    lower: FloatArray
    upper: FloatArray
    missing: BoolArray


@runtime_checkable
class Trees(Protocol):
    """A model whose answer is a sum over leaves."""

    def leaf_boxes(self) -> LeafBoxes:
        """Return the leaves, or refuse with the way out."""
        ...


@dataclass(frozen=True)
class _Nodes:
    """
    The nodes of one tree: (nodes,) arrays; ``value`` is (nodes, outputs).

    ``left`` is -1 at a leaf. ``missing_left`` says whether NaN goes left.
    """

    left: IntArray
    right: IntArray
    column: IntArray
    threshold: FloatArray
    missing_left: BoolArray
    value: FloatArray


def last_left(threshold: FloatArray) -> FloatArray:
    """Return the greatest float64 x whose float32 rounding is still <= threshold."""
    with np.errstate(over="ignore"):
        below = threshold.astype(np.float32)
        below = np.where(below > threshold, np.nextafter(below, np.float32(-np.inf)), below)
        above = np.nextafter(below, np.float32(np.inf))
    middle = (below.astype(np.float64) + above.astype(np.float64)) / 2
    even = (below.view(np.int32) & 1) == 0  # ties round to the even neighbour
    last = np.where(even, middle, np.nextafter(middle, -np.inf))
    return np.where(np.isfinite(threshold) & np.isfinite(middle), last, threshold)


def _nodes(tree: Any, value: FloatArray) -> _Nodes:
    """Return the nodes of a ``sklearn.tree`` tree."""
    count = int(tree.node_count)
    missing = getattr(tree, "missing_go_to_left", np.zeros(count))
    return _Nodes(
        np.asarray(tree.children_left, dtype=np.int64),
        np.asarray(tree.children_right, dtype=np.int64),
        np.asarray(tree.feature, dtype=np.int64),
        last_left(np.asarray(tree.threshold, dtype=np.float64)),
        np.asarray(missing, dtype=np.bool_),
        value,
    )


def _tree_values(estimator: Any) -> FloatArray:
    """Return what each node of a lone tree answers: (nodes, outputs)."""
    value = np.asarray(estimator.tree_.value, dtype=np.float64)  # (nodes, outputs, classes)
    if not hasattr(estimator, "n_classes_"):
        return value[:, :, 0]
    counts = np.atleast_1d(estimator.n_classes_)
    parts = [value[:, i, :count] for i, count in enumerate(counts)]
    return np.hstack([part / part.sum(axis=1, keepdims=True) for part in parts])


def _histogram_nodes(predictor: Any, output: int, outputs: int) -> _Nodes:
    nodes = predictor.nodes
    value = np.zeros((len(nodes), outputs))
    value[:, output] = nodes["value"]
    leaf = nodes["is_leaf"].astype(np.bool_)
    return _Nodes(
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        np.where(leaf, -1, nodes["right"].astype(np.int64)),
        nodes["feature_idx"].astype(np.int64),
        nodes["num_threshold"].astype(np.float64),
        nodes["missing_go_to_left"].astype(np.bool_),
        value,
    )


def _joined(trees: list[_Nodes], base: FloatArray) -> LeafBoxes:
    """Climb from all leaves of all trees to their roots at once, and merge the conditions."""
    start = np.cumsum([0, *(len(tree.left) for tree in trees)])[:-1]
    pairs = list(zip(trees, start.tolist(), strict=True))
    left = np.concatenate([np.where(one.left < 0, -1, one.left + at) for one, at in pairs])
    right = np.concatenate([np.where(one.right < 0, -1, one.right + at) for one, at in pairs])
    column = np.concatenate([one.column for one in trees])
    threshold = np.concatenate([one.threshold for one in trees])
    missing_left = np.concatenate([one.missing_left for one in trees])
    leaves = np.flatnonzero(left < 0)
    inside = np.flatnonzero(left >= 0)
    parent = np.full(len(left), -1, dtype=np.int64)
    parent[left[inside]] = parent[right[inside]] = inside
    node, leaf = leaves, np.arange(len(leaves))
    parts: list[tuple[Any, ...]] = []
    while True:
        above = parent[node] >= 0
        node, leaf = node[above], leaf[above]
        if not len(node):
            break
        over = parent[node]
        goes_left = left[over] == node
        upper = np.where(goes_left, threshold[over], np.inf)
        lower = np.where(goes_left, -np.inf, threshold[over])
        parts.append((leaf, column[over], lower, upper, missing_left[over] == goes_left))
        node = over
    values = np.concatenate([one.value for one in trees])[leaves]
    return _merged(values, base, parts)


def _merged(values: FloatArray, base: FloatArray, parts: list[tuple[Any, ...]]) -> LeafBoxes:
    """Make one entry of the conditions that a path puts on one column."""
    whole: IntArray = np.zeros(0, dtype=np.int64)
    if not parts:
        none = np.zeros(0)
        return LeafBoxes(values, base, whole, whole, none, none, np.zeros(0, dtype=np.bool_))
    leaf, column, lower, upper, missing = (np.concatenate(one) for one in zip(*parts, strict=True))
    order = np.lexsort((column, leaf))
    leaf, column = leaf[order], column[order]
    fresh = np.r_[True, (leaf[1:] != leaf[:-1]) | (column[1:] != column[:-1])]
    first = np.flatnonzero(fresh)
    return LeafBoxes(
        values,
        base,
        leaf[first],
        column[first],
        np.maximum.reduceat(lower[order], first),
        np.minimum.reduceat(upper[order], first),
        np.logical_and.reduceat(missing[order], first),
    )


def _averaged(estimators: list[Any]) -> LeafBoxes:
    """Return the boxes of a forest: the mean of its trees."""
    trees = [_nodes(one.tree_, _tree_values(one) / len(estimators)) for one in estimators]
    return _joined(trees, np.zeros(trees[0].value.shape[1]))


def _boosted(estimator: Any) -> tuple[list[_Nodes], int]:
    """Return the trees of gradient boosting and the number of raw outputs."""
    if hasattr(estimator, "_predictors"):
        rounds = estimator._predictors  # noqa: SLF001  # no public way to the trees
        outputs = len(rounds[0]) if rounds else 1
        trees = [_histogram_nodes(one, k, outputs) for row in rounds for k, one in enumerate(row)]
        return trees, outputs
    if estimator.init is not None and estimator.init != "zero":
        raise UsageError(f"lime:exact=yes cannot follow boosting with its own init; {_WAY_OUT}")
    outputs = estimator.estimators_.shape[1]
    trees = []
    for row in estimator.estimators_:
        for k, one in enumerate(row):
            value = np.zeros((one.tree_.node_count, outputs))
            value[:, k] = one.tree_.value[:, 0, 0] * estimator.learning_rate
            trees.append(_nodes(one.tree_, value))
    return trees, outputs


def sum_of_leaves(boxes: LeafBoxes, rows: FloatArray) -> FloatArray:
    """Return the (rows, outputs) answers of leaf boxes on rows (rows, columns)."""
    answers = np.tile(boxes.base, (len(rows), 1))
    for i, row in enumerate(rows):
        x = row[boxes.column]
        passes = np.where(np.isnan(x), boxes.missing, (boxes.lower < x) & (x <= boxes.upper))
        hit = np.ones(len(boxes.values), dtype=np.bool_)
        np.logical_and.at(hit, boxes.leaf, passes)
        answers[i] += boxes.values[hit].sum(axis=0)
    return answers


def _raw_answer(estimator: Any, response: str) -> FloatArray:
    """Return what boosting answers at the origin, (outputs,): its base comes from there."""
    import pandas as pd

    origin = np.zeros((1, int(estimator.n_features_in_)))
    names = getattr(estimator, "feature_names_in_", None)
    rows = origin if names is None else pd.DataFrame(origin, columns=names)
    answer: FloatArray = np.asarray(getattr(estimator, response)(rows), dtype=np.float64)
    return answer.reshape(-1)


def _boosting_boxes(estimator: Any, settled: Settled) -> LeafBoxes:
    name = type(estimator).__name__
    classifier = settled.task == "classification"
    if classifier and settled.response != "decision_function":
        raise UsageError(
            f"lime:exact=yes needs the raw margin of {name}: take --response decision_function,"
            " or lime:exact=no"
        )
    if np.any(getattr(estimator, "is_categorical_", None)):
        raise UsageError(f"lime:exact=yes cannot follow categorical splits; {_WAY_OUT}")
    link = getattr(getattr(estimator, "_loss", None), "link", None)
    if not classifier and type(link).__name__ not in {"NoneType", "IdentityLink"}:
        raise UsageError(
            f"lime:exact=yes: {name} with loss={estimator.loss} answers through an exponential;"
            f" {_WAY_OUT}"
        )
    trees, outputs = _boosted(estimator)
    bare = _joined(trees, np.zeros(outputs))
    origin = np.zeros((1, int(estimator.n_features_in_)))
    base = _raw_answer(estimator, settled.response) - sum_of_leaves(bare, origin)[0]
    values = bare.values
    if settled.margin:
        base, values = np.r_[-base, base], np.hstack([-values, values])
    return LeafBoxes(values, base, bare.leaf, bare.column, bare.lower, bare.upper, bare.missing)


def _lone_estimator(estimator: Any) -> Any:
    """Return the model in a pipeline without transforming steps."""
    estimator = inner(estimator)
    steps = steps_of(estimator)
    if steps is None:
        return estimator
    if len(steps) != 1:
        raise UsageError(
            f"lime:exact=yes: {type(steps[0]).__name__} transforms the columns before the trees see"
            f" them; {_WAY_OUT}"
        )
    return _lone_estimator(steps[0])


def leaf_boxes(estimator: object, settled: Settled) -> LeafBoxes:
    """
    Return the leaves of a fitted scikit-learn tree model as boxes on its input columns.

    Decision trees and forests (``predict_proba`` or a regression's ``predict``), and gradient
    boosting on the raw margin or a regression's value, histogram-based or not.

    Raises
    ------
    UsageError
        Another model, transformed columns, categorical splits, or a response that is no sum of
        leaves; the message names the way out.
    """
    model = _lone_estimator(estimator)
    name = type(model).__name__
    if name.startswith(("GradientBoosting", "HistGradientBoosting")):
        boxes = _boosting_boxes(model, settled)
    elif name.startswith(_LONE + _FORESTS):
        if settled.task == "classification" and settled.response != "predict_proba":
            raise UsageError(
                f"lime:exact=yes needs the probabilities of {name}: take --response predict_proba,"
                " or lime:exact=no"
            )
        boxes = _averaged(list(model.estimators_) if name.startswith(_FORESTS) else [model])
    else:
        raise UsageError(f"lime:exact=yes needs trees, not {name}; {_WAY_OUT}")
    if boxes.values.shape[1] != len(settled.outputs):
        raise UsageError(f"lime:exact=yes: {name} has other outputs than its leaves; {_WAY_OUT}")
    return boxes
