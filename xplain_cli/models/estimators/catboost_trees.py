"""Checks CatBoost's own files: the package verifies the form of its buffers, not what they index.

A file is ``CBM1``, a size, a flatbuffer of that size (catboost/libs/model/flatbuffers/model.fbs),
and then the parts that this names: the tables of statistics of categories, each with its size, of
which CatBoost verifies nothing; and what texts need, which is not looked at here.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.models.estimators.flatbuffer import FlatTable, root_of
from xplain_cli.models.soundness import found, is_within, need

_TREES, _PARTS = 1, 3  # of the model
_OUTPUTS, _SPLITS, _SIZES, _STARTS = 0, 1, 2, 3  # of its trees
_NUMBERS, _ONE_HOT, _STATISTICS, _LEAVES, _WEIGHTS, _STEPS, _STEP_LEAVES = 5, 6, 7, 8, 9, 10, 11
_ESTIMATED, _BIASES, _BINS = 13, 16, 17
_BORDERS = {
    **dict.fromkeys((_NUMBERS, _ESTIMATED), (3, "<f4")),
    _ONE_HOT: (1, "<i4"),
    _STATISTICS: (1, "<f4"),
}
"""Where features of each kind keep what they are compared with."""

_MOST, _DEEPEST, _IN_A_BIN = 2**24, 24, 254
_STEP = np.dtype([("left", "<u2"), ("right", "<u2")])
_BUCKET = np.dtype([("hash", "<u8"), ("place", "<u4")])
_EMPTY = 2**64 - 1
_TABLES = b"static_provider_v1"
_BY_CLASS, _MEANS = (0, 1), (2, 3)  # Borders and Buckets; the two of target means
_BAD_TREE = "has a tree that leads out of it"
_BAD_SPLIT = "has a tree that splits by what it does not have"
_BAD_LEAF = "has a tree without all of its leaves"
_BAD_TABLE = "has a table of categories that leads out of it"


def _compared(trees: FlatTable) -> list[int]:
    """Return of each feature, kind by kind, with how many numbers it is compared."""
    return [
        len(feature.array(slot, dtype))
        for kind, (slot, dtype) in _BORDERS.items()
        for feature in trees.tables(kind)
    ]


def _check_places(trees: FlatTable) -> None:
    """Refuse features out of order: CatBoost takes the last one for the farthest."""
    for kind, slots in ((_NUMBERS, (1, 2)), (4, (0, 1))):
        for slot in slots:
            at = np.array([one.number(slot, "i", -1) for one in trees.tables(kind)], dtype=np.int64)
            follow = is_within(at, _MOST) and bool((np.diff(at) > 0).all())
            need(follow, "has columns that do not follow each other")


def _check_symmetric(trees: FlatTable, sizes: NDArray[Any], outputs: int) -> None:
    need(is_within(sizes, _DEEPEST), _BAD_TREE)
    leaves = int((1 << sizes.astype(np.int64)).sum())
    need(len(trees.array(_LEAVES, "<f8")) == leaves * outputs, _BAD_LEAF)
    need(len(trees.array(_WEIGHTS, "<f8")) in {0, leaves}, _BAD_LEAF)


def _check_steps(trees: FlatTable, starts: NDArray[Any], sizes: NDArray[Any], outputs: int) -> None:
    """Check trees whose nodes say how far behind them their children are; 0: there is none."""
    steps, leaves = trees.array(_STEPS, _STEP), trees.array(_STEP_LEAVES, "<u4")
    need(len(steps) == len(leaves) == int((starts + sizes).max(initial=0)), _BAD_TREE)
    need(bool((sizes > 0).all()), _BAD_TREE)
    ends = np.repeat(starts + sizes, sizes)
    at = np.arange(len(steps))
    for side in ("left", "right"):
        need(bool((at + steps[side] < ends).all()), _BAD_TREE)
    told = leaves[(steps["left"] == 0) | (steps["right"] == 0)].astype(np.int64)
    values = len(trees.array(_LEAVES, "<f8"))
    need(is_within(told + outputs - 1, values), _BAD_LEAF)


def _check_trees(trees: FlatTable) -> None:
    outputs = trees.number(_OUTPUTS, "i", 0)
    need(0 < outputs <= _MOST, "states no sound number of outputs")
    splits, sizes, starts = (
        trees.array(slot, "<i4").astype(np.int64) for slot in (_SPLITS, _SIZES, _STARTS)
    )
    need(len(sizes) == len(starts) and is_within(sizes, len(splits) + 1), _BAD_TREE)
    need(bool((starts == np.cumsum(sizes) - sizes).all()), _BAD_TREE)
    need(int(sizes.sum()) == len(splits), _BAD_TREE)
    compared = _compared(trees)
    # where nothing is compared, all that trees say is 0
    need(is_within(splits, max(1, sum(compared))), _BAD_SPLIT)
    bins = trees.array(_BINS, np.dtype([("place", "<u2"), ("mask", "u1"), ("split", "u1")]))
    need(len(bins) in {0, len(splits)}, _BAD_SPLIT)
    need(is_within(bins["place"], max(1, sum(-(-n // _IN_A_BIN) for n in compared))), _BAD_SPLIT)
    need(len(trees.array(_BIASES, "<f8")) in {0, outputs}, "states other outputs than it has")
    _check_places(trees)
    if len(trees.array(_STEPS, _STEP)):
        _check_steps(trees, starts, sizes, outputs)
    else:
        _check_symmetric(trees, sizes, outputs)


def _tables(data: bytes, at: int) -> Iterator[FlatTable]:
    """Yield the tables of statistics that lie behind the model."""
    need(at + 4 <= len(data), _BAD_TABLE)
    count, at = int.from_bytes(data[at : at + 4], "little"), at + 4
    for _ in range(count):
        size = int.from_bytes(data[at : at + 4], "little")
        need(0 < size <= len(data) - at - 4, _BAD_TABLE)
        yield root_of(data[at + 4 : at + 4 + size])
        at += 4 + size


def _check_table(table: FlatTable) -> tuple[int, int]:
    """Check a table that is found by hash; return the kind of its statistics and its classes."""
    base = found(table.table(0), _BAD_TABLE)
    kind, classes = base.number(1, "b", 0), table.number(4, "i", 0)
    raw, held = table.array(1, "u1"), table.array(2, "u1")
    need(len(raw) % _BUCKET.itemsize == 0 and len(raw), _BAD_TABLE)
    buckets = np.frombuffer(raw.tobytes(), _BUCKET)
    used = buckets["hash"] != _EMPTY
    # looked for by steps that end at an empty one
    need(len(buckets) & (len(buckets) - 1) == 0 and not used.all(), _BAD_TABLE)
    need(0 <= kind <= 5 and 0 <= classes <= _MOST, _BAD_TABLE)
    need(kind not in _BY_CLASS or classes > 1, _BAD_TABLE)
    width = 8 if kind in _MEANS else 4 * (classes if kind in _BY_CLASS else 1)
    places = buckets["place"][used].astype(np.int64)
    need(is_within((places + 1) * width, len(held) + 1), _BAD_TABLE)
    return kind, classes


def _check_statistics(trees: FlatTable, data: bytes, at: int) -> None:
    known: dict[int, int] = {}
    for table in _tables(data, at):
        kind, classes = _check_table(table)
        known[kind] = min(classes, known.get(kind, classes))
    for feature in trees.tables(_STATISTICS):
        asked = found(feature.table(0), _BAD_TABLE)
        kind, border = found(asked.table(0), _BAD_TABLE).number(1, "b", 0), asked.number(1, "i", 0)
        sound = kind not in _BY_CLASS or 0 <= border < known.get(kind, 0)
        need(sound, "asks for a class that its tables do not have")


def check_catboost(data: bytes) -> None:
    """
    Ask that a CatBoost file is whole, and that its trees and tables lead nowhere outside.

    Raises
    ------
    OddPartError
        It is cut short, or leads outside.
    """
    size = int.from_bytes(data[4:8], "little")
    need(8 < size + 8 <= len(data), "is cut short")
    model = root_of(data[8 : 8 + size])
    trees = found(model.table(_TREES), "holds no trees")
    _check_trees(trees)
    parts = model.texts(_PARTS)
    if parts and parts[0] == _TABLES:
        _check_statistics(trees, data, 8 + size)
    need(parts or not trees.tables(_STATISTICS), "lacks the tables of its categories")
