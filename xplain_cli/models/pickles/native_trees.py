"""Checks the trees that compiled code walks: it trusts their numbers, and follows them anywhere.

A child that lies outside of its tree is read from foreign memory, and one that is its own parent is
walked for ever, where no signal ends it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.models.pickles.stand_ins import Stub, attributes, read_array
from xplain_cli.models.soundness import found, is_within, need

TREE = "sklearn.tree._tree:Tree"
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor:TreePredictor"
_BITSET = 8  # words of 32 bits
_BINS = 256
_FORESTS = frozenset({
    *("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._iforest"),
})
_NO_COLUMN = "splits by a column that it does not have"
_FOREIGN_COLUMN = "holds a tree that splits by a column which the model does not take"
_CHILD = "has a node whose child does not lie behind it"


def whole(value: Any) -> int | None:
    """Return a whole number, numpy's own among them; None where the value is none."""
    if type(value) is int:
        return value
    if isinstance(value, Stub) and value.callee.name == "scalar" and len(value.arguments) == 2:
        dtype, data = value.arguments
        if isinstance(dtype, Stub) and isinstance(data, bytes) and dtype.value.kind in "iu":
            return int(np.frombuffer(data, dtype.value)[0])
    return None


def _records(value: Any, names: set[str]) -> NDArray[Any]:
    """Return an array of at least one record that has these fields."""
    nodes = found(read_array(value), "holds no nodes")
    need(nodes.ndim == 1 and len(nodes) and names <= set(nodes.dtype.names or ()), "holds no nodes")
    return nodes


def _grows(nodes: NDArray[Any], split: NDArray[Any], names: tuple[str, str]) -> bool:
    """Return whether both children of each split lie behind it, within the tree."""
    at = np.flatnonzero(split)
    children = [nodes[name][at].astype(np.float64) for name in names]
    return all(bool(((one > at) & (one < len(nodes))).all()) for one in children)


def check_tree(made: Stub) -> None:
    """Refuse a tree of scikit-learn that is not whole."""
    state = attributes(made)
    nodes = _records(state.get("nodes"), {"left_child", "right_child", "feature"})
    values = found(read_array(state.get("values")), "holds no values")
    columns, counts, outputs = (*made.arguments, None, None, None)[:3]
    classes = found(read_array(counts), "states no number of classes")
    sound = classes.ndim == 1 and classes.dtype.kind in "iu" and classes.size == whole(outputs)
    need(sound and classes.size and classes.min() > 0, "states no sound number of outputs")
    need(whole(state.get("node_count")) == len(nodes), "states another number of nodes than it has")
    asked = (len(nodes), classes.size, int(classes.max()))
    need(values.shape == asked, "holds other values than its nodes ask for")
    split = nodes["left_child"] != -1
    need(_grows(nodes, split, ("left_child", "right_child")), _CHILD)
    need(is_within(nodes["feature"][split], found(whole(columns), _NO_COLUMN)), _NO_COLUMN)


def check_predictor(made: Stub) -> None:
    """Refuse a tree of histogram boosting that is not whole."""
    state = attributes(made)
    names = {"left", "right", "is_leaf", "is_categorical", "bitset_idx", "feature_idx"}
    nodes = _records(state.get("nodes"), names)
    split = nodes["is_leaf"] == 0
    need(_grows(nodes, split, ("left", "right")), _CHILD)
    asked = nodes["bitset_idx"][split & (nodes["is_categorical"] != 0)]
    for name in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        sets = found(read_array(state.get(name)), f"holds no {name}")
        need(sets.ndim == 2 and sets.shape[1] == _BITSET, f"holds no {name}")
        need(is_within(asked, len(sets)), "splits by a set of categories that it does not have")


def _members(value: Any) -> Iterator[Stub]:
    """Yield the stand-ins in lists and arrays."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting.extend(reversed(part))
        elif isinstance(part, Stub):
            array = read_array(part)
            if array is not None and array.dtype.hasobject:
                waiting.extend(reversed(array.ravel().tolist()))
            else:
                yield part


def _key(value: Any) -> str:
    return value.callee.key if isinstance(value, Stub) else ""


def _used(tree: Any) -> int:
    """Return one more than the highest column that a tree of scikit-learn splits by."""
    return int(_records(attributes(tree).get("nodes"), {"feature"})["feature"].max()) + 1


def check_ensemble(made: Stub) -> None:
    """Refuse an estimator that hands its rows to trees which take more columns than it."""
    state = attributes(made)
    if made.callee.name.startswith("HistGradientBoosting"):
        _check_histograms(state)
        return
    trees = [state["tree_"]] if _key(state.get("tree_")) == TREE else []
    if made.callee.module in _FORESTS:
        trees += [attributes(one).get("tree_") for one in _members(state.get("estimators_"))]
    if not trees:
        return
    stated = whole(state.get("n_features_in_", state.get("n_features_")))
    columns = found(stated, "does not state how many columns it takes")
    need(all(_key(tree) == TREE for tree in trees), "holds a tree that is none")
    need(all(_used(tree) <= columns for tree in trees), _FOREIGN_COLUMN)
    if made.callee.name.startswith("GradientBoosting"):
        _check_stages(state)


def _check_stages(state: dict[Any, Any]) -> None:
    """Refuse more trees in a stage of gradient boosting than the model has outputs."""
    stages = found(read_array(state.get("estimators_")), "holds no stages")
    classes = whole(state.get("n_classes_", 1)) or 1
    outputs = classes if classes > 2 else 1
    sound = stages.ndim == 2 and stages.shape[1] == outputs
    need(sound, "holds another number of trees for a stage than it has outputs")


def _check_histograms(state: dict[Any, Any]) -> None:
    stages, binning = state.get("_predictors"), state.get("_bin_mapper")
    if stages is None:
        return  # not fitted
    columns = found(whole(state.get("n_features_in_")), "does not state how many columns it takes")
    flags = found(read_array(attributes(binning).get("is_categorical_")), "knows no categories")
    need(flags.shape == (columns,), "states another number of columns than it has")
    for stage in stages if isinstance(stages, list) else ():
        sound = isinstance(stage, list) and len(stage) == whole(state.get("n_trees_per_iteration_"))
        need(sound, "holds another number of trees for a stage than it has outputs")
    for tree in _members(stages):
        need(_key(tree) == PREDICTOR, "holds a tree that is none")
        _check_splits(attributes(tree).get("nodes"), columns, flags)
    _check_categories(attributes(binning).get("bin_thresholds_"), flags)


def _check_splits(stored: Any, columns: int, flags: NDArray[Any]) -> None:
    nodes = _records(stored, {"is_leaf", "is_categorical", "feature_idx"})
    split = nodes["is_leaf"] == 0
    need(is_within(nodes["feature_idx"][split], columns), _FOREIGN_COLUMN)
    discrete = nodes["feature_idx"][split & (nodes["is_categorical"] != 0)]
    need(flags[discrete].all(), "holds a tree that takes a column of numbers for categories")


def _check_categories(known: Any, flags: NDArray[Any]) -> None:
    """Refuse known categories that are no bits of 256."""
    sound = isinstance(known, list) and len(known) == len(flags)
    need(sound, "states another number of columns than it has")
    for values, discrete in zip(map(read_array, known), flags, strict=True):
        borders = found(values, "holds no borders of its bins")
        need(borders.ndim == 1, "holds no borders of its bins")
        bits = not discrete or not len(borders) or (borders.min() >= 0 and borders.max() < _BINS)
        need(bits, "knows a category that is no number below 256")
