"""Random tables of spelled categories, models fitted on them, and what xplain makes of their files.

A word that a model was fitted with must reach it from every form of the same table.
"""

import io
import json
import sys

import numpy as np
import pandas as pd

from xplain_cli.modalities.tabular.data import open_data
from xplain_cli.models.contract import ModelRecipe
from xplain_cli.models.estimators.model import Estimator
from xplain_cli.options.request import from_stored

FORMS = ("csv", "tsv", "jsonl", "parquet", "stdin")
MODELS = ("one hot", "catboost", "lightgbm", "xgboost", "hist")
SPELLINGS = (
    ("1.0", "2.0", "0.50"),  # look like numbers
    ("1e3", "1000", "1E3"),
    ("+1", "1", "-1", "-0", "0"),  # look like whole numbers
    ("007", "07", "7"),
    ("True", "False"),  # look like bools
    ("true", "True", "TRUE"),
    ("2020-01-01", "2020-01-02"),  # look like dates
    ("9007199254740993", "9007199254740992"),  # one float
    ("nan", "NA", "None", "null", "inf"),
    (" a", "a ", "a", "A"),
    ('say "x"', '"', "a,b", "a\tb", "two\nlines", "it's"),
    ("Bodø", "Tromsø", "Ålesund", "\u65e5\u672c\u8a9e", "e\u0301", "\u00e9"),
    ("1_000", "1,5", "1;5", "0x10", "1.", ".5", "5%"),
)
NUMBERED = (
    np.array([1, 2, 30]),
    np.array([0, 1]),
    np.array([1729384756102938475, 1729384756102938476, 9007199254740993, -5]),
    np.array([False, True]),
)
ROWS = 40


def spelled_table(stream, model):
    """Return a table of a number and one to three columns of categories, some cells missing."""
    columns = {"x": stream.normal(size=ROWS)}
    for place in range(int(stream.integers(1, 4))):
        if stream.random() < 0.3 and not (model == "xgboost" and place == 0):
            pool = NUMBERED[int(stream.integers(len(NUMBERED) - (model == "xgboost")))]
            columns[f"c{place}"] = pool[stream.integers(0, len(pool), ROWS)]
            continue
        pool = list(SPELLINGS[int(stream.integers(len(SPELLINGS)))])
        if stream.random() < 0.3:
            pool += list(SPELLINGS[int(stream.integers(len(SPELLINGS)))])
        cells = np.array(pool, dtype=object)[stream.integers(0, len(pool), ROWS)]
        if stream.random() < 0.4:
            cells[stream.integers(0, ROWS, 5)] = np.nan
        columns[f"c{place}"] = cells
    return pd.DataFrame({c: pd.Series(v, dtype=v.dtype) for c, v in columns.items()})


def _classes(table):
    """Return classes that the categories decide, so that a category that is lost shows."""
    score = table["x"].to_numpy() * 0.3
    for column in table.columns[1:]:
        codes = pd.factorize(table[column].astype(str))[0]
        score = score + np.where(codes % 2, 1.0, -1.0) + 0.1 * codes
    return (score > np.median(score)).astype(int)


def _one_hot(table, classes, words):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), words), remainder="passthrough"
    )
    return make_pipeline(encode, LogisticRegression()).fit(table, classes), table


def _catboost(table, classes, words):
    import catboost

    frame = table.assign(**{c: table[c].where(table[c].notna(), "nan") for c in words})
    options = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False}
    model = catboost.CatBoostClassifier(**options, thread_count=1, cat_features=words)
    return model.fit(frame, classes), frame


def _lightgbm(table, classes, words):
    import lightgbm

    frame = table.astype(dict.fromkeys(words, "category"))
    options = {"n_estimators": 4, "min_child_samples": 2, "min_data_per_group": 2, "verbose": -1}
    return lightgbm.LGBMClassifier(**options, n_jobs=1, cat_smooth=1).fit(frame, classes), frame


def _xgboost(table, classes, words):
    import xgboost

    frame = table.astype(dict.fromkeys(words, "category"))
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=3, enable_categorical=True, n_jobs=1)
    return model.fit(frame, classes), frame


def _hist(table, classes, words):
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = table.astype(dict.fromkeys(words, "category"))
    model = HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=2)
    return model.set_params(categorical_features="from_dtype").fit(frame, classes), frame


FITTED = {
    "one hot": _one_hot,
    "catboost": _catboost,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "hist": _hist,
}


def fit_on(name, table):
    """Return a model fitted on a table, and the library's own answers on the frame it saw."""
    model, frame = FITTED[name](table, _classes(table), list(table.columns[1:]))
    return model, model.predict_proba(frame)


def _lines(table):
    """Return a table as JSON Lines; missing cells are null."""
    rows = []
    for row in table.itertuples(index=False):
        cells = (value.item() if isinstance(value, np.generic) else value for value in row)
        rows.append({c: None if v != v else v for c, v in zip(table.columns, cells, strict=True)})  # noqa: PLR0124 - NaN
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write(table, folder, form):
    """Write a table in a form; return the path, or the bytes of stdin."""
    path = folder / f"t.{form}"
    if form == "parquet":
        table.to_parquet(path)
    elif form == "jsonl":
        path.write_bytes(_lines(table))
    else:
        text = table.to_csv(index=False, sep="\t" if form == "tsv" else ",", lineterminator="\n")
        path.write_text(text, encoding="utf-8", newline="")
    return path


def answers(model, table, folder, form):
    """Return what the model answers on a table as xplain reads it from a form."""
    path = write(table, folder, "csv" if form == "stdin" else form)
    return answers_on(model, path, piped=form == "stdin")


def answers_on(model, path, *, piped=False):
    """Return what a model, or a loaded one, answers on the rows of a file as xplain reads them."""
    loaded = model
    if not hasattr(model, "settle"):
        loaded = Estimator(model, source="m", sha256="", recipe=ModelRecipe("m"))
    kept = sys.stdin
    if piped:
        sys.stdin = io.TextIOWrapper(io.BytesIO(path.read_bytes()))
    try:
        data = "-" if piped else str(path)
        background = str(path) if piped else None
        asked = {"modality": "tabular", "model": "m", "data": [data], "background": background}
        request = from_stored(asked)
        reading = open_data(request, lambda: loaded)
    finally:
        sys.stdin = kept
    modality = reading.modality
    rows = next(iter(modality.pieces(modality.n_rows, 0, modality.n_rows)))
    assert not rows.rows.unread, rows.rows.unread
    return loaded.bind(loaded.settle(rows.batch)).predict(rows.batch)
