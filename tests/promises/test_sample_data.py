"""The sample data is complete, loads without warnings and can be remade."""

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "sample_data"
PAIRS = {
    "model.pkl": ("data.csv", "diagnosis", ["benign", "malignant"]),
    "wine.joblib": ("wine.csv", "cultivar", ["class_0", "class_1", "class_2"]),
    "loans.pkl": ("loans.csv", "decision", ["approved", "declined"]),
}


def read(name, folder=FOLDER):
    return pd.read_csv(folder / name, keep_default_na=False, na_values=[""])


def probabilities(model, table, folder=FOLDER):
    loaded = joblib.load(folder / model)
    return loaded.predict_proba(read(table)[list(loaded.feature_names_in_)])


@pytest.fixture(scope="module")
def remade(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remade")
    command = [sys.executable, "-W", "error", FOLDER / "make.py", "--output", folder]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder


def test_the_folder_stays_small():
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert sizes["model.pkl"] < 2_500_000
    assert sum(sizes.values()) < 6_000_000


def test_the_readme_names_every_file():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    written = {path.name for path in FOLDER.iterdir() if path.is_file()} - {"README.md"}
    assert {name for name in written if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("model", PAIRS)
def test_a_classifier_knows_its_classes_and_not_the_true_answer(model):
    table, answer, classes = PAIRS[model]
    loaded = joblib.load(FOLDER / model)
    assert list(loaded.classes_) == classes
    assert set(read(table)) - set(loaded.feature_names_in_) <= {answer, "id", "application"}
    assert answer not in loaded.feature_names_in_


@pytest.mark.parametrize("model", PAIRS)
def test_a_classifier_is_better_than_guessing(model):
    table, answer, classes = PAIRS[model]
    said = np.array(classes)[probabilities(model, table).argmax(axis=1)]
    assert (said == read(table)[answer]).mean() > 0.9


def test_the_regression_explains_the_progression():
    model, table = joblib.load(FOLDER / "diabetes.pkl"), read("diabetes.csv")
    assert model.score(table[list(model.feature_names_in_)], table["progression"]) > 0.7


def test_ids_are_unique():
    ids = [read("data.csv")["id"], read("loans.csv")["application"]]
    assert [(len(column), column.is_unique) for column in ids] == [(569, True), (1000, True)]


def test_the_loans_have_every_kind_of_column_and_gaps():
    table = read("loans.csv")
    kinds = {str(kind) for kind in table.dtypes}
    assert kinds == {"int64", "float64", "bool", str(table["purpose"].dtype)}
    gaps = table.isna().any()
    assert list(gaps[gaps].index) == ["income", "years_employed", "employment"]


def test_the_onnx_forest_answers_as_the_pickle():
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx")
    rows = read("data.csv").drop(columns=["id", "diagnosis"]).to_numpy(np.float32)
    _, answers = session.run(None, {"input": rows})
    np.testing.assert_allclose(answers, probabilities("model.pkl", "data.csv"), atol=1e-5)


def test_the_onnx_loans_answer_as_the_pickle():
    session, table = onnxruntime.InferenceSession(FOLDER / "loans.onnx"), read("loans.csv")
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
    feed = {
        entry.name: (
            table[entry.name].to_numpy(kinds[entry.type])
            if entry.type in kinds
            else table[entry.name].fillna("").to_numpy(object)
        )[:, None]
        for entry in session.get_inputs()
    }
    _, answers = session.run(None, feed)
    expected = pd.DataFrame(
        probabilities("loans.pkl", "loans.csv"), columns=["approved", "declined"]
    )
    pd.testing.assert_frame_equal(pd.DataFrame(answers), expected, atol=1e-5, check_dtype=False)


def test_remaking_writes_the_same_tables(remade):
    tables = sorted(path.name for path in FOLDER.glob("*.csv"))
    assert tables == ["comments.csv", "data.csv", "diabetes.csv", "loans.csv", "wine.csv"]
    changed = [
        name for name in tables if (remade / name).read_bytes() != (FOLDER / name).read_bytes()
    ]
    assert changed == []


@pytest.mark.parametrize("model", PAIRS)
def test_remaking_writes_models_that_answer_the_same(remade, model):
    table = PAIRS[model][0]
    again, stored = probabilities(model, table, remade), probabilities(model, table)
    np.testing.assert_allclose(again, stored, atol=1e-6)


def test_remaking_writes_every_file(remade):
    written = {path.name for path in remade.iterdir()}
    assert written == {path.name for path in FOLDER.iterdir() if path.is_file()} - {
        "README.md",
        "make.py",
        "make_comments.py",
        "loans_codes.toml",
        "loans_letter.txt",
    }
