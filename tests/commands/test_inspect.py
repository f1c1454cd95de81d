"""``xplain inspect``: what a model is, without loading it, and how it answers on DATA."""

import pickle

import numpy as np
import pandas as pd
import pytest
from picture_runs import SIDE
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from token_models import make_token_model


def test_inspect_tells_a_model_that_would_load(run, cancer):
    done = run("inspect", cancer.model)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("kind      pickle\nsha256    ")
    assert "columns   30: mean radius, " in done.out
    assert done.out.endswith("verdict   would load\n")


def test_inspect_refuses_what_would_be_refused_and_runs_nothing(run, tmp_path):
    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    done = run("inspect", "evil.pkl")
    assert (done.code, done.err) == (3, "")
    assert "os.system" in done.out
    assert done.out.endswith("verdict   would be refused\n")
    assert not (tmp_path / "ran").exists()


def test_inspect_of_a_missing_file_ends_with_3(xplain):
    done = xplain("inspect", "no.pkl")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: no.pkl")


@pytest.fixture
def looks(run):
    """Inspect a model with DATA; return what the lines say, by their labels."""

    def looked(*arguments):
        done = run("inspect", *arguments)
        assert done.code == 0, done.err
        return {line[:15].strip(): line[16:] for line in done.out.splitlines()}

    return looked


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("comments.csv", ("--text-column", "CONTENT")),
        ("comments.txt", ()),
        ("comments.csv", ("--id-column", "id")),
    ],
)
def test_a_model_of_texts_is_probed_on_texts(looks, comments, data, options):
    said = looks(comments / "model.pkl", comments / data, *options)
    assert said["inputs"].endswith("(text, by word)")
    assert said["outputs"] == "fine, spam"
    assert said["rows"] == "24"
    assert len([label for label in said if label.startswith("row ")]) == 3


def test_a_model_of_texts_beside_columns_is_probed_on_both(looks, tmp_path):
    table = pd.DataFrame({"text": ["good film", "bad film"] * 12, "n": range(24)})
    table.to_csv(tmp_path / "t.csv", index=False)
    reads = ColumnTransformer([("w", TfidfVectorizer(), "text"), ("n", "passthrough", ["n"])])
    model = make_pipeline(reads, LogisticRegression()).fit(table, [0, 1] * 12)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    said = looks("m.pkl", "t.csv", "--text-column", "text")
    assert said["inputs"] == "text (text, by word), n (integer, as it is)"


def test_a_token_model_is_probed_on_lines(looks, tmp_path):
    make_token_model(tmp_path)
    (tmp_path / "one.txt").write_text("good bad good\n")
    assert looks("m.onnx", "one.txt")["rows"] == "1"


@pytest.mark.parametrize("data", [".", "0.png", "stack.npy"])
def test_a_model_of_pictures_is_probed_on_pictures(looks, photos, watching, data):
    np.save(photos / "stack.npy", np.zeros((2, SIDE, SIDE, 3), dtype=np.uint8))
    said = looks(watching, photos / data, "--rescale", "1/255")
    assert said["inputs"] == f"pictures as float32 CHW, 3 x {SIDE} x {SIDE}"
    assert int(said["features"]) > 0


def test_a_table_of_numbers_in_a_stack_file_is_a_table(looks, tmp_path):
    matrix = np.random.default_rng(0).normal(size=(30, 3))
    np.save(tmp_path / "t.npy", matrix)
    model = LogisticRegression().fit(matrix, matrix[:, 0] > 0)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    assert looks("m.pkl", "t.npy")["features"] == "3"
