"""The trees of XGBoost, LightGBM and CatBoost, read off the form in which they store them.

XGBoost goes left where x < t and CatBoost where x <= t, both on float32; LightGBM where x <= t on
float64. What they add up to is the raw margin, whatever link the objective puts on it.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.contract import UnableError
from xplain_cli.models.estimators.boosters import categories_of, package_of
from xplain_cli.models.leaves import Nodes, last_left

_ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold


def _refused(what: str) -> UnableError:
    return UnableError(f"cannot follow {what}")


def _one_output(value: FloatArray, output: int, outputs: int) -> FloatArray:
    """Return the (nodes, outputs) values of a tree that speaks of one output."""
    spread = np.zeros((len(value), outputs))
    spread[:, output] = value
    return spread


def _xgboost_tree(stored: dict[str, Any], output: int, outputs: int, weight: float) -> Nodes:
    left = np.asarray(stored["left_children"], dtype=np.int64)
    limits = np.asarray(stored["split_conditions"], dtype=np.float32)
    below = np.nextafter(limits, np.float32(-np.inf)).astype(np.float64)
    return Nodes(
        left,
        np.asarray(stored["right_children"], dtype=np.int64),
        np.asarray(stored["split_indices"], dtype=np.int64),
        last_left(below),
        np.asarray(stored["default_left"], dtype=np.bool_),
        _one_output(np.where(left < 0, limits.astype(np.float64), 0.0) * weight, output, outputs),
    )


def _xgboost_nodes(model: Any) -> list[Nodes]:
    if not np.isnan(getattr(model, "missing", np.nan)):
        raise _refused(f"{type(model).__name__} with missing={model.missing:g}")
    booster = model.get_booster()
    best = booster.attributes().get("best_iteration")  # the trees behind it do not answer
    whole = booster if best is None else booster[: int(best) + 1]
    learner = json.loads(whole.save_raw("json"))["learner"]
    held = learner["gradient_booster"]
    if held["name"] == "gblinear":
        raise _refused("booster=gblinear, which has no trees")
    forest = held.get("gbtree", held)["model"]
    trees, owners = forest["trees"], forest["tree_info"]
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        raise _refused("trees of several outputs (multi_strategy=multi_output_tree)")
    if any(any(tree["split_type"]) for tree in trees):
        raise _refused(f"the categorical splits of {type(model).__name__}")
    weights = held.get("weight_drop", [1.0] * len(trees))  # of dart
    facts = learner["learner_model_param"]
    outputs = max(1, int(facts["num_class"]), int(facts.get("num_target", 1)))
    return [
        _xgboost_tree(tree, owner, outputs, weight)
        for tree, owner, weight in zip(trees, owners, weights, strict=True)
    ]


def _lightgbm_gaps(kinds: IntArray, limits: FloatArray) -> BoolArray:
    """Return where NaN goes left: kinds (splits,) are LightGBM's ``decision_type`` bits."""
    default, missing = (kinds & 2) > 0, (kinds >> 2) & 3  # missing is none, zero or NaN
    if np.any(kinds & 1):
        raise _refused("the categorical splits of LightGBM")
    in_order = np.where(limits >= _ZERO, default, ~default & (limits < -_ZERO))
    if np.any((missing == 1) & ~in_order):
        raise _refused("splits that send zeros to another side (zero_as_missing)")
    return np.where(missing == 0, limits >= 0, default)


def _lightgbm_tree(text: str, output: int, outputs: int) -> Nodes:
    """Read a tree whose inner nodes come first here; there leaf i is child -i - 1."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if fields.get("is_linear", "0") != "0":
        raise _refused("linear trees (linear_tree=true)")

    def numbers(name: str, dtype: type) -> Any:
        return np.array(fields.get(name, "").split(), dtype=dtype)

    values, limits = numbers("leaf_value", np.float64), numbers("threshold", np.float64)
    splits, leaves = len(limits), len(values)
    gaps_left = _lightgbm_gaps(numbers("decision_type", np.int64), limits)
    zeros = np.abs(limits) <= _ZERO  # it takes what is as near to zero as that for zero
    limits = np.where(zeros, np.where(limits < 0, np.nextafter(-_ZERO, -np.inf), _ZERO), limits)
    left, right = (numbers(name, np.int64) for name in ("left_child", "right_child"))
    ends: IntArray = np.full(leaves, -1, dtype=np.int64)
    none = np.zeros(leaves)
    return Nodes(
        np.r_[np.where(left < 0, splits - 1 - left, left), ends].astype(np.int64),
        np.r_[np.where(right < 0, splits - 1 - right, right), ends].astype(np.int64),
        np.r_[numbers("split_feature", np.int64), np.zeros(leaves, dtype=np.int64)],
        np.r_[limits, none],
        np.r_[gaps_left, none > 0],
        _one_output(np.r_[np.zeros(splits), values], output, outputs),
    )


def _lightgbm_nodes(model: Any) -> list[Nodes]:
    text = model.booster_.model_to_string().partition("\nend of trees")[0]
    head, *trees = text.split("\nTree=")
    outputs = int(head.partition("\nnum_tree_per_iteration=")[2].split()[0])
    return [_lightgbm_tree(tree, i % outputs, outputs) for i, tree in enumerate(trees)]


def _catboost_split(split: dict[str, Any], floats: dict[int, dict[str, Any]]) -> tuple[Any, ...]:
    """Return the column, the border, and whether NaN goes left."""
    if split["split_type"] != "FloatFeature":
        raise _refused(f"the {split['split_type']} splits of CatBoost")
    feature = floats[split["float_feature_index"]]
    goes_left = feature["nan_value_treatment"] != "AsTrue"
    return feature["flat_feature_index"], split["border"], goes_left


def _heap(splits: list[tuple[Any, ...]], values: FloatArray) -> Nodes:
    """Return an oblivious tree: all nodes of a level ask the same, the last split at the root."""
    inside = len(values) - 1
    level = np.log2(np.arange(inside) + 1).astype(np.int64)
    asked = [splits[len(splits) - 1 - at] for at in level.tolist()]
    column, border, goes_left = zip(*asked, strict=True) if asked else ((), (), ())
    node = np.arange(inside)
    ends: IntArray = np.full(len(values), -1, dtype=np.int64)
    none = np.zeros(len(values))
    return Nodes(
        np.r_[2 * node + 1, ends],
        np.r_[2 * node + 2, ends],
        np.r_[np.array(column, dtype=np.int64), np.zeros(len(values), dtype=np.int64)],
        np.r_[last_left(np.array(border, dtype=np.float64)), none],
        np.r_[np.array(goes_left, dtype=np.bool_), none > 0],
        np.vstack([np.zeros((inside, values.shape[1])), values]),
    )


def _branching(root: dict[str, Any], floats: dict[int, dict[str, Any]], outputs: int) -> Nodes:
    """Return a tree that is stored node by node."""
    nodes, left, right = [root], [], []
    splits, values = [], []
    for node in nodes:  # grows while it is read
        inside = "split" in node
        left.append(len(nodes) if inside else -1)
        right.append(len(nodes) + 1 if inside else -1)
        nodes += [node["left"], node["right"]] if inside else []
        splits.append(_catboost_split(node["split"], floats) if inside else (0, 0.0, False))
        values.append(np.zeros(outputs) if inside else np.atleast_1d(node["value"]))
    column, border, goes_left = zip(*splits, strict=True)
    return Nodes(
        np.array(left, dtype=np.int64),
        np.array(right, dtype=np.int64),
        np.array(column, dtype=np.int64),
        last_left(np.array(border, dtype=np.float64)),
        np.array(goes_left, dtype=np.bool_),
        np.array(values, dtype=np.float64),
    )


def _catboost_nodes(model: Any) -> list[Nodes]:
    with tempfile.TemporaryDirectory() as folder:  # it writes JSON into files alone
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        stored = json.loads(path.read_text(encoding="utf-8"))
    scale, bias = stored["scale_and_bias"]
    outputs = len(np.atleast_1d(bias))
    floats = {one["feature_index"]: one for one in stored["features_info"]["float_features"]}
    nodes = [
        _heap(
            [_catboost_split(split, floats) for split in tree["splits"] or []],
            np.reshape(tree["leaf_values"], (-1, outputs)) * scale,
        )
        for tree in stored.get("oblivious_trees", [])
    ]
    for tree in stored.get("trees", []):
        one = _branching(tree, floats, outputs)
        nodes.append(Nodes(*(vars(one) | {"value": one.value * scale}).values()))
    return nodes


_READERS: dict[str, Callable[[Any], list[Nodes]]] = {
    "catboost": _catboost_nodes,
    "lightgbm": _lightgbm_nodes,
    "xgboost": _xgboost_nodes,
}


def booster_nodes(model: Any) -> list[Nodes]:
    """
    Return the trees of a boosted model, whose leaves add up to its raw margin but for the base.

    Raises
    ------
    UnableError
        Categories, or trees that are no sum of leaves.
    """
    categories = categories_of(model)
    if categories.positions or categories.texts:
        raise _refused(f"the categorical columns of {type(model).__name__}")
    trees = _READERS[package_of(model)](model)
    if not trees:
        raise _refused(f"{type(model).__name__} without trees")
    return trees
