"""Columns are numbers only where an estimator is known to take nothing else."""

import inspect

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.utils import all_estimators

from xplain_cli.models.estimators.columns import column_kinds

ROWS = 60
COLUMNS = ("job", "x")


def people(*, words):
    stream = np.random.default_rng(0)
    job = np.resize(["a", "b", "c"] if words else [1.0, 2.0, 3.0], ROWS)
    return pd.DataFrame({"job": job, "x": stream.normal(size=ROWS)})


def inside(kind):
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [0]), remainder="passthrough"
    )
    return make_pipeline(encode, kind)


AROUND = {"estimator", "base_estimator", "regressor"}
LABELS = (np.arange(ROWS) % 2, np.arange(ROWS) % 2 + np.linspace(0, 1, ROWS))


def built(kind, model):
    """Return an estimator of a class, around a model where it takes one."""
    named = set(inspect.signature(kind.__init__).parameters)
    options = dict.fromkeys(AROUND & named, model)
    options |= {"estimators": [("a", model)]} if "estimators" in named else {}
    options |= {"param_grid": {}} if "param_grid" in named else {}
    options |= {"random_state": 0} if "random_state" in named else {}
    return kind(**options)


def fitted(kind, table):
    """Return a fitted estimator of a class; None where it cannot be fitted on the table."""
    for model, target in zip((LogisticRegression(), Ridge()), LABELS, strict=True):
        try:
            one = built(kind, inside(model)).fit(table, target)
            asked = one.predict if hasattr(one, "predict") else one.transform
            asked(table)
        except Exception:  # noqa: BLE001, S112 - whatever it says, it does not take this table
            continue
        return one
    return None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_estimator_that_takes_words_is_said_to_take_numbers_only():
    wrong, taking = [], 0
    for name, kind in all_estimators():
        one = fitted(kind, people(words=True))
        if one is None:
            continue
        taking += 1
        if "job" in column_kinds(one, COLUMNS).numeric:
            wrong.append(name)
    assert wrong == []
    assert taking > 20


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_models_of_numbers_are_known_as_such():
    unknown = []
    for name, kind in all_estimators(type_filter=["classifier", "regressor"]):
        if {"estimator", "estimators", "regressor"} & set(
            inspect.signature(kind.__init__).parameters
        ) or name.startswith("Dummy"):
            continue
        one = fitted(kind, people(words=False))
        if one is not None and column_kinds(one, COLUMNS).numeric != set(COLUMNS):
            unknown.append(name)
    assert unknown == []
    assert is_classifier(LogisticRegression())


def test_a_function_of_the_teams_own_says_nothing():
    plain = FunctionTransformer(lambda table: table).fit(people(words=True))
    assert column_kinds(plain, COLUMNS).numeric == frozenset()
    checked = FunctionTransformer(lambda table: table, validate=True).fit(people(words=False))
    assert column_kinds(checked, COLUMNS).numeric == set(COLUMNS)
    assert column_kinds(FunctionTransformer(np.log1p), COLUMNS).numeric == set(COLUMNS)


def test_bagging_on_some_columns_knows_each_of_them():
    from sklearn.ensemble import BaggingClassifier

    encode = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model = BaggingClassifier(encode, 6, max_features=1, random_state=0)
    model.fit(people(words=True), LABELS[0])
    kinds = column_kinds(model, COLUMNS)
    assert kinds.levels["job"].values == ("a", "b", "c")
    assert kinds.discrete == set(COLUMNS)


def test_what_passes_on_to_a_model_of_words_is_no_number():
    from sklearn.ensemble import HistGradientBoostingClassifier

    table = people(words=True)
    prepare = make_column_transformer((FunctionTransformer(), ["x"]), remainder="passthrough")
    prepare.set_output(transform="pandas")
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[1])
    kinds = column_kinds(make_pipeline(prepare, model).fit(table, LABELS[0]), COLUMNS)
    assert "job" not in kinds.numeric


@pytest.mark.filterwarnings("ignore")  # a label that each row has is no news to scikit-learn
def test_models_of_labels_that_never_change_say_nothing_of_columns():
    from sklearn.multiclass import OneVsRestClassifier

    always = OneVsRestClassifier(inside(LogisticRegression()))
    always.fit(people(words=True), np.tile([1, 0], (ROWS, 1)))
    assert column_kinds(always, COLUMNS).numeric == frozenset()


@pytest.mark.filterwarnings("ignore")
def test_a_code_book_leaves_words_words_whatever_it_drew():
    from sklearn.multiclass import OutputCodeClassifier

    table = people(words=True)
    alike = []
    for seed in (*range(8), 41):
        model = OutputCodeClassifier(inside(LogisticRegression()), random_state=seed)
        assert "job" not in column_kinds(model.fit(table, LABELS[0]), COLUMNS).numeric
        alike.append((model.code_book_[0] == model.code_book_[1]).all())
    assert alike == [False] * 8 + [True]  # and nothing is learned of either label
