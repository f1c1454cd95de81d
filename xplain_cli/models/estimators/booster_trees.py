"""Checks the trees in boosters' own files, which their packages walk without a look.

XGBoost and LightGBM follow a child that lies outside of its tree into foreign memory, and one that
leads back for ever.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import with_article
from xplain_cli.models.estimators.ubjson import read_ubjson
from xplain_cli.models.soundness import OddPartError, found, is_forest, is_within, need

_MOST = 2**24
"""Columns and outputs for which the packages allocate by what the file states."""

_LENGTHS = {
    **dict.fromkeys(("leaf_weight", "leaf_count"), 0),
    **dict.fromkeys(("split_gain", "internal_value", "internal_weight", "internal_count"), -1),
}
"""What else LightGBM keeps of leaves, and of the splits, which are one fewer."""

_PARAMETER = re.compile(r"\[\w+: [^\[\]:]*\]|")
_TREE_LINE = re.compile(r"\w+=[^\x00-\x08\x0a-\x1f]*", re.ASCII)
_CHILD = "has a tree with a child that is not its own"
_COLUMN = "has a tree that splits by a column which it does not have"
_NO_PARENT = (-1, 2**31 - 1)
_LENGTH = "has a tree whose parts have different lengths"


def _numbers(value: Any, kind: type[np.generic] = np.int64) -> NDArray[Any]:
    """Return whole numbers, or numbers, as an array."""
    need(isinstance(value, (list, np.ndarray)), "has a part that is no list of numbers")
    array = np.asarray(value) if len(value) else np.empty(0, kind)
    need(array.ndim == 1 and array.dtype.kind in "iufb", "has a part that is no list of numbers")
    whole = array.dtype.kind != "f" or kind is np.float64
    need(whole, "has a place that is no whole number")
    return array.astype(kind)


def _stated(param: Any, name: str, otherwise: int) -> int:
    """Return a number that XGBoost states as a text, within what may be allocated."""
    need(isinstance(param, dict), "states no parameters")
    stated = param.get(name, otherwise)
    number = int(str(stated)) if str(stated).lstrip("-").isdigit() and len(str(stated)) < 12 else -1
    need(0 <= number <= _MOST, f"states no sound {name}")
    return number


def _parse(data: bytes) -> Any:
    """Return an XGBoost file of either form, without a copy of its arrays."""
    try:
        if data[:2] == b"{L":
            return read_ubjson(data)
        return json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError, IndexError) as error:
        raise OddPartError(f"cannot be read ({str(error)[:80]})") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as a dict: of two of one name another reader might take the other."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _child(tree: Any, *names: str) -> Any:
    for name in names:
        need(isinstance(tree, dict), f"holds no {name}")
        tree = found(tree.get(name), f"holds no {name}")
    return tree


def _leaves(tree: Mapping[str, Any], left: NDArray[Any], right: NDArray[Any], width: int) -> Any:
    """Return the right children; in a tree of several outputs leaves keep a place there instead."""
    weights = tree.get("leaf_weights")
    if weights is None:
        return right
    held = len(_numbers(weights, np.float64))
    sound = held % width == 0 and is_within(right[left == -1], held // width)
    need(sound, "has a leaf without weights")
    return np.where(left == -1, -1, right)


def _check_xgboost_tree(tree: Any, columns: int, outputs: int) -> None:
    left, right, split_by = (
        _numbers(_child(tree, name))
        for name in ("left_children", "right_children", "split_indices")
    )
    count = _stated(_child(tree, "tree_param"), "num_nodes", 0)
    need(count == len(left) == len(right) == len(split_by) > 0, _LENGTH)
    width = _stated(_child(tree, "tree_param"), "size_leaf_vector", 1) or 1
    need(width in {1, outputs}, "has a leaf of another number of outputs")
    right = _leaves(tree, left, right, width)
    need(is_forest(left, right) and bool(((left == -1) == (right == -1)).all()), _CHILD)
    need(is_within(split_by[left != -1], columns), _COLUMN)
    for name in ("split_conditions", "default_left"):
        need(len(_numbers(_child(tree, name), np.float64)) == count, _LENGTH)
    weights = len(_numbers(_child(tree, "base_weights"), np.float64))
    need(weights == count * width, _LENGTH)
    _check_xgboost_parents(_numbers(_child(tree, "parents")), left, right)
    _check_xgboost_categories(tree, count)


def _check_xgboost_parents(
    parents: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> None:
    """Check that every child names its parent; nodes that were pruned away keep one of the tree."""
    need(len(parents) == len(left), _LENGTH)
    inner = np.flatnonzero(left != -1)
    own = bool((parents[left[inner]] == inner).all() and (parents[right[inner]] == inner).all())
    known = parents[~np.isin(parents, _NO_PARENT)]
    need(own and is_within(known, len(left)), "has a node of another parent")


def _check_xgboost_categories(tree: Mapping[str, Any], count: int) -> None:
    parts = [
        _numbers(tree.get(name, []))
        for name in (
            *("categories", "categories_nodes", "categories_segments", "categories_sizes"),
        )
    ]
    levels, nodes, starts, sizes = parts
    need(len(nodes) == len(starts) == len(sizes), _LENGTH)
    kinds = _numbers(tree.get("split_type", [0] * count))
    need(len(kinds) == count and is_within(nodes, count), _LENGTH)
    asked = np.flatnonzero(kinds == 1)
    need(bool(np.isin(asked, nodes).all()), "has a split by categories that it does not hold")
    need(is_within(levels, _MOST), "has a category that is no small number")
    inside = is_within(starts, len(levels) + 1) and is_within(sizes, len(levels) + 1)
    need(
        inside and is_within(starts + sizes, len(levels) + 1), "has categories outside of its list"
    )


def _check_xgboost_trees(model: Any, columns: int, outputs: int) -> None:
    trees, groups = _child(model, "trees"), _numbers(_child(model, "tree_info"))
    count = _stated(_child(model, "gbtree_model_param"), "num_trees", 0)
    need(isinstance(trees, list) and len(trees) == count == len(groups), _LENGTH)
    need(is_within(groups, outputs), "has a tree of an output that it does not have")
    stages = _numbers(model.get("iteration_indptr", [0, count]))
    follow = len(stages) and stages[0] == 0 and stages[-1] == count
    need(follow and bool((np.diff(stages) >= 0).all()), "has stages that do not follow each other")
    for i, tree in enumerate(trees):
        # trees are laid where their numbers say
        need(isinstance(tree, dict) and tree.get("id", i) == i, "has a tree in another's place")
        _check_xgboost_tree(tree, columns, outputs)


def check_xgboost(data: bytes) -> None:
    """
    Ask that an XGBoost file (JSON, UBJSON, or what its pickles hold) leads nowhere outside.

    Raises
    ------
    OddPartError
        It does, or cannot be read.
    """
    whole = _parse(data)
    whole = whole.get("Model", whole) if isinstance(whole, dict) else whole
    learner = _child(whole, "learner")
    param, booster = _child(learner, "learner_model_param"), _child(learner, "gradient_booster")
    columns = _stated(param, "num_feature", 0)
    classes, targets = _stated(param, "num_class", 0), _stated(param, "num_target", 1)
    outputs = max(1, classes) * max(1, targets)
    need(outputs <= _MOST, "states no sound number of outputs")
    name = _child(booster, "name")
    if name == "gblinear":
        weights = _numbers(_child(booster, "model", "weights"), np.float64)
        need(
            len(weights) == (columns + 1) * outputs, "holds another number of weights than columns"
        )
        return
    model = _child(booster, "gbtree", "model") if name == "dart" else _child(booster, "model")
    _check_xgboost_trees(model, columns, outputs)
    if name == "dart":
        drops = _numbers(_child(booster, "weight_drop"), np.float64)
        need(len(drops) == len(_child(model, "trees")), _LENGTH)


def _lines(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.split("\n") if "=" in line)
    return {name: value for name, _, value in pairs}


def _tree_lines(block: str) -> dict[str, str]:
    """Return the lines of a tree, each of which must be one: LightGBM stops at the first other."""
    held = block.rstrip("\n").split("\n")
    need(all(map(_TREE_LINE.fullmatch, held)), "has a line in a tree that states nothing")
    return _lines(block)


def _number(lines: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    text = lines.get(name)
    if text is None and otherwise is not None:
        return otherwise
    sound = text is not None and text.strip().isdigit() and len(text) < 12
    need(sound, f"states no sound {name}")
    number = int(text or 0)
    need(number <= _MOST, f"states no sound {name}")
    return number


def _row(lines: Mapping[str, str], name: str, kind: type[np.generic] = np.int64) -> NDArray[Any]:
    try:
        return np.array(lines.get(name, "").split(), dtype=kind)
    except (ValueError, OverflowError) as error:
        raise OddPartError(f"has {with_article(name)} that is no list of numbers") from error


def _check_lightgbm_tree(lines: Mapping[str, str], columns: int) -> None:
    leaves, cats = _number(lines, "num_leaves"), _number(lines, "num_cat")
    need(leaves > 0 and len(_row(lines, "leaf_value", np.float64)) == leaves, _LENGTH)
    if leaves == 1:
        return
    left, right = _row(lines, "left_child"), _row(lines, "right_child")
    split_by, kinds = _row(lines, "split_feature"), _row(lines, "decision_type")
    borders = _row(lines, "threshold", np.float64)
    need({leaves - 1} == {len(one) for one in (left, right, split_by, kinds, borders)}, _LENGTH)
    for name, length in _LENGTHS.items():
        stated = len(_row(lines, name, np.float64))
        need(name not in lines or stated == leaves + length, _LENGTH)
    # a child below 0 is the leaf of its complement
    children = np.concatenate([left, right])
    need(is_within(~children[children < 0], leaves), _CHILD)
    need(is_forest(np.maximum(left, -1), np.maximum(right, -1)), _CHILD)
    need(is_within(split_by, columns), _COLUMN)
    _check_lightgbm_categories(lines, borders[(kinds & 1) == 1], cats)
    if lines.get("is_linear", "0").strip() == "1":
        _check_lightgbm_linear(lines, leaves, columns)


def _check_lightgbm_categories(
    lines: Mapping[str, str], asked: NDArray[np.float64], count: int
) -> None:
    if not count:
        need(not len(asked), "has a split by categories that it does not hold")
        return
    ends, bits = _row(lines, "cat_boundaries"), _row(lines, "cat_threshold")
    follow = len(ends) == count + 1 and ends[0] == 0 and ends[-1] == len(bits)
    need(follow and bool((np.diff(ends) >= 0).all()), "has categories outside of its list")
    inside = bool(np.isfinite(asked).all()) and is_within(asked, count)
    need(inside, "has a split by categories that it does not hold")


def _check_lightgbm_linear(lines: Mapping[str, str], leaves: int, columns: int) -> None:
    counts = _row(lines, "num_features")
    need(len(counts) == leaves and len(_row(lines, "leaf_const", np.float64)) == leaves, _LENGTH)
    used, weights = _row(lines, "leaf_features"), _row(lines, "leaf_coeff", np.float64)
    need(is_within(counts, columns + 1) and int(counts.sum()) == len(used) == len(weights), _LENGTH)
    need(is_within(used, columns), _COLUMN)


def _blocks(text: str, start: int, sizes: NDArray[np.int64]) -> Iterator[str]:
    """Yield the text of each tree; LightGBM jumps by the sizes that the file states."""
    at = start
    for i, size in enumerate(sizes.tolist()):
        # the sizes are bytes, and trees are plain ASCII
        sound = 0 < size <= len(text) - at and text.startswith(f"Tree={i}\n", at)
        need(sound, "states another size for a tree than it has")
        yield text[at : at + size]
        at += size


def _check_parameters(text: str) -> None:
    """Refuse lines of parameters of another form: LightGBM reads behind their end."""
    _, begun, rest = text.partition("\nparameters:\n")
    lines, ended, _ = rest.partition("\nend of parameters")
    sound = not begun or (ended and all(map(_PARAMETER.fullmatch, lines.split("\n"))))
    need(sound, "has a line of parameters of another form")


def check_lightgbm(text: str) -> None:
    """
    Ask that a LightGBM text leads nowhere outside.

    Raises
    ------
    OddPartError
        It does, or cannot be read.
    """
    text = text.replace("\r\n", "\n")
    need("\0" not in text, "holds a byte that ends it early")
    _check_parameters(text)
    start = text.find("\nTree=0\n") + 1
    header = _lines(text[:start] if start else text)
    columns = _number(header, "max_feature_idx") + 1
    classes, outputs = _number(header, "num_class"), _number(header, "num_tree_per_iteration")
    need(classes == outputs > 0, "states another number of outputs than of classes")
    for name in ("feature_names", "feature_infos"):
        named = header.get(name)
        need(
            named is None or len(named.split()) in {0, columns}, f"states other {name} than columns"
        )
    sizes = _row(header, "tree_sizes")
    need(bool(start) == bool(len(sizes)), "states no sizes of its trees")
    need(len(sizes) % outputs == 0, "has another number of trees than its outputs ask for")
    for block in _blocks(text, start, sizes):
        need(block.isascii(), "has a tree that is no plain text")
        _check_lightgbm_tree(_tree_lines(block), columns)
