"""Masked rows of a table: each feature is that of the row or of its baselines."""

import numpy as np
import pandas as pd
import pytest
from backgrounds import answers, fitted, reference, table

from xplain_cli.modalities.tabular.masks import TableMasker


def perturbation(text, rows):
    return TableMasker(
        names=("a", "both"),
        members=(("a",), ("b", "c")),
        columns=("a", "b", "c"),
        kinds=("number", "number", "category"),
        giver=fitted(text, rows),
        distance=reference(rows).distance,
        outputs=("no", "yes"),
    )


@pytest.mark.parametrize("text", ["mean", "sample:k=4"])
def test_masks_take_values_from_the_row_or_its_baselines(text, rng):
    rows = table(rng)
    own = perturbation(text, rows)
    split = own.split(rows.head(4))
    pairs = np.tile([[0, -1]], (4, 1, 1))
    split, asked = split.with_baselines(pairs, answers(rows.head(4)), answers)
    assert not asked.any()
    masks = np.array([[True, False], [False, True], [True, True], [False, False]])
    made = split.masked(2, masks)
    k = own.giver.k
    x, base = rows.iloc[2], own.giver.table
    for m, (first, second) in enumerate(masks.tolist()):
        for j in range(k):
            line = made.iloc[m * k + j]
            assert line["a"] == (x["a"] if first else base["a"][j])
            assert line["c"] == (x["c"] if second else base["c"][j])


def test_a_mask_on_one_baseline_is_its_line_among_those_on_all(rng):
    rows = table(rng)
    own = perturbation("sample:k=4", rows)
    pairs = np.tile([[0, -1]], (4, 1, 1))
    split, _ = own.split(rows.head(4)).with_baselines(pairs, answers(rows.head(4)), answers)
    masks = np.array([[True, False], [False, True], [False, False]])
    whole, some = split.masked(2, masks), split.masked_on(2, masks, np.array([3, 0, 2]))
    pd.testing.assert_frame_equal(some, whole.iloc[[3, 4, 10]].reset_index(drop=True))
    numbers, owners = split.baseline_numbers(2)
    assert owners.tolist() == [0, 1, 1]
    assert numbers[:, :2] == pytest.approx(own.giver.table[["a", "b"]].to_numpy(), nan_ok=True)
    category = own.giver.table["c"]
    assert numbers[:, 2].tolist() == [(category == c).sum() for c in category]


def test_features_equal_to_the_baseline_are_no_players(rng):
    rows = table(rng)
    own = perturbation("row=3", rows)
    split, _ = own.split(rows.head(5)).with_baselines(
        np.tile([[0, -1]], (5, 1, 1)), answers(rows.head(5)), answers
    )
    assert split.counts[3] == 0
    assert split.shown().values.shape == (5, 2)
