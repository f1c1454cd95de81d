"""The CSV guard: what a spreadsheet would run is disarmed, numbers are left alone."""

import pickle

import numpy as np
import pandas as pd
import pytest

from xplain_cli.output import guard, unguard

NUMBERS = ["-1", "+1", "-2.5", "+.5", "-1.", "-1e-7", "+1E5", "-007", "-9007199254740993"]
FORMULAS = [
    *(
        "-x",
        "+1+1",
        "-1-1",
        "-1,5",
        "-",
        "+",
        "-inf",
        "-0x1F",
        "-1 ",
        "+1e",
        "--1",
        "+47 22",
        "-1%",
    ),
    *("=1", "@1", "\t1", "-1\n", "-\u0661"),
]


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_no_formula(text):
    assert (guard(text), unguard(text)) == (text, text)


@pytest.mark.parametrize("text", FORMULAS)
def test_what_only_begins_like_a_number_is_disarmed(text):
    assert (guard(text), unguard(guard(text))) == (f"'{text}", text)


@pytest.mark.parametrize("text", ["'-1", "''-1", "'+1", "'=1", "'", "'x"])
def test_texts_that_look_guarded_come_back(text):
    assert unguard(guard(text)) == text


def test_classes_ids_and_categories_of_signs_stand_as_they_are(run, tmp_path):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    words = np.resize(np.array(["-1", "0", "+1", "=1"], dtype=object), 40)
    table = pd.DataFrame({"g": pd.Series(words, dtype=object), "x": np.arange(40) % 7.0})
    prepare = make_column_transformer((OneHotEncoder(), ["g"]), remainder="passthrough")
    model = make_pipeline(prepare, LogisticRegression())
    model.fit(table, np.where(table["x"] > 3, 1, -1))
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    table.assign(id=-np.arange(40), kept=words).to_csv(tmp_path / "d.csv", index=False)
    asked = ("-t", "all", "--id-column", "id", "--keep", "kept", "-n", 32, "-r", 2, "-q")
    done = run("tabular", "m.pkl", "d.csv", *asked, "-o", "o.csv")
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "o.csv", dtype=str)
    assert set(found["target"]) == {"-1", "1"}
    assert set(found["row_id"]) == {str(-i) for i in range(40)}
    assert set(found["kept"]) == {"-1", "0", "+1", "'=1"}
    assert set(found.loc[found["feature"] == "g", "feature_value"]) == {"-1", "0", "+1", "'=1"}
