"""Estimators: what is asked, and how outputs are named."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from xplain_cli.models import ModelRecipe, Signature, load_model

STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(80, 3)), columns=["a", "b", "c"])


TWO = np.where(TABLE["a"] + TABLE["b"] > 0, "yes", "no")


THREE = pd.cut(TABLE["a"], [-9, -0.5, 0.5, 9], labels=["low", "mid", "top"]).astype(str).to_numpy()


def probability(model, names, count):
    note = f"explaining predict_proba (probability of {count} classes: {', '.join(names)})"
    positive = 1 if count == 2 else None
    return Signature(
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
    signature = loaded.settle(TABLE.head())
    names = tuple(sorted(set(target)))
    assert signature == probability(model, names, len(names))
    answers = loaded.bind(signature).predict(TABLE)
    assert np.array_equal(answers, model.predict_proba(TABLE))
    assert (answers.dtype, answers.flags.c_contiguous) == (np.float64, True)
    assert (loaded.kind, loaded.columns, loaded.n_columns) == ("scikit-learn", ("a", "b", "c"), 3)


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


def test_the_raw_scale_asks_a_classifier_for_its_margin(tmp_path):
    path = tmp_path / "model.pkl"
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(rows, rows["a"] > 0)
    path.write_bytes(pickle.dumps(model))
    loaded = load_model(ModelRecipe(str(path), raw=True))
    signature = loaded.settle(rows)
    assert (signature.response, signature.scale, signature.margin) == (
        "decision_function",
        "raw",
        True,
    )
    assert np.array_equal(loaded.bind(signature).predict(rows)[:, 1], model.decision_function(rows))
