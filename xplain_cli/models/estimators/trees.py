"""Finds the estimators that are sums of trees, and their leaves as boxes.

scikit-learn's own trees and gradient boosting round x to float32 before they compare it with a
float64 threshold; histogram boosting compares in float64.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Signature, UnableError
from xplain_cli.models.estimators.answers import ask
from xplain_cli.models.estimators.boosted_trees import booster_nodes
from xplain_cli.models.estimators.boosters import package_of
from xplain_cli.models.estimators.columns import fitted_names, fitted_width, inner, steps_of
from xplain_cli.models.leaves import LeafBoxes, Nodes, joined, last_left, sum_of_leaves

_BOOSTED = ("GradientBoosting", "HistGradientBoosting")
_LONE = ("DecisionTree", "ExtraTreeC", "ExtraTreeR")
_FORESTS = ("RandomForestC", "RandomForestR", "ExtraTreesC", "ExtraTreesR")


def _nodes(tree: Any, value: FloatArray) -> Nodes:
    """Return the nodes of a ``sklearn.tree`` tree."""
    count = int(tree.node_count)
    missing = getattr(tree, "missing_go_to_left", np.zeros(count))
    return Nodes(
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


def _histogram_nodes(predictor: Any, output: int, outputs: int) -> Nodes:
    nodes = predictor.nodes
    value = np.zeros((len(nodes), outputs))
    value[:, output] = nodes["value"]
    leaf = nodes["is_leaf"].astype(np.bool_)
    return Nodes(
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        np.where(leaf, -1, nodes["right"].astype(np.int64)),
        nodes["feature_idx"].astype(np.int64),
        nodes["num_threshold"].astype(np.float64),
        nodes["missing_go_to_left"].astype(np.bool_),
        value,
    )


def _averaged(estimators: list[Any]) -> LeafBoxes:
    """Return the boxes of a forest: the mean of its trees."""
    trees = [_nodes(one.tree_, _tree_values(one) / len(estimators)) for one in estimators]
    return joined(trees, np.zeros(trees[0].value.shape[1]))


def _boosted(estimator: Any) -> list[Nodes]:
    """Return the trees of scikit-learn's gradient boosting."""
    if hasattr(estimator, "_predictors"):
        rounds = estimator._predictors  # noqa: SLF001  # no public way to the trees
        return [_histogram_nodes(one, k, len(row)) for row in rounds for k, one in enumerate(row)]
    if estimator.init is not None and estimator.init != "zero":
        raise UnableError("cannot follow boosting with its own init")
    outputs = estimator.estimators_.shape[1]
    trees = []
    for row in estimator.estimators_:
        for k, one in enumerate(row):
            value = np.zeros((one.tree_.node_count, outputs))
            value[:, k] = one.tree_.value[:, 0, 0] * estimator.learning_rate
            trees.append(_nodes(one.tree_, value))
    return trees


def _raw_answer(estimator: Any, response: str) -> FloatArray:
    """Return what boosting answers at the origin, (outputs,): its base comes from there."""
    import pandas as pd

    origin = np.zeros((1, fitted_width(estimator) or 0))
    names = fitted_names(estimator)
    rows = origin if names is None else pd.DataFrame(origin, columns=list(names))
    answer: FloatArray = ask(estimator, response, rows)[0]
    return answer


def _boosting_boxes(estimator: Any, signature: Signature) -> LeafBoxes:
    name = type(estimator).__name__
    classifier = signature.task == "classification"
    if classifier and signature.response != "decision_function":
        raise UnableError(f"needs the raw margin of {name}", "--response decision_function")
    if np.any(getattr(estimator, "is_categorical_", None)):
        raise UnableError("cannot follow categorical splits")
    link = getattr(getattr(estimator, "_loss", None), "link", None)
    if not classifier and type(link).__name__ not in {"NoneType", "IdentityLink"}:
        raise UnableError(
            f"cannot follow {name} with loss={estimator.loss}, which answers through an exponential"
        )
    boosted = package_of(estimator) != ""
    trees = booster_nodes(estimator) if boosted else _boosted(estimator)
    bare = joined(trees, np.zeros(trees[0].value.shape[1]))
    response = "decision_function" if boosted else signature.response
    origin = np.zeros((1, fitted_width(estimator) or 0))
    base = _raw_answer(estimator, response) - sum_of_leaves(bare, origin)[0]
    values = bare.values
    if signature.margin:
        base, values = np.r_[-base, base], np.hstack([-values, values])
    return replace(bare, values=values, base=base)


def _tree_model(estimator: Any) -> Any:
    """Return the tree model in a pipeline without transforming steps, or say why there is none."""
    estimator = inner(estimator)
    steps = steps_of(estimator)
    if steps is None:
        name = type(estimator).__name__
        if package_of(estimator) or name.startswith(_BOOSTED + _LONE + _FORESTS):
            return estimator
        raise UnableError(f"needs trees, not {name}")
    if len(steps) != 1:
        raise UnableError(
            f"needs trees that see the columns as they are: {type(steps[0]).__name__} transforms"
            " the columns before"
        )
    return _tree_model(steps[0])


def why_no_trees(estimator: object) -> str:
    """Return why an estimator is no tree model on the columns of its table; empty: it is one."""
    try:
        _tree_model(estimator)
    except UnableError as error:
        return error.reason
    return ""


def leaf_boxes(estimator: object, signature: Signature) -> LeafBoxes:
    """
    Return the leaves of a fitted tree model as boxes on its input columns.

    Decision trees and forests (``predict_proba`` or a regression's ``predict``), and gradient
    boosting on the raw margin or a regression's value: scikit-learn's, XGBoost's, LightGBM's,
    CatBoost's.

    Raises
    ------
    UnableError
        Another model, transformed columns, categorical splits, or a response that is no sum of
        leaves.
    """
    model = _tree_model(estimator)
    name = type(model).__name__
    if package_of(model) or name.startswith(_BOOSTED):
        boxes = _boosting_boxes(model, signature)
    elif signature.task == "classification" and signature.response != "predict_proba":
        raise UnableError(f"needs the probabilities of {name}", "--response predict_proba")
    else:
        boxes = _averaged(list(model.estimators_) if name.startswith(_FORESTS) else [model])
    if boxes.values.shape[1] != len(signature.outputs):
        raise UnableError(f"needs a leaf value for every output, which {name} does not have")
    return boxes
