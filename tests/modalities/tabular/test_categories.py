"""Categories that a model was not fitted with are named; where it fails on them, their rows do."""

import pickle

import numpy as np
import pandas as pd
import pytest
from running import SMALL, rows_of
from stored_cases import people


def fitted(encoder, table=None):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    table = people() if table is None else table
    prepare = make_column_transformer((encoder, ["city", "zip"]), remainder="passthrough")
    return make_pipeline(prepare, LogisticRegression(max_iter=5000)).fit(table, table["age"] > 40)


@pytest.fixture
def explained(run, tmp_path):
    """Explain a table by a model; return the outcome and the stability lines."""

    def explain(model, table, *options):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
        table.to_csv(tmp_path / "d.csv", index=False)
        done = run("tabular", "m.pkl", "d.csv", *SMALL, "-o", "out", "--force", *options)
        path = tmp_path / "out" / "stability.csv"
        return done, rows_of(path) if path.exists() else []

    return explain


def encoders():
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    return {"one hot": OneHotEncoder(), "ordinal": OrdinalEncoder()}


@pytest.mark.parametrize("name", ["one hot", "ordinal"])
def test_a_row_with_an_unknown_category_fails_and_says_which(explained, name):
    table = people()
    table.loc[[7, 30], "city"] = "Oslop"
    table.loc[9, "city"] = "Rome"
    done, lines = explained(fitted(encoders()[name]), table)
    assert done.code == 4, done.err
    failed = {line["row"]: line["error"] for line in lines if line["status"] == "failed"}
    assert list(failed) == ["7", "9", "30"]
    assert failed["7"] == (
        "d.csv: row 7, column 'city': the model was not fitted with the category 'Oslop'; did you"
        " mean 'Oslo'?; it knows 'Bergen', 'Oslo', 'Troms\u00f8': change it to one of them, or fit"
        " the model with handle_unknown='ignore'"
    )
    note = (
        "d.csv: column 'city': 2 categories that the model was not fitted with, in 3 rows:"
        " 'Oslop', 'Rome'; their rows fail"
    )
    assert note in done.err
    assert "background: without 3 rows that cannot be used" in done.err


def test_a_model_of_dates_as_categories_is_refused(explained):
    table = people().assign(zip=np.resize(pd.date_range("2024-01-01", periods=4), 60))
    done, _ = explained(fitted(encoders()["one hot"], table), table)
    assert done.code == 3
    assert "m.pkl: column 'zip': its categories are of the type " in done.err
    assert "fit the model with texts instead (astype(str))" in done.err
    texts = table.assign(zip=table["zip"].astype(str))
    assert explained(fitted(encoders()["one hot"], texts), texts)[0].code == 0


def test_categories_of_the_model_are_values_too(explained, tmp_path):
    table = people()
    table.loc[[7, 30], "city"] = "Oslop"
    done, lines = explained(fitted(encoders()["one hot"]), table, "--no-values")
    assert done.code == 4, done.err
    assert "change it to one of the 3 that it knows, or fit the model" in lines[7]["error"]
    written = [path.read_text() for path in (tmp_path / "out").glob("*.csv")]
    assert [name for name in ("Oslo", "Bergen") if name in done.err + "".join(written)] == []


def test_a_category_that_the_model_ignores_is_named_and_explained(explained):
    from sklearn.preprocessing import OneHotEncoder

    table = people()
    table.loc[7, "city"] = "Rome"
    done, lines = explained(fitted(OneHotEncoder(handle_unknown="ignore")), table)
    assert done.code == 0, done.err
    assert "1 category that the model was not fitted with, in 1 row: 'Rome'" in done.err
    assert "the model takes them as unknown" in done.err
    assert {line["status"] for line in lines} == {"ok"}


def test_codes_that_were_fitted_as_words_are_read_as_words(explained):
    table = people().assign(zip=np.resize(["150", "5003", "9008"], 60))  # look like numbers
    done, lines = explained(fitted(encoders()["one hot"], table), table)
    assert (done.code, len(lines)) == (0, 60), done.err


def test_a_word_among_codes_that_were_fitted_as_numbers_costs_its_row(explained):
    table = people().assign(zip=np.resize([150, 5003, 9008], 60))
    model = fitted(encoders()["one hot"], table)
    table = table.astype({"zip": object})
    table.loc[11, "zip"] = "none"
    done, lines = explained(model, table)
    assert done.code == 4, done.err
    assert "column 'zip': 'none' is not a number" in lines[11]["error"]
    assert [line["row"] for line in lines if line["error"]] == ["11"]


def test_an_unknown_category_moves_no_other_row(explained, tmp_path):
    people().to_csv(tmp_path / "background.csv", index=False)
    model, options = fitted(encoders()["one hot"]), ("--background", "background.csv")
    clean = explained(model, people(), *options)[1]
    table = people()
    table.loc[3, "city"] = "Rome"
    dirty = explained(model, table, *options, "--chunk-rows", "7")[1]
    for line in clean + dirty:
        del line["run_id"]
    assert [line for line in dirty if line["row"] != "3"] == [
        line for line in clean if line["row"] != "3"
    ]


@pytest.mark.parametrize("package", ["xgboost", "lightgbm"])
def test_boosters_name_their_unknown_categories(explained, package):
    booster = pytest.importorskip(package)
    table = people().drop(columns="zip").replace("Troms\u00f8", "Alta")  # XGBoost cuts its bytes
    table = table.astype({"city": "category"})
    # no threads of OpenMP here: a process that has some must not be forked, as rooms are
    options = {"n_estimators": 3, "n_jobs": 1}
    made = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[package]
    options |= {"enable_categorical": True} if package == "xgboost" else {"verbose": -1}
    model = getattr(booster, made)(**options).fit(table, table["age"] > 40)
    table = table.astype({"city": object})
    table.loc[7, "city"] = "Rome"
    done, lines = explained(model, table)
    assert done.code == 0, done.err
    assert "column 'city': 1 category that the model was not fitted with" in done.err
    assert len(lines) == 60
