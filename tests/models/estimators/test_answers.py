"""Which method of an estimator is asked."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    IsolationForest,
)
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, OneClassSVM

from xplain_cli.models import ModelRecipe
from xplain_cli.models.estimators.model import Estimator
from xplain_cli.models.responses import Answer, settle_answer
from xplain_cli.targets import parse_target, position_names

STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(80, 3)), columns=["a", "b", "c"])


TWO = np.where(TABLE["a"] + TABLE["b"] > 0, "yes", "no")


THREE = pd.cut(TABLE["a"], [-9, -0.5, 0.5, 9], labels=["low", "mid", "top"]).astype(str).to_numpy()


NUMBER = (TABLE["a"] * 2 - TABLE["c"]).to_numpy()


@pytest.mark.parametrize(
    "model", [OneClassSVM(), IsolationForest(n_estimators=5), LocalOutlierFactor(novelty=True)]
)
def test_outlier_detectors_answer_their_score(opened, model):
    loaded = opened(model.fit(TABLE.to_numpy()))
    signature = loaded.settle(TABLE)
    assert (signature.task, signature.scale, signature.outputs) == (
        "anomaly",
        "raw",
        ("anomaly_score",),
    )
    expected = model.decision_function(TABLE.to_numpy())[:, None]
    assert np.array_equal(loaded.bind(signature).predict(TABLE), expected)


def test_labels_become_indicators_when_asked_for(opened):
    model = Perceptron().fit(TABLE, THREE)
    loaded = opened(model, response="predict")
    signature = loaded.settle(TABLE)
    assert signature.note == (
        "explaining predict (hard labels, 0 or 1, of 3 classes: low, mid, top)"
    )
    expected = model.predict(TABLE)[:, None] == np.array(["low", "mid", "top"])
    assert np.array_equal(loaded.bind(signature).predict(TABLE), expected)


@pytest.mark.parametrize(
    "model",
    [
        OneVsRestClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression(), order=[1, 0]),
        MLPClassifier((4,), max_iter=20, random_state=0),
        make_pipeline(StandardScaler(), RidgeClassifier()),
        OneVsRestClassifier(LinearSVC()),
    ],
    ids=["one-against-rest", "chain", "network", "margins-in-a-pipeline", "margins"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_labels_of_which_several_may_hold_are_no_classes(opened, model):
    yes = np.column_stack([TABLE["a"] > 0, TABLE["b"] > 0.3]).astype(int)
    signature = opened(model.fit(TABLE, yes)).settle(TABLE)
    assert signature.outputs == ("output_0=1", "output_1=1")
    assert signature.positive is None
    assert parse_target(
        None, signature.outputs, task=signature.task, positive=signature.positive
    ).pairs == ((0, -1), (1, -1))


@pytest.mark.parametrize(
    ("model", "decides"),
    [
        (LogisticRegression(), True),
        (FixedThresholdClassifier(LogisticRegression(), threshold=0.3), False),
        (make_pipeline(FixedThresholdClassifier(LogisticRegression(), threshold=0.3)), False),
        (GridSearchCV(LogisticRegression(), {"C": [1, 2]}), True),
    ],
    ids=["half", "fixed", "pipeline", "search"],
)
def test_a_threshold_of_its_own_is_no_half(opened, model, decides):
    loaded = opened(model.fit(TABLE, TWO))
    signature = loaded.settle(TABLE)
    assert signature.decides is decides
    assert ("threshold of its own" in signature.note) is not decides
    labels = opened(model, response="predict").settle(TABLE)
    assert labels.decides is True


def test_chances_that_do_not_sum_to_one_decide_nothing():
    chances = np.array([[0.9, 0.8, 0.1], [0.2, 0.1, 0.3]])
    answer = Answer("f", "callable", chances, names=("rude", "angry", "spam"), scale="probability")
    assert settle_answer(answer, 2, None).decides is False


def test_regression_has_one_value_or_several(opened):
    one = opened(LinearRegression().fit(TABLE, NUMBER)).settle(TABLE)
    two = opened(LinearRegression().fit(TABLE, np.column_stack([NUMBER, NUMBER]))).settle(TABLE)
    assert (one.response, one.task, one.outputs) == ("predict", "regression", ("value",))
    assert two.outputs == ("output_0", "output_1")


def test_numpy_labels_are_shown_plain(opened):
    assert opened(LogisticRegression().fit(TABLE, TWO == "yes")).settle(TABLE).outputs == (
        *("False", "True"),
    )
    whole = np.unique(THREE, return_inverse=True)[1]
    assert opened(LogisticRegression().fit(TABLE, whole)).settle(TABLE).outputs == ("0", "1", "2")


class Unnamed:
    """A classifier that keeps no classes."""

    _estimator_type = "classifier"

    def predict_proba(self, rows):
        up = 1 / (1 + np.exp(-np.asarray(rows)[:, 0]))
        return np.column_stack([1 - up, up])


class Overconfident(Unnamed):
    """A classifier whose probabilities are none."""

    classes_ = np.array(["no", "yes"])

    def predict_proba(self, rows):
        return np.column_stack([-3 * np.asarray(rows)[:, 0], 3 * np.asarray(rows)[:, 0]])


def own(estimator):
    return Estimator(estimator, source="own", sha256="", recipe=ModelRecipe("own"))


def test_an_estimator_without_classes_has_positions():
    signature = own(Unnamed()).settle(TABLE)
    assert (signature.outputs, signature.scale) == (position_names(2), "probability")


def test_numbers_beyond_one_are_no_probabilities_whatever_they_are_called():
    signature = own(Overconfident()).settle(TABLE)
    assert (signature.outputs, signature.scale) == (("no", "yes"), "raw")
