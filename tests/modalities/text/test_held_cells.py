"""Words of a text column, for models that read the other columns too: those stay as they are."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from comments import BAD, GOOD
from oracles import mask_limit
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from xplain_cli.methods.designs import kernel_weights

SMALL = ("-n", "64", "-r", "4")
WORDS, NUMBERS, CHANNEL = "CONTENT", ["likes", "caps"], ["channel"]


def logistic():
    return LogisticRegression(C=10, max_iter=2000)


def named(*more):
    return ColumnTransformer([("words", TfidfVectorizer(), WORDS), *more])


NUMBERED = ("numbers", StandardScaler(), NUMBERS)
ONE_HOT = ("channel", OneHotEncoder(handle_unknown="error"), CHANNEL)
MODELS = {
    "numbers beside": make_pipeline(named(NUMBERED), logistic()),
    "a category beside": make_pipeline(named(NUMBERED, ONE_HOT), logistic()),
    "words alone are read": make_pipeline(named(), logistic()),
    "two readings of the text": make_pipeline(
        named(("letters", CountVectorizer(analyzer="char"), WORDS), NUMBERED), logistic()
    ),
    "a search": GridSearchCV(make_pipeline(named(NUMBERED), logistic()), {}, cv=2),
}


@pytest.fixture
def table(tmp_path):
    """Remarks with numbers and a category beside them; two have the same text."""
    texts = [f"{text} number{i}" for i, text in enumerate((GOOD + BAD) * 4)]
    texts[7] = texts[1]
    found = pd.DataFrame({
        "id": [f"c{i}" for i in range(24)],
        WORDS: texts,
        "likes": (np.arange(24) * 7) % 11,
        "caps": np.arange(24) / 8,
        "channel": np.where(np.arange(24) % 3 == 1, "a", "b"),
    })
    found.to_csv(tmp_path / "remarks.csv", index=False)
    return found


LABELS = (["fine"] * 3 + ["spam"] * 3) * 4


@pytest.fixture
def explain(run, tmp_path, table):
    def explained(model, *options, code=0, fitted=False):
        if not fitted:
            model = model.fit(table.drop(columns="id"), LABELS)
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
        columns = ("--text-column", WORDS, "--id-column", "id", "-t", "spam")
        done = run("text", "m.pkl", "remarks.csv", *columns, *SMALL, *options)
        assert done.code == code, done.err
        return done

    return explained


def stability(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "stability.csv")


def wanted(model, rows):
    return model.predict_proba(rows)[:, 1]


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_answered_as_the_library_does(explain, table, name):
    explain(MODELS[name])
    own = wanted(MODELS[name], table.drop(columns="id"))
    assert stability()["prediction"].to_numpy() == pytest.approx(own, abs=1e-12)
    assert np.ptp(own) > 0.1


def test_weights_are_those_of_the_words_with_the_other_cells_held(explain, table):
    model = MODELS["a category beside"]
    explain(model, "--rows", "4:5")
    row = table.iloc[[4]].drop(columns="id")
    words = row[WORDS].item().split()

    def ask(masks):
        rows = row.loc[row.index.repeat(len(masks))].reset_index(drop=True)
        kept = [" ".join(w for w, stays in zip(words, m, strict=True) if stays) for m in masks]
        return wanted(model, rows.assign(**{WORDS: kept}))

    size = len(words)
    beta, _ = mask_limit("uniform-size", kernel_weights("cosine", 0.25, size), size, ask)
    mine = pd.read_csv("xplain-out/weights.csv").set_index("feature")["weight"]
    assert [mine[word] for word in words] == pytest.approx(list(beta), abs=1e-9)


def test_equal_texts_beside_other_numbers_are_other_rows(explain, table):
    explain(MODELS["numbers beside"])
    first, second = stability()["prediction"][[1, 7]]
    assert table[WORDS][1] == table[WORDS][7]
    assert abs(first - second) > 1e-3


def test_models_that_count_their_columns_are_handed_an_array(explain, table):
    """Positions are those of the columns without the id."""
    by_place = ColumnTransformer([("w", TfidfVectorizer(), 0), ("n", "passthrough", [1, 2])])
    model = make_pipeline(by_place, logistic())
    values = table.drop(columns="id").to_numpy(dtype=object)
    explain(model.fit(values, LABELS), fitted=True)
    assert stability()["prediction"].to_numpy() == pytest.approx(wanted(model, values), abs=1e-12)


def test_a_row_without_a_text_is_empty_beside_its_numbers(run, explain, table, tmp_path):
    table.loc[[3, 5], WORDS] = ["", ":-)"]
    table.to_csv(tmp_path / "remarks.csv", index=False)
    model = MODELS["numbers beside"]
    explain(model)
    said = stability()
    own = wanted(model, table.drop(columns="id"))
    assert said["status"][[3, 5]].tolist() == ["empty"] * 2
    assert said["prediction"][[3, 5]].to_numpy() == pytest.approx(own[[3, 5]], abs=1e-12)


def test_a_row_whose_other_cells_the_model_refuses_fails_alone(explain, table, tmp_path):
    model = MODELS["a category beside"].fit(table.drop(columns="id"), LABELS)
    table.assign(channel=["new", *table["channel"][1:]]).to_csv(
        tmp_path / "remarks.csv", index=False
    )
    explain(model, fitted=True, code=4)
    assert stability()["status"].tolist() == ["failed", *["ok"] * 23]


def test_jobs_and_chunks_change_no_byte(explain):
    model = MODELS["a category beside"]
    explain(model, "-o", "one")
    explain(model, "-o", "two", "--chunk-rows", "5", "--jobs", "2", "--backend", "threads")
    for name in ("weights.csv", "stability.csv"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_a_token_and_evaluation_work_as_with_texts(explain, run):
    explain(MODELS["numbers beside"], "--mask-token", "[MASK]", "--report", "page.html")
    done = run("evaluate", "xplain-out")
    assert done.code == 0, done.err


def test_what_stays_as_it_is_is_said(explain):
    done = explain(MODELS["numbers beside"], "--dry-run")
    assert "columns that stay as they are in each row: likes, caps, channel" in done.err
    assert "CONTENT (text, by word), likes (" in done.out


def test_another_text_would_have_other_cells(explain):
    done = explain(MODELS["numbers beside"], "-b", "nearest:class=fine", code=2)
    assert "another text has others" in done.err


@pytest.mark.parametrize(
    ("column", "code", "says"),
    [
        ("likes", 3, "takes column 'likes' as a number"),
        ("channel", 3, "takes column 'channel' as a category"),
        ("id", 2, "is a model of tables and does not read column 'id'"),
    ],
)
def test_columns_that_are_not_read_by_words_are_refused(explain, run, column, code, says):
    explain(MODELS["a category beside"])
    done = run("text", "m.pkl", "remarks.csv", "--text-column", column)
    assert (done.code, says in done.err) == (code, True), done.err


def test_a_column_that_the_model_needs_is_named(explain, run, table, tmp_path):
    explain(MODELS["numbers beside"])
    table.drop(columns="likes").to_csv(tmp_path / "less.csv", index=False)
    done = run("text", "m.pkl", "less.csv", "--text-column", WORDS)
    assert (done.code, "likes" in done.err) == (3, True)


def test_a_classifier_apart_from_its_vectoriser_says_so(run, table, tmp_path):
    vectors = TfidfVectorizer().fit_transform(table[WORDS])
    (tmp_path / "clf.pkl").write_bytes(pickle.dumps(logistic().fit(vectors, LABELS)))
    done = run("text", "clf.pkl", "remarks.csv", "--text-column", WORDS)
    assert done.code == 3
    assert "the vectoriser that makes them is missing" in done.err
    assert table[WORDS][0] not in done.err
