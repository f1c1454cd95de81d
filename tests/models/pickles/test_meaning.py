"""What listed classes must not be made to mean."""

import pickle

import hostile_models
import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file

REFUSED = "refused, nothing of it was run"
FAMILIES = {
    "methods": lambda folder: hostile_models.methods_by_name(folder / "marker"),
    "members": lambda folder: hostile_models.strange_members(folder / "marker"),
    "functions": lambda folder: hostile_models.strange_functions(folder / "marker"),
    "caches": lambda folder: hostile_models.caches(folder / "marker"),
    "calls": lambda _: hostile_models.calls_at_load(),
    "readers": lambda folder: hostile_models.readers(folder / "text"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_listed_classes_alone_do_nothing_that_the_file_wants(tmp_path, family):
    (tmp_path / "text").write_text("some words")
    path, passed = tmp_path / "model.pkl", []
    for name, data in FAMILIES[family](tmp_path):
        path.write_bytes(data)
        try:
            load_model(ModelRecipe(str(path)))
            passed.append(name)
        except RefusedError as error:
            if REFUSED not in str(error) or "; " not in str(error):
                passed.append(f"{name}: {error}")
        found = inspect_file(str(path))
        if not (found.refusals or found.unknown):
            passed.append(f"{name}, inspected")
    assert passed == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.pkl", "text"]


def _searched():
    return GridSearchCV(XGBClassifier(n_estimators=2), {"max_depth": [1, 2]}, cv=2)


def _rest():
    rest = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("first", MinMaxScaler(), [0])], remainder=rest)
    return make_pipeline(columns, LogisticRegression())


def _searched_steps():
    steps = {"scaler": [StandardScaler(), "passthrough"], "model": [LogisticRegression(), SVC()]}
    model = Pipeline([("scaler", MinMaxScaler()), ("model", LogisticRegression())])
    return GridSearchCV(model, steps, cv=2)


@pytest.mark.parametrize("make", [_searched, _rest, _searched_steps])
def test_models_that_hold_models_in_odd_places_pass(tmp_path, make):
    rows = np.random.default_rng(0).normal(size=(40, 3))
    model = make().fit(rows, rows[:, 0] > 0)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    loaded = load_model(ModelRecipe(str(path)))
    assert np.array_equal(loaded.estimator.predict(rows), model.predict(rows))
