"""Layers of scikit-learn models drawn anew, from the top down."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.models.estimators.redrawing import layers_of, redraw_estimator, why_no_layers
from xplain_cli.models.redrawing import Redraw

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > X[:, 1]).astype(int)


def network():
    net = MLPClassifier((6, 5), max_iter=3, random_state=0)
    with pytest.warns(match="converged"):
        return make_pipeline(StandardScaler(), net).fit(X, Y)


def test_layers_of_a_network_cascade_from_the_top():
    assert layers_of(network()) == ("output layer", "hidden layer 2", "hidden layer 1")
    before = network()[-1].coefs_
    kept = []
    for depth in (1, 2, 3):
        model = network()
        redraw_estimator(model, Redraw(depth, 0))
        kept.append([bool((a == b).all()) for a, b in zip(before, model[-1].coefs_, strict=True)])
        assert np.isfinite(model.predict_proba(X)).all()
    assert kept == [[True, True, False], [True, False, False], [False, False, False]]


@pytest.mark.parametrize("target", [Y, X[:, 2]], ids=["classes", "values"])
def test_linear_models_have_one_layer(target):
    kind = LogisticRegression if target is Y else Ridge
    model = kind().fit(X, target)
    before, shape = model.coef_.copy(), np.shape(model.intercept_)
    assert layers_of(model) == ("coefficients",)
    redraw_estimator(model, Redraw(1, 3))
    assert model.coef_.shape == before.shape
    assert np.shape(model.intercept_) == shape
    assert not np.isclose(model.coef_, before).any()
    assert len(model.predict(X)) == len(X)


def test_every_member_of_a_vote_is_drawn_by_itself():
    pair = [(name, LogisticRegression()) for name in "ab"]
    model = VotingClassifier(pair, voting="soft").fit(X, Y)
    redraw_estimator(model, Redraw(1, 0))
    first, second = (one.coef_ for one in model.estimators_)
    assert not np.isclose(first, second).any()


def test_trees_have_no_layers_and_say_so():
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(X, Y)
    assert layers_of(model) == ()
    assert "RandomForestClassifier has none" in why_no_layers(model)
    assert not why_no_layers(network())
