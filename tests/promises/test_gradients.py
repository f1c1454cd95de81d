"""Whole runs of methods that differentiate the model: numbers, scales, bad rows, bytes."""

import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from running import bytes_of, copied, rows_of
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def stored(folder, model, table, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (folder / "m.pkl").write_bytes(pickle.dumps(model.fit(table, labels)))
    table.to_csv(folder / "d.csv", index=False)


def net():
    return MLPClassifier((8,), max_iter=60, random_state=0)


@pytest.fixture(scope="module")
def numbers_once(tmp_path_factory):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(40, 4)), columns=list("abcd"))
    labels = (table["a"] + table["b"] > 0).astype(int) + (table["c"] > 0.5)
    folder = tmp_path_factory.mktemp("numbers")
    stored(folder, make_pipeline(StandardScaler(), net()), table, labels)
    return folder


@pytest.fixture
def numbers(numbers_once, tmp_path):
    """A ReLU network of three classes behind a scaler, and a table of four columns."""
    return copied(numbers_once, tmp_path)


@pytest.fixture(scope="module")
def mixed_once(tmp_path_factory):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({
        "age": rng.uniform(20, 70, 60).round(1),
        "job": rng.choice(["clerk", "cook", "smith"], 60),
        "hours": rng.uniform(5, 60, 60).round(1),
    })
    encoder = ColumnTransformer([
        ("words", OneHotEncoder(), ["job"]),
        ("numbers", StandardScaler(), ["age", "hours"]),
    ])
    labels = (table["age"] > 45) ^ (table["job"] == "cook")
    folder = tmp_path_factory.mktemp("mixed")
    stored(folder, make_pipeline(encoder, net()), table, labels)
    table.to_csv(folder / "train.csv", index=False)
    table.loc[2, "job"], table.loc[4, "age"] = "king", np.nan
    table.to_csv(folder / "d.csv", index=False)
    return folder


@pytest.fixture
def mixed(mixed_once, tmp_path):
    """A network behind one-hot columns and a scaler; row 2 holds a strange job, row 4 no age."""
    return copied(mixed_once, tmp_path)


FEW = ("--rows", "0:16")


def explain(run, *words, code=0):
    method = () if "-m" in words else ("-m", "ig")
    done = run("tabular", "m.pkl", "d.csv", *method, "-j", "1", "-o", "out", "--force", *words)
    assert done.code == code, done.err
    return done


def sums(folder):
    weights = pd.read_csv(folder / "out" / "weights.csv")
    return weights.groupby("row_id")["weight"].sum().to_numpy()


def test_a_row_without_a_value_fails_with_its_column(run, mixed):
    explain(run, "--background", "train.csv", "--max-failed", "2")
    said = pd.read_csv(mixed / "out" / "stability.csv").set_index("row_id")
    assert said.loc[4, "error"] == (
        "the model's output is NaN: the row has no value in 'age', and nothing in the model fills"
        " it; fill it in DATA, or store the model with its imputer"
    )


def test_a_mixed_table_adds_up_over_its_own_columns(run, mixed):
    explain(run, "--background", "train.csv", "--max-failed", "2")
    said = pd.read_csv(mixed / "out" / "stability.csv")
    good = said[said["status"] == "ok"]
    assert np.abs(sums(mixed) - (good["prediction"] - good["base_value"])).max() <= 1e-9
    weights = pd.read_csv(mixed / "out" / "weights.csv")
    assert set(weights["feature"]) == {"age", "job", "hours"}
    base = weights[weights["feature"] == "job"]["baseline_value"].iloc[0]
    same = weights[(weights["feature"] == "job") & (weights["feature_value"] == base)]
    assert len(same) > 5
    assert (same["weight"] == 0).all()


@pytest.mark.parametrize("background", [("--background", "train.csv"), ()])
def test_a_strange_category_and_a_missing_number_are_one_failed_record_each(run, mixed, background):
    # without other rows they stand among the first ones, by which scores are held to answers
    explain(run, *background, "--max-failed", "2", "--rows", "0:20")
    said = pd.read_csv(mixed / "out" / "stability.csv")
    assert said[said["status"] == "failed"]["row"].tolist() == [2, 4]
    assert said["status"].value_counts().to_dict() == {"ok": 18, "failed": 2}


WAYS = {
    "loky": ("-j", "2", "--backend", "loky", "--chunk-rows", "7"),
    "threads": ("-j", "2", "--backend", "threads", "--chunk-rows", "5"),
    "one row at a time": ("--chunk-rows", "1"),
}


def test_any_way_of_working_gives_the_same_bytes(run, numbers):
    words = ("tabular", "m.pkl", "d.csv", "-t", "all", "-b", "sample:k=3", "-m", "ig", "-q")
    words = (*words, *FEW)
    assert run(*words, "-j", "1", "-o", "one").code == 0
    for way, more in WAYS.items():
        assert run(*words, *more, "-o", way).code == 0
        for file in ("weights.csv", "stability.csv"):
            assert bytes_of(numbers / "one", file) == bytes_of(numbers / way, file), way


def test_an_interrupted_run_continues_to_the_same_bytes(run, numbers):
    few = ("--rows", "0:25", "--chunk-rows", "5")
    words = ("tabular", "m.pkl", "d.csv", "-m", "ig", "-q", "-j", "1", *few)
    assert run(*words, "-o", "whole").code == 0
    copied(numbers / "whole", numbers / "halted")
    marker = json.loads((numbers / "halted" / "run.json").read_text())
    held = {**marker, "state": "running", "n_parts": 0}
    (numbers / "halted" / "run.json").write_text(json.dumps(held))
    for part in sorted((numbers / "halted" / "parts").iterdir())[1:4]:
        part.unlink()
    (numbers / "halted" / "weights.csv").unlink()
    assert run(*words, "-o", "halted").code == 0
    assert bytes_of(numbers / "halted") == bytes_of(numbers / "whole")


def test_log_odds_are_explained_where_nobody_names_a_scale(run, numbers):
    done = explain(run, *FEW)
    assert "note: explaining log-odds, the model's scores" in done.err
    said = rows_of(numbers / "out" / "stability.csv")
    assert {line["output_scale"] for line in said} == {"log-odds"}
    model = pickle.loads((numbers / "m.pkl").read_bytes())
    p = model.predict_proba(pd.read_csv(numbers / "d.csv")[:16]).max(axis=1)
    found = [float(line["prediction"]) for line in said]
    assert found == pytest.approx(np.log(p / (1 - p)))


def test_probabilities_are_explained_by_the_chain_rule(run, numbers):
    explain(run, *FEW, "--output-scale", "probability", "-t", "2:vs:0")
    said = pd.read_csv(numbers / "out" / "stability.csv")
    model = pickle.loads((numbers / "m.pkl").read_bytes())
    p = model.predict_proba(pd.read_csv(numbers / "d.csv")[:16])
    assert said["prediction"].to_numpy() == pytest.approx(p[:, 2] - p[:, 0])
    change = said["prediction"] - said["base_value"]
    assert sums(numbers) == pytest.approx(change.to_numpy(), abs=1e-12)


def test_a_saturated_probability_has_scores_to_explain(run, tmp_path):
    table = pd.DataFrame({"a": np.r_[np.linspace(-1, 1, 20), 1e4]})
    stored(tmp_path, LogisticRegression(C=100), table, table["a"] > 0.01)
    explain(run, "-b", "zero")
    said = pd.read_csv(tmp_path / "out" / "stability.csv")
    assert (said["status"] == "ok").all()
    assert said["prediction"].max() > 1000
    assert said["attribution_error"].max() <= 1e-10


def test_the_manifest_says_how_paths_were_followed(run, numbers):
    explain(run, *FEW, "-m", "ig:tol=0.01")
    said = json.loads((numbers / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert said["path"]["tolerance"] == 0.01
    assert {"space", "model_inputs", "quadrature"} < set(said["path"])
    lines = rows_of(numbers / "out" / "stability.csv")
    assert {(line["quadrature"], line["converged"]) for line in lines} == {("exact", "1.0")}
    weights = rows_of(numbers / "out" / "weights.csv")
    assert {line["quadrature_error"] for line in weights} == {"0.0"}


def test_a_gate_may_be_set_on_convergence(run, numbers):
    explain(run, *FEW, "--fail-on", "min(converged)<1")


def test_a_sample_of_baselines_has_an_error(run, numbers):
    explain(run, *FEW, "-b", "sample:k=8")
    errors = pd.read_csv(numbers / "out" / "weights.csv")["std_error"]
    assert (errors > 0).mean() > 0.9


@pytest.mark.parametrize("baseline", [(), ("-b", "mean")])
def test_a_run_is_evaluated_on_the_scale_that_it_explained(run, numbers, baseline):
    explain(run)
    assert run("evaluate", "out", *baseline).code == 0
    measured = pd.read_csv(numbers / "out" / "evaluation.csv").sort_values("row_id")
    said = pd.read_csv(numbers / "out" / "stability.csv")
    assert measured["prediction"].to_numpy() == pytest.approx(said["prediction"].to_numpy())
    assert (measured["insertion_auc"] > measured["random_auc"]).mean() > 0.7


def test_a_forest_is_refused_by_name(run, tmp_path):
    table = pd.DataFrame({"a": np.arange(20.0)})
    stored(tmp_path, RandomForestClassifier(3, random_state=0), table, table["a"] > 9)
    done = explain(run, code=2)
    assert "ig needs a network or a linear model that NumPy can follow, not" in done.err
    assert "RandomForestClassifier; take kernel-shap" in done.err


def test_ends_that_are_cut_off_have_no_scores(run, numbers):
    done = explain(run, "--output-scale", "log-odds:eps=1e-6", code=2)
    assert "eps" in done.err


@pytest.mark.parametrize("method", ["idgi", "input-x-gradient", "saliency", "smooth"])
def test_every_method_by_gradients_runs_and_is_evaluated(run, numbers, method):
    explain(run, "-m", method, *FEW, "--chunk-rows", "9")
    whole = bytes_of(numbers / "out")
    explain(run, "-m", method, *FEW, "--chunk-rows", "40", "-o", "again")
    assert bytes_of(numbers / "again") == whole
    assert run("evaluate", "out").code == 0
    measured = pd.read_csv(numbers / "out" / "evaluation.csv")
    assert np.isfinite(measured["insertion_auc"]).all()
    assert run("report", "out").code == 0


@pytest.mark.parametrize("method", ["saliency", "smooth"])
def test_a_category_has_no_slope(run, mixed, method):
    done = explain(run, "-m", method, "--background", "train.csv", code=2)
    assert f"{method} gives slopes of numbers, and 'job' holds categories: take" in done.err
