"""Layers of networks of scikit-learn, whole runs: units, baselines, what is refused."""

import json
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from running import bytes_of
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

WORDS = ("tabular", "m.pkl", "d.csv", "-t", "predicted:vs:runner-up", "-q")


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True, as_frame=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        net = MLPClassifier((6, 4), max_iter=200, random_state=0)
        return make_pipeline(StandardScaler(), net).fit(X, y), X


@pytest.fixture
def stored(tmp_path, fitted):
    model, X = fitted
    joblib.dump(model, tmp_path / "m.pkl")
    X[::7].to_csv(tmp_path / "d.csv", index=False)
    return tmp_path, model, X[::7]


def hidden(model, X, layer):
    """Return what a hidden layer makes of rows, and the scores of the rest of the network."""
    net, values = model[-1], model[0].transform(X)
    for number in range(layer):
        values = np.maximum(values @ net.coefs_[number] + net.intercepts_[number], 0)
    return values


def scores(model, values, layer):
    net = model[-1]
    for number in range(layer, len(net.coefs_)):
        values = values @ net.coefs_[number] + net.intercepts_[number]
        values = np.maximum(values, 0) if number + 1 < len(net.coefs_) else values
    return values


def pairs(model, X):
    order = np.argsort(-model.predict_proba(X), axis=1)
    return order[:, 0], order[:, 1]


def test_units_of_a_hidden_layer_add_up_to_the_change_that_they_cause(run, stored):
    folder, model, X = stored
    assert run(*WORDS, "-b", "zero", "-m", "ig:layer=hidden_1", "-j", "1", "-o", "out").code == 0
    said = pd.read_csv(folder / "out" / "stability.csv")
    weights = pd.read_csv(folder / "out" / "weights.csv")
    assert set(weights["feature"]) == {f"hidden_1[{unit}]" for unit in range(6)}
    rows, (plus, minus) = np.arange(len(X)), pairs(model, X)
    first = scores(model, hidden(model, X * 0, 1), 1)
    last = scores(model, hidden(model, X, 1), 1)
    due = (last - first)[rows, plus] - (last - first)[rows, minus]
    total = weights.groupby("row_id", sort=False)["weight"].sum().to_numpy()
    assert total == pytest.approx(due, abs=1e-9)
    assert said["converged"].eq(1).all()
    one = weights[weights["row_id"] == 0].sort_values("feature_index")
    assert one["feature_value"].to_numpy() == pytest.approx(hidden(model, X, 1)[0], abs=1e-12)
    done = run("evaluate", "out")
    assert done.code == 2
    assert "units of a layer" in done.err


@pytest.mark.parametrize("origin", ["zero", "mean"])
def test_a_layer_has_a_baseline_of_its_own(run, stored, origin):
    folder, model, X = stored
    method = f"ig:layer=hidden_2,layer-baseline={origin}"
    assert run(*WORDS, "-b", "zero", "-m", method, "-j", "1", "-o", "out").code == 0
    said = pd.read_csv(folder / "out" / "stability.csv")
    assert set(said["baseline"]) == {f"{origin} at hidden_2"}
    values = hidden(model, X, 2)
    start = np.zeros(4) if origin == "zero" else values.mean(axis=0)
    made = scores(model, start[None], 2)[0]
    plus, minus = pairs(model, X)
    assert said["base_value"].to_numpy() == pytest.approx(made[plus] - made[minus], abs=1e-9)
    assert said["attribution_error"].max() <= 1e-9


def test_gradient_times_feature_is_exact_at_the_last_hidden_layer(run, stored):
    folder, _, _ = stored
    assert run(*WORDS, "-b", "zero", "-m", "odam:layer=hidden_2", "-j", "1", "-o", "out").code == 0
    said = pd.read_csv(folder / "out" / "stability.csv")
    assert said["attribution_error"].max() <= 1e-9
    facts = json.loads((folder / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert "hidden_2" in json.dumps(facts)


def test_any_way_of_working_gives_the_same_bytes(run, stored):
    folder, _, _ = stored
    ways = {
        "one": ("-j", "1"),
        "loky": ("-j", "2", "--backend", "loky", "--chunk-rows", "4"),
    }
    method = "ig:layer=hidden_1,layer-baseline=mean"
    for way, more in ways.items():
        assert run(*WORDS, "-m", method, *more, "-b", "zero", "-o", way).code == 0
        for file in ("weights.csv", "stability.csv"):
            assert bytes_of(folder / way, file) == bytes_of(folder / "one", file), way


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("odam", "at which layer?"),
        ("ig:layer=hidden_9", "it has hidden_1, hidden_2"),
    ],
)
def test_layers_that_are_none_are_refused(run, stored, method, said):
    done = run(*WORDS, "-b", "zero", "-m", method, "-j", "1", "-o", "out")
    assert done.code == 2
    assert said in done.err


def test_a_linear_model_has_no_layer(run, stored):
    folder, _, X = stored
    joblib.dump(LogisticRegression(max_iter=500).fit(X, np.arange(len(X)) % 3), folder / "m.pkl")
    done = run(*WORDS, "-b", "zero", "-m", "ig:layer=hidden_1", "-j", "1", "-o", "out")
    assert done.code == 2
    assert "names none" in done.err
