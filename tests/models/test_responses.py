"""How outputs of a model are named and read."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.svm import SVC

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models import Signature
from xplain_cli.models.responses import to_matrix

STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(80, 3)), columns=["a", "b", "c"])


TWO = np.where(TABLE["a"] + TABLE["b"] > 0, "yes", "no")


THREE = pd.cut(TABLE["a"], [-9, -0.5, 0.5, 9], labels=["low", "mid", "top"]).astype(str).to_numpy()


NUMBER = (TABLE["a"] * 2 - TABLE["c"]).to_numpy()


BOTH = np.column_stack([TWO, THREE])


def test_one_margin_stands_for_two_classes(opened):
    model = SVC().fit(TABLE, TWO)
    loaded = opened(model)
    signature = loaded.settle(TABLE)
    margin = model.decision_function(TABLE)
    assert signature == Signature(
        *("decision_function", "classification", "raw", ("no", "yes"), 1, True),
        "explaining decision_function (margin between 2 classes: no, yes)",
    )
    assert np.array_equal(loaded.bind(signature).predict(TABLE), np.column_stack([-margin, margin]))


def test_margins_of_several_classes_have_a_column_each_and_pairs_are_refused(opened):
    signature = opened(SVC().fit(TABLE, THREE)).settle(TABLE)
    assert (signature.outputs, signature.scale, signature.margin) == (
        ("low", "mid", "top"),
        "raw",
        False,
    )
    with pytest.raises(RefusedError, match="decision_function_shape='ovr'"):
        opened(SVC(decision_function_shape="ovo").fit(TABLE, THREE)).settle(TABLE)


def test_several_outputs_of_classes_are_laid_side_by_side(opened):
    for model in (RandomForestClassifier(5), MultiOutputClassifier(LogisticRegression())):
        model.fit(TABLE, BOTH)
        loaded = opened(model)
        signature = loaded.settle(TABLE)
        first, second = ("output_0=no", "output_0=yes"), ("output_1=low", "output_1=mid")
        assert signature.outputs == (*first, *second, "output_1=top")
        assert (signature.scale, signature.positive) == ("probability", None)
        expected = np.hstack(model.predict_proba(TABLE))
        assert np.array_equal(loaded.bind(signature).predict(TABLE), expected)


def test_wrong_wishes_name_what_there_is(opened):
    model = LogisticRegression().fit(TABLE, TWO)
    with pytest.raises(UsageError, match=r"2 outputs of predict_proba \(no, yes\)"):
        opened(model, class_names=("a", "b", "c")).settle(TABLE)
    with pytest.raises(UsageError, match="--response predict_proba: LinearRegression has predict"):
        opened(LinearRegression().fit(TABLE, NUMBER), response="predict_proba").settle(TABLE)
    renamed = opened(model, class_names=("bad", "good")).settle(TABLE)
    assert (renamed.outputs, renamed.positive) == (("bad", "good"), 1)


def test_clusterers_failures_and_nan_are_refused_with_a_way_out(opened):
    with pytest.raises(RefusedError, match="finds clusters"):
        opened(KMeans(2, n_init=1).fit(TABLE)).settle(TABLE)
    with pytest.raises(RefusedError, match=r"predict failed on the first 80 rows: ValueError"):
        opened(LinearRegression().fit(TABLE, NUMBER)).settle(TABLE.assign(a=np.nan))
    broken = LinearRegression().fit(TABLE, NUMBER)
    broken.intercept_ = np.nan
    with pytest.raises(RefusedError, match="predict answered nan on 80 of the first 80 rows"):
        opened(broken).settle(TABLE)


def test_complex_numbers_are_no_answer():
    with pytest.raises(ValueError, match="answers complex numbers"):
        to_matrix(np.array([1 + 2j, 3]))


def test_outputs_of_one_name_are_refused_and_names_of_the_user_tell_them_apart(opened):
    model = LogisticRegression().fit(TABLE, TWO)
    model.classes_ = np.array(["yes", "yes"])
    with pytest.raises(RefusedError, match=r"two of its outputs are called 'yes'.*--class-names"):
        opened(model).settle(TABLE)
    assert opened(model, class_names=("no", "yes")).settle(TABLE).outputs == ("no", "yes")
