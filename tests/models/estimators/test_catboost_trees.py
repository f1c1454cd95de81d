"""CatBoost's own files: what their trees and tables index must be there."""

import random

import numpy as np
import pandas as pd
import pytest

from xplain_cli.models.estimators.catboost_trees import check_catboost
from xplain_cli.models.estimators.flatbuffer import root_of
from xplain_cli.models.soundness import OddPartError

catboost = pytest.importorskip("catboost")

OPTIONS = {"iterations": 5, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
KINDS = {
    "numbers": {"depth": 3},
    "categories": {"depth": 3, "cat_features": ["c", "d"]},
    "one-hot": {"depth": 3, "cat_features": ["c", "d"], "one_hot_max_size": 9},
    "leaf by leaf": {"grow_policy": "Lossguide", "max_leaves": 6, "cat_features": ["c", "d"]},
    "level by level": {"grow_policy": "Depthwise", "depth": 3},
    "three classes": {"depth": 2, "cat_features": ["c", "d"]},
}
SPLITS, SIZES, STARTS, FLOATS, STATISTICS, LEAVES, STEPS, STEP_LEAVES = 1, 2, 3, 5, 7, 8, 10, 11


@pytest.fixture(scope="module")
def stored():
    """The bytes of a model of each kind."""
    stream = np.random.default_rng(0)
    table = pd.DataFrame({
        "a": stream.normal(size=90),
        "b": stream.normal(size=90),
        "c": stream.choice(list("uvwxy"), 90),
        "d": stream.choice(list("efghij"), 90),
    })
    score = table["a"] + (table["c"] == "u")
    made = {}
    for name, options in KINDS.items():
        target = np.digitize(score, [-0.3, 0.6] if name == "three classes" else [0.2])
        used = table if "cat_features" in options else table[["a", "b"]]
        model = catboost.CatBoostClassifier(**OPTIONS, **options).fit(used, target)
        made[name] = bytes(model._serialize_model())
    return made


def trees_of(data):
    return root_of(data[8 : 8 + int.from_bytes(data[4:8], "little")]).table(1)


def spoiled(data, slot, dtype, place, value):
    """Return the file with one number of a list of its trees changed."""
    trees, kind = trees_of(data), np.dtype(dtype)
    begin = trees._target(trees._field(slot)) + 4 + 8  # behind the count, and the file's head
    count = len(trees.array(slot, dtype))
    at = begin + (place % count) * kind.itemsize
    changed = np.array([value], kind).tobytes()
    return data[:at] + changed + data[at + kind.itemsize :]


def behind(data, change):
    """Return the file with what lies behind its model changed."""
    end = 8 + int.from_bytes(data[4:8], "little")
    rest = bytearray(data[end:])
    change(rest)
    return data[:end] + bytes(rest)


def bucketed(value):
    """Change the place that the first used bucket of the first table leads to."""

    def changed(rest):
        table = root_of(bytes(rest[8:]))
        at = 8 + table._target(table._field(1)) + 4
        while rest[at : at + 8] == b"\xff" * 8:
            at += 12
        rest[at + 8 : at + 12] = value.to_bytes(4, "little")

    return changed


def filled(rest):
    """Leave no bucket empty: who looks for what is not there never ends."""
    table = root_of(bytes(rest[8:]))
    at, length = 8 + table._target(table._field(1)) + 4, len(table.array(1, "u1"))
    for bucket in range(at, at + length, 12):
        if rest[bucket : bucket + 8] == b"\xff" * 8:
            rest[bucket : bucket + 12] = (7).to_bytes(8, "little") + b"\0\0\0\0"


def put(at, value):
    return lambda rest: rest.__setitem__(slice(at, at + 4), value.to_bytes(4, "little"))


ODD = {
    "a split that is not there": ("numbers", (SPLITS, "<i4", 0, 9_999)),
    "a split below 0": ("numbers", (SPLITS, "<i4", 0, -1)),
    "a tree of 30 levels": ("numbers", (SIZES, "<i4", 0, 30)),
    "a tree below 0": ("numbers", (SIZES, "<i4", 0, -1)),
    "a tree that begins elsewhere": ("numbers", (STARTS, "<i4", 1, 1)),
    "a child behind its tree": ("leaf by leaf", (STEPS, "<u2", 0, 60_000)),
    "the last child behind all": ("level by level", (STEPS, "<u4", -1, 0x10001)),
    "a leaf that is not there": ("level by level", (STEP_LEAVES, "<u4", -1, 10_000)),
}


@pytest.mark.parametrize("name", KINDS)
def test_files_that_catboost_writes_pass(stored, name):
    check_catboost(stored[name])


@pytest.mark.parametrize("name", ODD)
def test_trees_that_lead_outside_are_refused(stored, name):
    kind, change = ODD[name]
    with pytest.raises(OddPartError, match="has a tree"):
        check_catboost(spoiled(stored[kind], *change))


@pytest.mark.parametrize(
    "change",
    [bucketed(10_000), bucketed(2**32 - 1), filled, put(0, 1_000), put(4, 2**31)],
    ids=["a place", "the last place", "no bucket is empty", "more tables", "a longer table"],
)
def test_tables_of_categories_that_lead_outside_are_refused(stored, change):
    """CatBoost itself verifies nothing of them."""
    with pytest.raises(OddPartError, match="table of categories"):
        check_catboost(behind(stored["three classes"], change))


def test_a_file_that_is_cut_short_is_refused(stored):
    data = stored["categories"]
    for end in (8, 100, len(data) // 2, len(data) - 40):
        with pytest.raises(OddPartError):
            check_catboost(data[:end])


@pytest.mark.parametrize("name", ["categories", "leaf by leaf"])
def test_any_other_byte_is_judged_without_an_error_of_ours(stored, name):
    stream = random.Random(0)  # noqa: S311 - which byte is no secret
    data = stored[name]
    refused = 0
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(stream.choice([1, 4])):
            changed[stream.randrange(4, len(data))] = stream.randrange(256)
        try:
            check_catboost(bytes(changed))
        except OddPartError:
            refused += 1
    assert refused > 20
