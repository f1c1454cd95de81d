"""The contract of the baselines: what each gives, whatever the order of the background."""

import numpy as np
import pandas as pd
import pytest
from backgrounds import answers, fitted, given, table

from xplain_cli.baselines import BASELINES, open_baseline
from xplain_cli.baselines.assignment import NO_CLASS
from xplain_cli.errors import UsageError

# every kind once, and once for every setting that takes another path
KINDS = {
    "zero": "zero",
    "mean": "mean",
    "median": "median",
    "mode": "mode",
    "row": "row=7",
    "file": "file=some.csv",
    "sample": "sample:k=6",
    "sample of a class": "sample:k=6,class=yes",
    "medoid": "medoid",
    "nearest": "nearest",
    "nearest of a class": "nearest:class=no",
    "revert": "revert",
    "revert of a class": "revert:class=yes",
    "ganmex": "ganmex=G.xplain",
    "ganmex of a class, reverted": "ganmex=G.xplain,revert=yes,class=yes",
}


def test_the_contract_names_every_kind():
    assert set(BASELINES["tabular"]) <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_gets_k_rows_that_the_model_takes(kind, rng):
    rows = table(rng)
    giver, ground, _ = given(KINDS[kind], rows, rows.head(5))
    assert len(ground.values) == 5 * giver.k
    assert list(ground.values.columns) == list(rows.columns)
    assert ground.values.dtypes.tolist() == rows.dtypes.tolist()
    assert len(ground.origins) == len(ground.asked) == 5
    assert np.isfinite(answers(ground.values)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_together_or_alone_get_the_same(kind, rng):
    rows = table(rng)
    giver, whole, _ = given(KINDS[kind], rows, rows.head(6))
    for i in range(6):
        _, alone, _ = given(KINDS[kind], rows, rows.iloc[[i]].reset_index(drop=True))
        own = whole.values.iloc[i * giver.k : (i + 1) * giver.k].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone.values, own)
        assert alone.asked[0] == whole.asked[i]


@pytest.mark.parametrize("kind", ["medoid", "nearest", "nearest of a class", "revert"])
def test_a_class_baseline_is_of_the_class(kind, rng):
    rows = table(rng)
    _, ground, wanted = given(KINDS[kind], rows, rows.head(20))
    assert (answers(ground.values).argmax(axis=1) == wanted).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("neerest", "nearest"),
        ("nearest:klass=yes", "class"),
        ("nearest:class=maybe", "no, yes"),
        ("sample:k=0", "1 or above"),
        ("row", "row=17"),
    ],
)
def test_what_is_wrong_with_a_baseline_is_said(text, said, rng):
    with pytest.raises(UsageError, match=said):
        fitted(text, table(rng))


def test_no_baseline_has_no_class_but_those_that_say_so(rng):
    rows = table(rng)
    classes = {text: fitted(text, rows).wanted for text in KINDS.values()}
    assert {text for text, wanted in classes.items() if wanted is None} == {
        *("medoid", "nearest", "revert", "ganmex=G.xplain"),
    }
    assert classes["mean"] == classes["sample:k=6"] == NO_CLASS
    assert classes["sample:k=6,class=yes"] == 1


def test_texts_have_no_generator_and_are_told_what_to_take():
    for text in ("ganmex=G.xplain", "ganmex", "ganmex:path=G.xplain"):
        with pytest.raises(UsageError, match="take nearest:class=NAME"):
            open_baseline("text", text)
