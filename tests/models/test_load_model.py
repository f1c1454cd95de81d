"""Estimators and callables: what is asked, how outputs are named, and trees as leaf boxes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models import ModelRecipe, Settled, load_model

STREAM = np.random.default_rng(0)
TABLE = pd.DataFrame(STREAM.normal(size=(80, 3)), columns=["a", "b", "c"])
TWO = np.where(TABLE["a"] + TABLE["b"] > 0, "yes", "no")
THREE = pd.cut(TABLE["a"], [-9, -0.5, 0.5, 9], labels=["low", "mid", "top"]).astype(str).to_numpy()
NUMBER = (TABLE["a"] * 2 - TABLE["c"]).to_numpy()
BOTH = np.column_stack([TWO, THREE])


@pytest.fixture
def opened(tmp_path):
    """Store a model, open it through the door with some wishes."""

    def opener(model, **wishes):
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps(model))
        return load_model(ModelRecipe(str(path), **wishes))

    return opener


def probability(model, names, count):
    note = f"explaining predict_proba (probability of {count} classes: {', '.join(names)})"
    positive = 1 if count == 2 else None
    return Settled(
        "predict_proba", "classification", "probability", names, positive, margin=False, note=note
    )


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (LogisticRegression(), TWO),
        (RandomForestClassifier(10, random_state=0), THREE),
        (make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=2000, tol=0.1)), THREE),
        (GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2, n_jobs=1), TWO),
        (CalibratedClassifierCV(RidgeClassifier(), cv=2), TWO),
        (VotingClassifier([("a", LogisticRegression())], voting="soft"), THREE),
        (StackingClassifier([("a", DecisionTreeClassifier())], cv=2), TWO),
        (HistGradientBoostingClassifier(max_iter=3), TWO),
    ],
    ids=lambda value: type(value).__name__,
)
def test_classifiers_answer_probabilities_of_their_classes_by_name(opened, model, target):
    loaded = opened(model.fit(TABLE, target))
    settled = loaded.settle(TABLE.head())
    names = tuple(sorted(set(target)))
    assert settled == probability(model, names, len(names))
    answers = loaded.bind(settled).predict(TABLE)
    assert np.array_equal(answers, model.predict_proba(TABLE))
    assert (answers.dtype, answers.flags.c_contiguous) == (np.float64, True)
    assert (loaded.kind, loaded.columns, loaded.n_columns) == ("scikit-learn", ("a", "b", "c"), 3)


@pytest.mark.parametrize(
    "model", [OneClassSVM(), IsolationForest(n_estimators=5), LocalOutlierFactor(novelty=True)]
)
def test_outlier_detectors_answer_their_score(opened, model):
    loaded = opened(model.fit(TABLE.to_numpy()))
    settled = loaded.settle(TABLE)
    assert (settled.task, settled.scale, settled.outputs) == ("anomaly", "raw", ("anomaly_score",))
    expected = model.decision_function(TABLE.to_numpy())[:, None]
    assert np.array_equal(loaded.bind(settled).predict(TABLE), expected)


def test_one_margin_stands_for_two_classes(opened):
    model = SVC().fit(TABLE, TWO)
    loaded = opened(model)
    settled = loaded.settle(TABLE)
    margin = model.decision_function(TABLE)
    assert settled == Settled(
        *("decision_function", "classification", "raw", ("no", "yes"), 1, True),
        "explaining decision_function (margin between 2 classes: no, yes)",
    )
    assert np.array_equal(loaded.bind(settled).predict(TABLE), np.column_stack([-margin, margin]))


def test_margins_of_several_classes_have_a_column_each_and_pairs_are_refused(opened):
    settled = opened(SVC().fit(TABLE, THREE)).settle(TABLE)
    assert (settled.outputs, settled.scale, settled.margin) == (("low", "mid", "top"), "raw", False)
    with pytest.raises(RefusedError, match="decision_function_shape='ovr'"):
        opened(SVC(decision_function_shape="ovo").fit(TABLE, THREE)).settle(TABLE)


def test_labels_become_indicators_when_asked_for(opened):
    model = Perceptron().fit(TABLE, THREE)
    loaded = opened(model, response="predict")
    settled = loaded.settle(TABLE)
    assert settled.note == ("explaining predict (hard labels, 0 or 1, of 3 classes: low, mid, top)")
    expected = model.predict(TABLE)[:, None] == np.array(["low", "mid", "top"])
    assert np.array_equal(loaded.bind(settled).predict(TABLE), expected)


def test_regression_has_one_value_or_several(opened):
    one = opened(LinearRegression().fit(TABLE, NUMBER)).settle(TABLE)
    two = opened(LinearRegression().fit(TABLE, np.column_stack([NUMBER, NUMBER]))).settle(TABLE)
    assert (one.response, one.task, one.outputs) == ("predict", "regression", ("value",))
    assert two.outputs == ("output_0", "output_1")


def test_several_outputs_of_classes_are_laid_side_by_side(opened):
    for model in (RandomForestClassifier(5), MultiOutputClassifier(LogisticRegression())):
        model.fit(TABLE, BOTH)
        loaded = opened(model)
        settled = loaded.settle(TABLE)
        first, second = ("output_0=no", "output_0=yes"), ("output_1=low", "output_1=mid")
        assert settled.outputs == (*first, *second, "output_1=top")
        assert (settled.scale, settled.positive) == ("probability", None)
        expected = np.hstack(model.predict_proba(TABLE))
        assert np.array_equal(loaded.bind(settled).predict(TABLE), expected)


def test_numpy_labels_are_shown_plain(opened):
    assert opened(LogisticRegression().fit(TABLE, TWO == "yes")).settle(TABLE).outputs == (
        *("False", "True"),
    )
    whole = np.unique(THREE, return_inverse=True)[1]
    assert opened(LogisticRegression().fit(TABLE, whole)).settle(TABLE).outputs == ("0", "1", "2")


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


def test_all_jobs_are_one_and_predictions_stay(opened):
    forest = RandomForestClassifier(5, random_state=0)
    voting = VotingClassifier([("a", make_pipeline(StandardScaler(), forest))], voting="soft")
    model = CalibratedClassifierCV(voting, cv=2).fit(TABLE, TWO)
    expected = model.predict_proba(TABLE)
    for part in jobs_of(model):
        part.n_jobs = 2
    loaded = opened(model)
    assert np.array_equal(loaded.bind(loaded.settle(TABLE)).predict(TABLE), expected)
    assert [part.n_jobs for part in jobs_of(loaded.estimator)] == [1] * 5


def jobs_of(model):
    """Return every fitted part of the model above that has jobs of its own."""
    votes = [part.estimator for part in model.calibrated_classifiers_]
    return [model, *votes, *(vote.estimators_[0].steps[1][1] for vote in votes)]


def mixed():
    """Return a table of numbers and categories, and a pipeline fitted on it."""
    table = TABLE.assign(word=np.where(TWO == "no", "x", "y"), flag=TABLE["b"] > 0)
    fill = SimpleImputer(strategy="most_frequent")
    columns = ColumnTransformer(
        [
            ("number", make_pipeline(SimpleImputer(), StandardScaler()), TABLE.columns[:2]),
            ("word", make_pipeline(fill, OneHotEncoder()), ["word"]),
            ("flag", OrdinalEncoder(), ["flag"]),
        ],
        remainder="passthrough",
    )
    return table, make_pipeline(columns, LogisticRegression()).fit(table, TWO)


def test_column_kinds_are_read_off_the_pipeline(opened):
    table, model = mixed()
    for wrapped in (model, CalibratedClassifierCV(model, cv=2).fit(table, TWO)):
        loaded = opened(wrapped)
        assert loaded.columns == ("a", "b", "c", "word", "flag")
        assert loaded.discrete == {"word", "flag"}
        assert loaded.numeric == {"a", "b", "c"}
        assert loaded.all_numeric is False
    assert opened(LogisticRegression().fit(TABLE, TWO)).numeric == {"a", "b", "c"}


def test_bare_arrays_have_no_names_but_are_known_to_be_numbers(opened):
    loaded = opened(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE.to_numpy(), TWO)
    )
    assert (loaded.columns, loaded.n_columns, loaded.numeric) == (None, 3, frozenset())
    assert (loaded.all_numeric, loaded.discrete) == (True, frozenset())


def test_boosting_names_its_own_categories(opened):
    table = TABLE.assign(level=pd.Series(THREE, dtype="category"))
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    loaded = opened(model.fit(table, TWO))
    assert (loaded.discrete, loaded.numeric) == ({"level"}, {"a", "b", "c"})
    settled = loaded.settle(table.head())
    assert np.array_equal(loaded.bind(settled).predict(table), model.predict_proba(table))


CALLABLES = """
import numpy as np
def chance(batch): return 1 / (1 + np.exp(-batch["a"].to_numpy()))
def logits(batch): return batch[["a", "b"]].to_numpy()
def three(batch): return np.full((len(batch), 3), 1 / 3)
def broken(batch): raise KeyError("age")
def short(batch): return [1.0]
number = 3
"""


@pytest.fixture
def called(tmp_path, monkeypatch):
    """Open a callable of a module that lies in tmp_path."""
    (tmp_path / "scoring.py").write_text(CALLABLES)
    monkeypatch.setattr("sys.path", __import__("sys").path.copy())
    monkeypatch.delitem(__import__("sys").modules, "scoring", raising=False)

    def opener(name, **wishes):
        recipe = ModelRecipe(f"scoring:{name}", python_path=(str(tmp_path),), **wishes)
        return load_model(recipe)

    return opener


def test_callables_are_handed_a_frame_and_read_by_shape(called):
    chance = called("chance", class_names=("no", "yes"))
    settled = chance.settle(TABLE)
    assert (settled.outputs, settled.positive, settled.scale) == (("no", "yes"), 1, "probability")
    up = 1 / (1 + np.exp(-TABLE["a"].to_numpy()))
    assert np.array_equal(chance.bind(settled).predict(TABLE), np.column_stack([1 - up, up]))
    assert called("chance").settle(TABLE).outputs == ("value",)
    assert called("three").settle(TABLE).outputs == ("0", "1", "2")
    assert called("logits").settle(TABLE).outputs == ("output_0", "output_1")
    named = called("logits", class_names=("no", "yes")).settle(TABLE)
    assert (named.task, named.scale, named.positive) == ("classification", "raw", 1)


def test_callables_that_fail_are_refused(called):
    with pytest.raises(RefusedError, match="scoring:broken: failed on the first 80 rows"):
        called("broken").settle(TABLE)
    with pytest.raises(RefusedError, match="answered 1 rows when it was given 80"):
        called("short").settle(TABLE)
    with pytest.raises(RefusedError, match="scoring has no callable 'number'"):
        called("number")
    with pytest.raises(RefusedError, match="no module 'nowhere'; name its folder: --python-path"):
        load_model(ModelRecipe("nowhere:predict"))


def test_the_raw_scale_asks_a_classifier_for_its_margin(tmp_path):
    path = tmp_path / "model.pkl"
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(rows, rows["a"] > 0)
    path.write_bytes(pickle.dumps(model))
    loaded = load_model(ModelRecipe(str(path), raw=True))
    settled = loaded.settle(rows)
    assert (settled.response, settled.scale, settled.margin) == ("decision_function", "raw", True)
    assert np.array_equal(loaded.bind(settled).predict(rows)[:, 1], model.decision_function(rows))
