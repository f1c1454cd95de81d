"""Cells that stay: baselines of every kind keep them, and draws and texts change around them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from backgrounds import answers, reference, table

from xplain_cli.baselines import open_baseline
from xplain_cli.baselines.held_cells import HeldCells
from xplain_cli.baselines.kept import KeptMember
from xplain_cli.baselines.tables import differ
from xplain_cli.errors import RefusedError
from xplain_cli.modalities.tabular.masks import TableMasker

EVERY = (
    *("mean", "median", "mode", "zero", "row=3", "file=ab", "sample:k=4", "sample:k=2,class=yes"),
    *("medoid", "nearest", "nearest:class=yes", "revert", "revert:class=no"),
)
MEMBERS = {"a": ("a",), "b": ("b",), "c": ("c",)}


def masker(text, rows, held):
    free = [name for name in MEMBERS if name not in held]
    known = replace(reference(rows), held=held, members=tuple(MEMBERS[name] for name in free))
    return TableMasker(
        names=tuple(free),
        members=known.members,
        columns=tuple(MEMBERS),
        kinds=("number", "number", "category"),
        giver=open_baseline("tabular", text).fit(known),
        distance=known.distance,
        outputs=("no", "yes"),
        held=held,
    )


def grounded(own, some, ask=answers):
    pairs = np.tile([[1, -1]], (len(some), 1, 1))
    return own.split(some).with_baselines(pairs, answers(some), ask)


@pytest.mark.parametrize("held", [("b",), ("b", "c")], ids=["a number", "a category too"])
@pytest.mark.parametrize("text", EVERY)
def test_no_baseline_changes_what_is_held(text, held, rng):
    """Neither in what the model is asked on the way, nor in any mask."""
    rows = table(rng)
    some = rows.head(4).assign(b=[1.5, 2.5, np.nan, 4.5])
    own, asked = masker(text, rows, held), []

    def ask(frame):
        asked.append(frame)
        return answers(frame)

    split, _ = grounded(own, some, ask)
    pairs = {tuple(line) for line in some[list(held)].astype(str).to_numpy().tolist()}
    for frame in asked:
        assert {tuple(line) for line in frame[list(held)].astype(str).to_numpy().tolist()} <= pairs
    mine = some.loc[some.index.repeat(own.giver.k)].reset_index(drop=True)
    assert not differ(mine, split.ground.table, [held]).any()
    for row in range(4):
        made = split.masked(row, rng.random((8, split.counts[row])) < 0.5)
        kept = some.iloc[[row] * len(made)].reset_index(drop=True)
        assert not differ(kept, made, [held]).any()
        assert differ(kept, made, [("a",)]).any() or not split.moves[row, 0]
    assert split.shown().names.tolist()[0] == [name for name in MEMBERS if name not in held]


@pytest.mark.parametrize("text", ["nearest:class=yes", "revert:class=yes"])
def test_the_nearest_of_a_class_is_still_of_it_with_the_own_cells(text, rng):
    """By brute force: of all rows of the class, the nearest one that stays there."""
    rows = table(rng)
    some = rows[answers(rows).argmax(axis=1) == 0].head(5).reset_index(drop=True)
    own = masker(text, rows, ("c",))
    split, _ = grounded(own, some)
    assert (answers(split.ground.table).argmax(axis=1) == 1).all()
    if text.startswith("revert"):
        return
    others = rows[answers(rows).argmax(axis=1) == 1].reset_index(drop=True)
    scale = own.distance
    for row in range(len(some)):
        mixed = others.assign(c=some["c"][row])
        stays = answers(mixed).argmax(axis=1) == 1
        far = scale.between(scale.coded(mixed), scale.coded(some.iloc[[row]]))
        best = mixed[stays].iloc[far[stays].argmin()]
        assert split.ground.table.iloc[row].astype(str).tolist() == best.astype(str).tolist()


def test_a_row_that_no_candidate_fits_is_refused(rng):
    """The class hangs on what is held alone."""

    def by_word(frame):
        red = (frame["c"] == "red").to_numpy(dtype=float)
        return np.column_stack([1 - red, red])

    rows = table(rng)
    known = replace(reference(rows), held=("c",), predicted=by_word(rows).argmax(axis=1))
    giver = open_baseline("tabular", "nearest:class=yes").fit(known)
    assert isinstance(giver, KeptMember)
    green = rows.head(1).assign(c="green")
    with pytest.raises(RefusedError, match="stays in it with this row's own 'c'"):
        giver.assign(green, np.array([1]), by_word)


def test_noise_and_slopes_pass_the_held_columns_by(rng):
    rows = table(rng).drop(columns="c").assign(c=1.0)
    split, _ = grounded(replace(masker("mean", table(rng), ("b", "c")), every=True), table(rng))
    shifted = split.shifted()
    assert not differ(split.inputs, shifted, [("b",), ("c",)]).any()
    assert differ(split.inputs, shifted, [("a",)]).all()
    parts = rng.normal(size=(len(rows), 3))
    assert split.pooled(np.arange(len(rows)), parts).tolist() == parts[:, :1].tolist()


def test_other_cells_stand_in_the_free_columns_alone():
    held = HeldCells(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), ("b",))
    assert held.of_row(1, {"a": [8, 9], "b": ["p", "q"]}).to_numpy().tolist() == [
        [2.0, "p"],
        [2.0, "q"],
    ]
