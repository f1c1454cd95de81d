"""Rows between their baseline and themselves: masks are the case of 0 and 1 alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from xplain_cli.baselines.assignment import NO_CLASS, Assigned
from xplain_cli.baselines.fills import FilledPictures, MeanColour
from xplain_cli.baselines.tables import measure_distance
from xplain_cli.errors import UsageError
from xplain_cli.modalities.image.compose import InputForm, PictureRow, blend, compose
from xplain_cli.modalities.tabular.masks import TableMasker
from xplain_cli.modalities.text.masks import TextMasker

MASKS = np.array([[True, False], [False, True], [True, True], [False, False]])
ROWS = pd.DataFrame({"a": [1.0, np.inf], "b": [2.0, 4.0], "c": [8.0, np.nan]})


@dataclass(frozen=True)
class Fixed:
    """Gives every row the same two baselines."""

    table: pd.DataFrame
    k: int = 2
    wanted: int = NO_CLASS
    most_asked: int = 0

    def assign(self, rows, _classes, _ask):
        table = pd.concat([self.table] * len(rows), ignore_index=True)
        return Assigned(table, ["here"] * len(rows), np.zeros(len(rows), dtype=int))


def based(rows):
    """Return rows with features a, and b with c, each against two baselines."""
    columns = tuple(rows.columns)
    theirs = pd.concat([rows.head(1), rows.head(1)], ignore_index=True)
    theirs["a"], theirs["b"] = [10.0, 20.0], [-6.0, 0.0]
    perturbation = TableMasker(
        names=("a", "both"),
        members=(("a",), ("b", "c")),
        columns=columns,
        kinds=("number",) * 3,
        giver=Fixed(theirs),
        distance=measure_distance(rows, frozenset(rows) - frozenset(rows.select_dtypes("number"))),
        outputs=("no", "yes"),
    )
    pairs = np.tile([[0, -1]], (len(rows), 1, 1))
    return perturbation.split(rows).with_baselines(pairs, np.zeros((len(rows), 2)), None)[0]


@pytest.mark.parametrize("row", [0, 1])
def test_a_table_at_the_ends_is_what_its_masks_give(row):
    split = based(ROWS)
    wanted, got = split.masked(row, MASKS), split.between(row, MASKS.astype(float))
    pd.testing.assert_frame_equal(wanted, got)


def test_a_table_goes_straight_from_each_baseline_to_the_row():
    got = based(ROWS).between(0, np.array([[0.25, 0.5]]))
    assert got["a"].tolist() == [0.25 * 1 + 0.75 * 10, 0.25 * 1 + 0.75 * 20]
    assert got["b"].tolist() == [0.5 * 2 - 0.5 * 6, 0.5 * 2]


def test_columns_of_words_have_nothing_between():
    split = based(ROWS.assign(c=np.array(["x", "y"], dtype=object)))
    with pytest.raises(UsageError, match="column of words: c"):
        split.between(0, np.array([[0.5, 0.5]]))


def picture(layout, dtype):
    values = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    labels = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0)
    form = InputForm(layout, dtype)
    return PictureRow(
        id="p",
        values=values,
        is_8bit=True,
        labels=labels,
        box=(0.0, 0.0, 6.0, 4.0),
        size=(6, 4),
        form=form,
        hidden=FilledPictures(MeanColour()),
    )


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_picture_at_the_ends_is_what_its_masks_give(layout, dtype):
    row = picture(layout, dtype)
    wanted, got = compose(row, MASKS), blend(row, MASKS.astype(float))
    assert got.dtype == wanted.dtype
    assert got.tobytes() == wanted.tobytes()


def test_a_picture_half_way_is_the_mean_of_both():
    row = picture("NHWC", "float64")
    got = blend(row, np.array([[0.5, 0.5]]))[0]
    assert got == pytest.approx((row.seen + row.stand_in) / 2)


def test_pictures_of_whole_numbers_have_nothing_between():
    with pytest.raises(UsageError, match="nothing lies between whole numbers"):
        blend(picture("NHWC", "uint8"), np.array([[0.5, 0.5]]))


def test_texts_have_nothing_between():
    with pytest.raises(UsageError, match="as a whole"):
        TextMasker().split(["a b"]).between(0, np.array([[0.5, 0.5]]))
