"""Which method of an estimator is asked."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    IsolationForest,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from xplain_cli.models import ModelRecipe
from xplain_cli.models.estimators.model import Estimator
from xplain_cli.targets import position_names

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
