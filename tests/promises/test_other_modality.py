"""A model that is given to the command of other rows says which command explains it."""

import pickle

import pandas as pd
import pytest
from comments import BAD, GOOD
from picture_models import mean_colours
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from token_models import make_token_model

TEXTS, LABELS = (GOOD + BAD) * 2, ([0] * 3 + [1] * 3) * 2


def words(vectors=None):
    return make_pipeline(vectors or TfidfVectorizer(), LogisticRegression())


OF_TEXTS = {
    "pipeline": words(),
    "hashing": words(HashingVectorizer(n_features=16)),
    "union": words(make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char"))),
    "nested": make_pipeline(make_pipeline(TfidfVectorizer()), LogisticRegression()),
    "search": GridSearchCV(words(), {}, cv=2),
    "calibrated": CalibratedClassifierCV(words(), cv=2),
    "voting": VotingClassifier([("a", words()), ("b", words())], voting="soft"),
}


@pytest.fixture
def remarks(tmp_path):
    pd.DataFrame({"text": TEXTS, "n": range(12)}).to_csv(tmp_path / "remarks.csv", index=False)
    return tmp_path / "remarks.csv"


@pytest.mark.parametrize("name", OF_TEXTS)
def test_models_of_texts_are_no_models_of_tables(run, remarks, tmp_path, name):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(OF_TEXTS[name].fit(TEXTS, LABELS)))
    done = run("tabular", "m.pkl", remarks)
    assert done.code == 3
    assert "splits texts into words; xplain text explains it" in done.err
    assert run("text", "m.pkl", remarks, "-n", "64", "--rows", "0:2").code == 0


def test_models_of_token_ids_are_no_models_of_tables(run, remarks, tmp_path):
    make_token_model(tmp_path)
    done = run("tabular", "m.onnx", remarks)
    assert (done.code, "takes token ids; xplain text explains it" in done.err) == (3, True)


def test_models_of_pictures_are_no_models_of_tables(run, remarks, tmp_path):
    mean_colours(tmp_path / "m.onnx", shape=["rows", 3, 8, 8])
    done = run("tabular", "m.onnx", remarks)
    assert (done.code, "that of pictures; xplain image explains it" in done.err) == (3, True)


def test_models_of_tables_are_no_models_of_texts(run, remarks, tmp_path):
    table = pd.DataFrame({"age": range(12), "size": range(12)})
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(table, LABELS)))
    done = run("text", "m.pkl", remarks)
    assert done.code == 2
    assert "is a model of tables and does not read column 'text', but age, size" in done.err
