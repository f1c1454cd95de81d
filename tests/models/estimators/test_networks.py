"""Scores and derivatives of fitted estimators against their own answers."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from xplain_cli.models.contract import UnableError
from xplain_cli.models.estimators.networks import estimator_gradient
from xplain_cli.models.gradients import Readout, linked


def net(*sizes, activation="relu", kind=MLPClassifier):
    shape = {"hidden_layer_sizes": sizes, "max_iter": 40, "random_state": 0}
    return kind(activation=activation, **shape)


def scaled(model):
    return make_pipeline(StandardScaler(), model)


CLASSIFIERS = {
    "relu": scaled(net(12, 6)),
    "tanh behind PCA": make_pipeline(MinMaxScaler(), PCA(5), net(6, activation="tanh")),
    "logistic units": scaled(net(6, activation="logistic")),
    "identity units": scaled(net(6, activation="identity")),
    "logistic": scaled(LogisticRegression()),
    "discriminant": LinearDiscriminantAnalysis(),
    "descent": scaled(SGDClassifier(loss="log_loss", random_state=0)),
    "search": GridSearchCV(scaled(LogisticRegression()), {"logisticregression__C": [1, 2]}, cv=2),
    "calibrated": CalibratedClassifierCV(scaled(net(5)), cv=2),
    "calibrated once": CalibratedClassifierCV(scaled(LinearSVC()), ensemble=False, cv=2),
    "vote": VotingClassifier(
        [("a", scaled(LogisticRegression())), ("b", scaled(net(5)))], voting="soft", weights=[1, 3]
    ),
    "powers": make_pipeline(
        FeatureUnion([("a", PowerTransformer()), ("b", PowerTransformer(standardize=False))]),
        StandardScaler(),
        LogisticRegression(),
    ),
    "positive powers": make_pipeline(MinMaxScaler((1, 2)), PowerTransformer("box-cox"), net(5)),
    "products": make_pipeline(
        StandardScaler(),
        PCA(8),  # of all 30 columns there are 4,525 products
        PolynomialFeatures(3, interaction_only=True),
        LogisticRegression(),
    ),
    "lengths": make_pipeline(StandardScaler(), Normalizer(), LogisticRegression()),
    "bag": scaled(BaggingClassifier(LogisticRegression(), 3, max_features=0.5, random_state=0)),
    "stack": StackingClassifier(
        [("a", scaled(LogisticRegression())), ("b", scaled(net(5)))], LogisticRegression(), cv=2
    ),
    "stack of scores": StackingClassifier(
        [("a", scaled(LinearSVC())), ("b", LinearDiscriminantAnalysis())], passthrough=True, cv=2
    ),
    "one against the rest": scaled(OneVsRestClassifier(net(5))),
    "union": make_pipeline(
        StandardScaler(),
        FeatureUnion([("a", MinMaxScaler()), ("b", PCA(2))]),
        LogisticRegression(),
    ),
}
REGRESSORS = {
    "ridge": Ridge(),
    "relu": scaled(net(8, kind=MLPRegressor)),
    "poisson": scaled(PoissonRegressor()),
    "tweedie": scaled(TweedieRegressor(power=0)),
    "vote": VotingRegressor([("a", Ridge()), ("b", LinearRegression())]),
    "products": make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()),
    "bag": BaggingRegressor(scaled(Ridge()), 3, max_features=0.5, random_state=0),
    "stack": StackingRegressor([("a", Ridge()), ("b", scaled(net(5, kind=MLPRegressor)))], Ridge()),
    "scaled target": TransformedTargetRegressor(
        scaled(net(5, kind=MLPRegressor)), transformer=StandardScaler()
    ),
    "logarithm of the target": TransformedTargetRegressor(
        scaled(Ridge()), func=np.log1p, inverse_func=np.expm1
    ),
}
CASES = [
    *((name, model, load_wine, "predict_proba") for name, model in CLASSIFIERS.items()),
    *((name, model, load_breast_cancer, "predict_proba") for name, model in CLASSIFIERS.items()),
    *(
        (name, CLASSIFIERS[name], load_breast_cancer, "decision_function")
        for name in ("logistic", "discriminant", "descent", "search")
    ),
    *((name, model, load_diabetes, "predict") for name, model in REGRESSORS.items()),
]


def fit(model, rows, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(rows, labels)


def answers(model, response, rows):
    found = np.asarray(getattr(model, response)(rows), dtype=float)
    found = found[:, None] if found.ndim == 1 else found
    lone = response == "decision_function" and found.shape[1] == 1
    return np.hstack([-found, found]) if lone else found


def gradient_of(model, response, outputs):
    signature = SimpleNamespace(response=response, outputs=tuple(range(outputs)))
    return estimator_gradient(model, signature, lambda batch: batch)


@pytest.mark.parametrize(
    ("model", "data", "response"),
    [case[1:] for case in CASES],
    ids=[f"{name}-{data.__name__[5:]}-{response}" for name, _, data, response in CASES],
)
def test_scores_lead_to_the_answers_and_derivatives_to_their_changes(model, data, response):
    rows, labels = data(return_X_y=True)
    fitted = fit(model, rows[::2], labels[::2])
    expected = answers(fitted, response, rows[:12])
    found = gradient_of(fitted, response, expected.shape[1])
    points = found.enter(rows[:12])
    size = max(1.0, np.abs(expected).max())
    assert linked(found.scores(points), found.link) == pytest.approx(expected, abs=1e-11 * size)
    scale = "probability" if response == "predict_proba" else "raw"
    one = Readout(np.tile([0, -1], (12, 1)), found.link, scale)
    slopes, _ = found.derive(points, one.slopes)
    step = np.random.default_rng(0).normal(size=rows[:12].shape) * rows.std(axis=0) * 1e-6
    step = found.enter(rows[:12] + step) - points
    apart = (
        linked(found.scores(points + step), found.link)
        - linked(found.scores(points - step), found.link)
    )[:, 0]
    assert (slopes * step).sum(axis=1) * 2 == pytest.approx(apart, rel=1e-4, abs=1e-13 * size)


def mixed_table(rows=120):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "age": rng.uniform(20, 70, rows),
        "job": rng.choice(["clerk", "cook", "smith"], rows),
        "house": rng.choice(["no", "yes"], rows),
        "hours": rng.uniform(5, 60, rows),
    })
    return table, (table["age"] > 45) ^ (table["job"] == "cook")


def mixed_model():
    columns = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["hours", "age"]),
        ("words", OneHotEncoder(drop="if_binary"), ["house", "job"]),
    ])
    return make_pipeline(columns, StandardScaler(), net(8))


def test_coordinates_of_a_mixed_table_go_back_to_its_columns():
    table, labels = mixed_table()
    table.loc[3, "hours"] = np.nan
    fitted = fit(mixed_model(), table, labels)
    found = gradient_of(fitted, "predict_proba", 2)
    points = found.enter(table)
    assert points.shape == (120, 2 + 1 + 3)
    assert points[3, 0] == pytest.approx(table["hours"].mean())  # as the imputer fills it
    outputs = linked(found.scores(points), found.link)
    assert outputs == pytest.approx(fitted.predict_proba(table), abs=1e-13)
    parts = np.arange(1.0, 7)[None]  # hours, age, house, clerk, cook, smith
    assert found.leave(parts).tolist() == [[2.0, 4.0 + 5 + 6, 3.0, 1.0]]


def test_a_regressor_for_each_target():
    rows, labels = load_diabetes(return_X_y=True)
    both = np.column_stack([labels, np.sqrt(labels)])
    fitted = fit(MultiOutputRegressor(Ridge()), rows, both)
    found = gradient_of(fitted, "predict", 2)
    assert found.kinks is not None, "lines beside each other are a line"
    assert found.scores(found.enter(rows[:5])) == pytest.approx(fitted.predict(rows[:5]))


def test_powers_of_some_columns_stand_beside_categories():
    table, labels = mixed_table()
    columns = ColumnTransformer([
        ("numbers", PowerTransformer(), ["hours", "age"]),
        ("words", OneHotEncoder(), ["job"]),
    ])
    fitted = fit(make_pipeline(columns, net(8)), table, labels)
    found = gradient_of(fitted, "predict_proba", 2)
    points = found.enter(table)
    assert points[:, :2].tolist() == table[["hours", "age"]].to_numpy().tolist()
    outputs = linked(found.scores(points), found.link)
    assert outputs == pytest.approx(fitted.predict_proba(table), abs=1e-12)
    assert (found.kinks, found.smooth) == (None, False)


REFUSED = {
    "not RandomForestClassifier": RandomForestClassifier(2),
    "not KNeighborsClassifier": KNeighborsClassifier(),
    "this Normalizer is l1": make_pipeline(Normalizer("l1"), LogisticRegression()),
    "and SplineTransformer is none": make_pipeline(SplineTransformer(), LogisticRegression()),
    "this one is of labels": StackingClassifier(
        [("a", LinearDiscriminantAnalysis())], stack_method="predict", cv=2
    ),
    "this MinMaxScaler is none": make_pipeline(MinMaxScaler(clip=True), LogisticRegression()),
    "and this is isotonic": CalibratedClassifierCV(
        LinearDiscriminantAnalysis(), method="isotonic", cv=2
    ),
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(says):
    fitted = fit(REFUSED[says], *load_wine(return_X_y=True))
    with pytest.raises(UnableError, match=says):
        gradient_of(fitted, "predict_proba", 3)


def test_labels_have_no_scores():
    fitted = fit(scaled(LogisticRegression()), *load_wine(return_X_y=True))
    with pytest.raises(UnableError, match="labels have none"):
        gradient_of(fitted, "predict", 3)


def test_a_class_of_somebody_elses_is_refused():
    class Ridge2(Ridge):
        """A team's own."""

    Ridge2.__module__ = "team"
    fitted = fit(Ridge2(), *load_diabetes(return_X_y=True))
    with pytest.raises(UnableError, match="no estimator of scikit-learn's own"):
        gradient_of(fitted, "predict", 1)
