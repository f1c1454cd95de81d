"""Checks the tree ensembles of ONNX graphs: onnxruntime follows their ids wherever they lead.

A child that is its own ancestor is walked for ever, where no signal ends it; a class, a target or a
column that is none is foreign memory. A node may have several parents (LightGBM's sets of
categories are exported so), as long as no way through the tree meets it twice.
The field numbers are those of onnx.proto, as in ``files``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import with_article
from xplain_cli.explanation import BoolArray, IntArray
from xplain_cli.models.onnx.files import fields
from xplain_cli.models.pickles.unpickler import Content
from xplain_cli.models.soundness import OddPartError, need

_NODE_OP, _NODE_ATTRIBUTE = 4, 5
_NAME, _ONE, _TENSOR, _FLOATS, _WHOLE, _TEXTS = 1, 3, 5, 7, 8, 9
_TENSOR_TYPE, _TENSOR_RAW, _TENSOR_SMALL, _TENSOR_DIMS = 2, 9, 5, 1
_BYTE = 2  # the type of small numbers
# what repeats of an attribute looks like, one value after another
_FLOAT_RUN = re.compile(rb"(?:\x3d.{4})++", re.DOTALL)
_WHOLE_RUN = re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])++", re.DOTALL)
_TEXT_RUN = re.compile(rb"(?:\x4a(?:\x0aBRANCH_[A-Z]{3}|\x09BRANCH_[A-Z]{2}|\x04LEAF))++")
_MODE = re.compile(rb"BRANCH_(?:LEQ|LT|GTE|GT|EQ|NEQ)|LEAF")
_MODES = frozenset({
    b"LEAF",
    *(b"BRANCH_" + one for one in (b"LEQ", b"LT", b"GTE", b"GT", b"EQ", b"NEQ")),
})
_LEAF = b"LEAF"
_MEMBER = 6  # BRANCH_MEMBER, the last of the modes of TreeEnsemble, which has no leaves among them
_CYCLE = "holds a tree whose nodes lead back to themselves"
_LENGTHS = "states other numbers of nodes than it has"
_TARGET = "adds to a class or target that it does not have"
_NO_NODE = "names a node that is not there"
_MOST_NODES = 2**31
_MOST_COLUMNS = 2**24


@dataclass
class _Attribute:
    """What an attribute holds: whole numbers, texts, how many floats, a tensor's place."""

    whole: list[IntArray] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    floats: int = 0
    one: int | None = None
    tensor: tuple[int, int] | None = None

    @property
    def numbers(self) -> IntArray:
        """The whole numbers."""
        return np.concatenate(self.whole) if self.whole else np.empty(0, dtype=np.int64)


def _varints(data: bytes, *, tagged: bool) -> IntArray:
    """Return the numbers of packed varints, or of varints that each follow a byte of their tag."""
    found = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(found < 128)
    if tagged:  # a tag is a byte below 128 as well: every second one is an end
        starts, ends = ends[0::2] + 1, ends[1::2]
    else:
        starts = np.concatenate([[0], ends[:-1] + 1])
    if not len(ends):
        return np.empty(0, dtype=np.int64)
    lengths = ends - starts + 1
    need(len(starts) == len(ends) and int(lengths.max()) <= 10, "holds a number that is none")
    value = np.zeros(len(ends), dtype=np.uint64)
    for byte in range(int(lengths.max())):
        more = lengths > byte
        part = found[np.where(more, starts + byte, 0)].astype(np.uint64) & np.uint64(127)
        value |= np.where(more, part << np.uint64(7 * byte), np.uint64(0))
    return value.view(np.int64)


def _values(data: Content, start: int, stop: int) -> _Attribute:
    """Read an attribute; its runs of numbers and modes at once, for there may be millions."""
    made = _Attribute()
    while start < stop:
        run = _WHOLE_RUN.match(data, start, stop)
        if run is not None:
            made.whole.append(_varints(bytes(run.group()), tagged=True))
            start = run.end()
            continue
        run = _FLOAT_RUN.match(data, start, stop)
        if run is not None:
            made.floats += (run.end() - start) // 5
            start = run.end()
            continue
        run = _TEXT_RUN.match(data, start, stop)
        if run is not None:
            made.texts += _MODE.findall(run.group())
            start = run.end()
            continue
        number, wire, a, b = next(fields(data, start, stop))
        start = b
        _add(made, data, number, wire, (a, b))
    return made


def _add(made: _Attribute, data: Content, number: int, wire: int, at: tuple[int, int]) -> None:
    """Add one field to an attribute."""
    if number == _WHOLE and wire == 2:
        made.whole.append(_varints(bytes(data[at[0] : at[1]]), tagged=False))
    elif number == _FLOATS and wire == 2:
        made.floats += (at[1] - at[0]) // 4
    elif number == _TEXTS and wire == 2:
        made.texts.append(bytes(data[at[0] : at[1]]))
    elif number == _ONE and wire == 0:
        made.one = at[0]
    elif number == _TENSOR and wire == 2:
        made.tensor = at


def _attributes(data: Content, start: int, stop: int) -> dict[str, _Attribute]:
    found = {}
    for number, wire, a, b in fields(data, start, stop):
        if (number, wire) != (_NODE_ATTRIBUTE, 2):
            continue
        first, form, c, d = next(fields(data, a, b))  # writers put the name first
        need((first, form) == (_NAME, 2), "has an attribute without a name")
        name = bytes(data[c:d]).decode("utf-8", "replace")
        need(name not in found, "states an attribute twice")
        found[name] = _values(data, d, b)
    return found


def _count(data: Content, held: _Attribute) -> int:
    """Return how many floats an attribute or its tensor holds."""
    if held.tensor is None:
        return held.floats
    lengths = [
        _varints(bytes(data[a:b]), tagged=False) if wire == 2 else np.array([a])
        for number, wire, a, b in fields(data, *held.tensor)
        if number == _TENSOR_DIMS
    ]
    return int(np.concatenate(lengths).prod()) if lengths else 1


def _bytes_of(data: Content, held: _Attribute) -> NDArray[np.uint8]:
    """Return the small numbers of a tensor."""
    parts = list(fields(data, *held.tensor)) if held.tensor is not None else []
    kind = [a for number, _, a, _ in parts if number == _TENSOR_TYPE]
    raw = [bytes(data[a:b]) for number, wire, a, b in parts if number == _TENSOR_RAW and wire == 2]
    need(kind == [_BYTE] and len(raw) == 1, "holds modes that are none")
    return np.frombuffer(raw[0], np.uint8)


def _within(numbers: IntArray, count: int, said: str) -> None:
    need(not len(numbers) or (numbers.min() >= 0 and int(numbers.max()) < count), said)


def _check_ways(children: IntArray, there: BoolArray) -> None:
    """
    Refuse nodes on a way that leads back to itself.

    Parameters
    ----------
    children : (2, n) int
        The places of both children of each node.
    there : (2, n) bool
        Whether they are nodes.
    """
    count = children.shape[1]
    waiting = np.bincount(children[there], minlength=count)  # parents that were not passed yet
    front, passed = np.flatnonzero(waiting == 0), 0
    while len(front):
        passed += len(front)
        below = children[:, front][there[:, front]]
        np.subtract.at(waiting, below, 1)
        front = np.unique(below[waiting[below] == 0])
    need(passed == count, _CYCLE)


class _Ids:
    """The places of nodes by the two numbers that name each: its tree and its own."""

    def __init__(self, trees: IntArray, nodes: IntArray) -> None:
        _within(nodes, _MOST_NODES, "holds a node whose number is none")
        self._trees = np.unique(trees)
        keys = self._keys(trees, nodes)
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        need((self._sorted[1:] != self._sorted[:-1]).all(), "holds two nodes of one number")

    def _keys(self, trees: IntArray, nodes: IntArray) -> IntArray:
        at = np.minimum(np.searchsorted(self._trees, trees), len(self._trees) - 1)
        need((self._trees[at] == trees).all(), "names a tree that is not there")
        return np.asarray(at * _MOST_NODES + nodes, dtype=np.int64)

    def places(self, trees: IntArray, nodes: IntArray) -> IntArray:
        """Return where nodes stand; each must be there."""
        _within(nodes, _MOST_NODES, _NO_NODE)
        keys = self._keys(trees, nodes)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        need((self._sorted[at] == keys).all(), _NO_NODE)
        return np.asarray(self._order[at], dtype=np.int64)


def _check_lengths(data: Content, held: Mapping[str, _Attribute], count: int) -> None:
    """Refuse what is stated of another number of nodes than there are."""
    values = held.get("nodes_values") or held.get("nodes_values_as_tensor")
    need(values is not None and _count(data, values) == count, _LENGTHS)
    for name in ("nodes_hitrates", "nodes_hitrates_as_tensor"):
        need(name not in held or _count(data, held[name]) in {0, count}, _LENGTHS)
    missing = held.get("nodes_missing_value_tracks_true")
    need(missing is None or len(missing.numbers) in {0, count}, _LENGTHS)


def _check_pairs(data: Content, held: Mapping[str, _Attribute], ends: str) -> IntArray:
    """Check an ensemble whose nodes are named by tree and node; return the columns of branches."""
    ids = {name: one.numbers for name, one in held.items()}
    trees = ids.get("nodes_treeids", np.empty(0, dtype=np.int64))
    count = len(trees)
    names = ("nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids")
    need(count and all(len(ids.get(name, ())) == count for name in names), _LENGTHS)
    modes = held["nodes_modes"].texts if "nodes_modes" in held else []
    need(len(modes) == count and set(modes) <= _MODES, "holds modes that are none")
    _check_lengths(data, held, count)
    branch = np.array([mode != _LEAF for mode in modes])
    known = _Ids(trees, ids["nodes_nodeids"])
    children: IntArray = np.zeros((2, count), dtype=np.int64)
    for side, name in enumerate(("nodes_truenodeids", "nodes_falsenodeids")):
        children[side, branch] = known.places(trees[branch], ids[name][branch])
    _check_ways(children, np.stack([branch, branch]))
    own = [
        ids.get(f"{ends}_{part}", np.empty(0, dtype=np.int64)) for part in ("treeids", "nodeids")
    ]
    need(len(own[0]) == len(own[1]) and len(own[0]), _LENGTHS)
    known.places(*own)
    weights = held.get(f"{ends}_weights") or held.get(f"{ends}_weights_as_tensor")
    need(weights is not None and _count(data, weights) == len(own[0]), _LENGTHS)
    need(len(ids.get(f"{ends}_ids", ())) == len(own[0]), _LENGTHS)
    return np.asarray(ids["nodes_featureids"][branch], dtype=np.int64)


def _check_classes(data: Content, held: Mapping[str, _Attribute]) -> IntArray:
    labels = [held[name] for name in ("classlabels_strings", "classlabels_int64s") if name in held]
    count = max((max(len(one.texts), len(one.numbers)) for one in labels), default=0)
    columns = _check_pairs(data, held, "class")
    _within(held["class_ids"].numbers, count, _TARGET)
    return columns


def _check_targets(data: Content, held: Mapping[str, _Attribute]) -> IntArray:
    columns = _check_pairs(data, held, "target")
    stated = held.get("n_targets")
    need(stated is not None and stated.one, _TARGET)
    _within(held["target_ids"].numbers, (stated.one if stated else 0) or 0, _TARGET)
    return columns


def _check_places(data: Content, held: Mapping[str, _Attribute]) -> IntArray:
    """Check an ensemble of opset 5, whose children are places of nodes or of leaves."""
    ids = {name: one.numbers for name, one in held.items()}
    empty = np.empty(0, dtype=np.int64)
    columns = ids.get("nodes_featureids", empty)
    count, leaves = len(columns), len(ids.get("leaf_targetids", empty))
    need(count and leaves, _LENGTHS)
    children: IntArray = np.zeros((2, count), dtype=np.int64)
    there: BoolArray = np.zeros((2, count), dtype=np.bool_)
    for side, name in enumerate(("true", "false")):
        at, ends = ids.get(f"nodes_{name}nodeids", empty), ids.get(f"nodes_{name}leafs", empty)
        need(len(at) == count and len(ends) == count, _LENGTHS)
        _within(at[ends != 0], leaves, "names a leaf that is not there")
        _within(at[ends == 0], count, _NO_NODE)
        children[side], there[side] = at, ends == 0
    _check_ways(children, there)
    roots = ids.get("tree_roots", empty)
    need(len(roots), _LENGTHS)
    _within(roots, count, _NO_NODE)
    modes = _bytes_of(data, held.get("nodes_modes", _Attribute()))
    need(len(modes) == count and int(modes.max()) <= _MEMBER, "holds modes that are none")
    splits = held.get("nodes_splits", _Attribute())
    need(splits.tensor is not None and _count(data, splits) == count, _LENGTHS)
    weights = held.get("leaf_weights", _Attribute())
    need(weights.tensor is not None and _count(data, weights) == leaves, _LENGTHS)
    stated = held["n_targets"].one if "n_targets" in held else None
    _within(ids["leaf_targetids"], stated or 0, _TARGET)
    return columns


_CHECKS = {
    "TreeEnsemble": _check_places,
    "TreeEnsembleClassifier": _check_classes,
    "TreeEnsembleRegressor": _check_targets,
}


def _operator(data: Content, start: int, stop: int) -> str:
    parts = (
        bytes(data[a:b]) for n, wire, a, b in fields(data, start, stop) if n == _NODE_OP and wire
    )
    return b"".join(parts).decode("utf-8", "replace")


def odd_trees(data: Content, start: int, stop: int, columns: int | None) -> str | None:
    """
    Return what of an operator is no whole tree, or None: also where it holds none.

    Parameters
    ----------
    start, stop
        Where the operator's bytes are.
    columns
        How many columns its rows have; None: nobody knows.

    Raises
    ------
    IndexError
        The bytes are no operator.
    """
    name = _operator(data, start, stop)
    if name not in _CHECKS:
        return None
    try:
        asked = _CHECKS[name](data, _attributes(data, start, stop))
        most = _MOST_COLUMNS if columns is None else columns
        _within(asked, most, "splits by a column that it does not have")
    except OddPartError as odd:
        return f"{with_article(name)} that {odd}"
    except StopIteration as error:
        raise IndexError from error
    return None
