"""Broken tables: never a traceback; every message names the file, the place and the mend."""

import pickle

import pytest
from broken_tables import CORPUS, GOOD
from clarity import assert_clear, is_clear
from running import rows_of


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A pipeline that encodes cities strictly and takes numbers; and its good table."""
    import io

    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    folder = tmp_path_factory.mktemp("broken")
    rows = pd.read_csv(io.BytesIO(GOOD))[["a", "b", "city"]]
    steps = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["a", "b"]))
    fitted = make_pipeline(steps, LogisticRegression()).fit(rows, rows["a"] > 3)
    (folder / "model.pkl").write_bytes(pickle.dumps(fitted))
    (folder / "good.csv").write_bytes(GOOD)
    return folder


@pytest.mark.parametrize("name", CORPUS)
def test_a_broken_table_is_told_clearly(run, model, tmp_path, name):
    case = CORPUS[name]
    if case.data is not None:
        (tmp_path / case.name).write_bytes(case.data)
    options = ("--background", model / "good.csv", "-n", "32", "-r", "2", *case.options)
    done = run("tabular", model / "model.pkl", case.name, *options)
    assert done.code == case.code, done.err
    reasons = []
    if case.code == 4:
        lines = rows_of(tmp_path / "xplain-out" / "stability.csv")
        reasons = [line["error"] for line in lines if line["status"] == "failed"]
        assert (len(reasons), len(lines)) == (1, 24)
    assert_clear(done, case.at_fault or case.name, reasons, whole=case.whole)


def test_the_corpus_is_large():
    assert len(CORPUS) >= 100
    assert len({(case.data, case.name, case.options) for case in CORPUS.values()}) == len(CORPUS)


@pytest.mark.parametrize(
    ("message", "lacks"),
    [
        ("line 3 is wrong; try --sep", ["file"]),
        ("data.csv is wrong; try ;", ["place"]),
        ("data.csv: line 3 is wrong", ["mend"]),
        ("data.csv: line 3 is wrong; remove it", []),
    ],
)
def test_what_a_message_lacks_is_seen(message, lacks):
    assert is_clear(message, "data.csv") == lacks
