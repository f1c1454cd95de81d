"""Cells reach the model as they were written: it answers as on the frame that it was fitted on."""

import pickle

import numpy as np
import pandas as pd
import pytest
from spelled_tables import FORMS, MODELS, answers, answers_on, fit_on, spelled_table, write
from threadpoolctl import threadpool_limits

OPTIONAL = {"catboost", "lightgbm", "xgboost"}
FEW = ("-n", 32, "-r", 2, "--no-progress", "-q", "-o", "out")


@pytest.fixture(autouse=True)
def one_thread():
    """Small models on a busy machine wait for each other's threads."""
    with threadpool_limits(1):
        yield


def skip_without(name):
    for package in OPTIONAL & {name}:
        pytest.importorskip(package)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_random_spellings_reach_the_model_from_every_form(tmp_path, name):
    skip_without(name)
    pytest.importorskip("pyarrow")
    for seed in range(5):
        table = spelled_table(np.random.default_rng([seed, MODELS.index(name)]), name)
        model, own = fit_on(name, table)
        for form in FORMS:
            assert np.array_equal(answers(model, table, tmp_path, form), own), (seed, form)


def spelled(words, rows=60):
    """Return a table of a number and a column of words, and classes that the words decide."""
    stream = np.random.default_rng(0)
    cells = np.resize(np.array(words, dtype=object), rows)
    table = pd.DataFrame({"x": stream.normal(size=rows), "grade": pd.Series(cells, dtype=object)})
    return table, (table["grade"] == words[0]).astype(int)


def encoded(*, names=True, **options):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(handle_unknown="ignore", **options)
    columns = ["grade"] if names else [1]
    prepare = make_column_transformer((encoder, columns), remainder="passthrough")
    return make_pipeline(prepare, LogisticRegression())


def around(name, model):
    """Return an estimator around a model."""
    from sklearn import calibration, ensemble, model_selection, multiclass, multioutput

    kinds = {
        "one vs rest": lambda: multiclass.OneVsRestClassifier(model),
        "output code": lambda: multiclass.OutputCodeClassifier(model, random_state=0),
        "bagging": lambda: ensemble.BaggingClassifier(model, 3, random_state=0),
        "some columns": lambda: ensemble.BaggingClassifier(
            model, 3, max_features=2, random_state=0
        ),
        "boosting": lambda: ensemble.AdaBoostClassifier(model, n_estimators=2),
        "voting": lambda: ensemble.VotingClassifier([("a", model)], voting="soft"),
        "stacking": lambda: ensemble.StackingClassifier([("a", model)], cv=2),
        "search": lambda: model_selection.GridSearchCV(model, {}, cv=2),
        "calibrated": lambda: calibration.CalibratedClassifierCV(model, cv=2),
        "several outputs": lambda: multioutput.MultiOutputClassifier(model),
    }
    return kinds[name]()


AROUND = (
    *("one vs rest", "output code", "bagging", "some columns", "voting", "stacking", "search"),
    *("calibrated",),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", AROUND)
def test_words_inside_another_estimator_are_read(tmp_path, name, form):
    table, classes = spelled(["1.0", "2.0", "0.50"])
    by_name = name not in {"bagging", "some columns"}  # bagging hands arrays on
    model = around(name, encoded(names=by_name)).fit(table, classes + (table["x"] > 1))
    asked = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    own = asked(table)
    got = answers(model, table, tmp_path, form)
    if own.ndim == 1:  # classes alone: columns of 0 and 1
        own = np.eye(3)[own]
    assert np.array_equal(got, own)


def test_a_user_who_says_text_is_heard(run, tmp_path):
    table, classes = spelled(["b", "a", "c"])
    from sklearn.linear_model import LogisticRegression

    (tmp_path / "m.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(table[["x"]], classes)))
    table.assign(x=np.resize(["1", "2", "3"], 60)).to_csv(tmp_path / "d.csv", index=False)
    done = run("inspect", "m.pkl", "d.csv", "--dtype", "x=text")
    assert "x (category)" in done.out, done.err


def test_one_vs_rest_of_words_is_explained(run, tmp_path):
    table, classes = spelled(["b", "a", "c"])
    model = around("one vs rest", encoded()).fit(table, classes + (table["x"] > 1))
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    table.to_csv(tmp_path / "d.csv", index=False)
    done = run("tabular", "m.pkl", "d.csv", *FEW, "-t", "all", "--dtype", "grade=text")
    assert done.code == 0, done.err


CAT = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}


def catboost_on(table, classes, **options):
    catboost = pytest.importorskip("catboost")
    return catboost.CatBoostClassifier(**CAT, cat_features=["grade"], **options).fit(table, classes)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "words",
    [
        ["1.0", "0.50", "2.0"],
        ["1e3", "1000.0"],
        ["+1", "1", "-1"],
        ["True", "False"],
        ["007", "7"],
        ["9007199254740993", "9007199254740992"],
        ["2020-01-01", "2020-01-02"],
    ],
    ids=lambda words: words[0],
)
def test_words_of_catboost_keep_their_spelling(tmp_path, words, form):
    table, classes = spelled(words)
    model = catboost_on(table, classes)
    own = model.predict_proba(table)
    assert np.ptp(own[:, 1]) > 0.1
    assert np.array_equal(answers(model, table, tmp_path, form), own)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cells", [[True, False], [3, 1, 20], [1729384756102938475, 5]], ids=str)
def test_numbers_and_bools_of_catboost_stay_what_they_are(tmp_path, cells, form):
    table, classes = spelled(cells)
    table = table.infer_objects()
    model = catboost_on(table, classes)
    own = model.predict_proba(table)
    assert np.ptp(own[:, 1]) > 0.1
    assert np.array_equal(answers(model, table, tmp_path, form), own)


def test_whole_numbers_with_a_point_find_the_codes_of_catboost(tmp_path):
    table, classes = spelled([3, 1, 20])
    model = catboost_on(table.infer_objects(), classes)
    written = table.assign(grade=table["grade"].astype(float))  # as pandas writes codes with gaps
    own = model.predict_proba(table.infer_objects())
    assert np.array_equal(answers(model, written, tmp_path, "csv"), own)


def test_words_of_catboost_without_names_are_read(tmp_path):
    catboost = pytest.importorskip("catboost")
    table, classes = spelled(["1.0", "0.50", "2.0"])
    model = catboost.CatBoostClassifier(**CAT, cat_features=[1]).fit(table.to_numpy(), classes)
    own = model.predict_proba(table.to_numpy())
    assert np.array_equal(answers(model, table, tmp_path, "csv"), own)


def test_words_passed_on_to_catboost_are_no_numbers(tmp_path):
    catboost = pytest.importorskip("catboost")
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table, classes = spelled(["b", "a", "c"])
    prepare = make_column_transformer((StandardScaler(), ["x"]), remainder="passthrough")
    model = make_pipeline(prepare, catboost.CatBoostClassifier(**CAT, cat_features=[1]))
    model.fit(table, classes)
    own = model.predict_proba(table)
    assert np.array_equal(answers(model, table, tmp_path, "csv"), own)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("places", ["from_dtype", ["grade"], [1]], ids=str)
def test_words_inside_histogram_boosting_are_read(tmp_path, places, form):
    from sklearn.ensemble import HistGradientBoostingClassifier

    table, classes = spelled(["3", "2", "1"])
    frame = table.astype({"grade": "category"} if places == "from_dtype" else {})
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features=places)
    own = model.fit(frame, classes).predict_proba(frame)
    assert np.array_equal(answers(model, table, tmp_path, form), own)


def test_words_of_a_model_without_names_are_read(tmp_path):
    table, classes = spelled(["1.0", "0.50", "2.0"])
    model = encoded(names=False).fit(table.to_numpy(), classes)
    own = model.predict_proba(table.to_numpy())
    assert np.array_equal(answers(model, table, tmp_path, "csv"), own)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("missing", [None, np.nan], ids=str)
def test_missing_words_are_what_they_were_to_the_encoder(tmp_path, missing, form):
    table, classes = spelled(["a", missing, "b"])
    model = encoded().fit(table, classes)
    own = model.predict_proba(table)
    assert np.array_equal(answers(model, table, tmp_path, form), own)


@pytest.mark.parametrize("form", FORMS)
def test_the_empty_word_is_a_word_where_the_model_knows_it(tmp_path, form):
    table, classes = spelled(["", "a", "b"])
    model = encoded().fit(table, classes)
    own = model.predict_proba(table)
    assert np.array_equal(answers(model, table, tmp_path, form), own)


@pytest.mark.parametrize("form", FORMS)
def test_long_numbers_stay_whole(tmp_path, form):
    table, classes = spelled([1729384756102938475, 1729384756102938476, 9007199254740993, 7])
    table = table.infer_objects()
    model = encoded().fit(table, classes)
    own = model.predict_proba(table)
    assert np.array_equal(answers(model, table, tmp_path, form), own)


def test_decimal_ids_of_a_database_stay_whole(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table, classes = spelled([1729384756102938475, 1729384756102938476])
    table = table.infer_objects()
    model = encoded().fit(table, classes)
    stored = arrow.Table.from_pandas(table)
    at = stored.column_names.index("grade")
    decimals = stored["grade"].cast(arrow.decimal128(19, 0))
    stored = stored.set_column(at, "grade", decimals)
    pyarrow.parquet.write_table(stored, tmp_path / "ids.parquet")
    own = model.predict_proba(table)
    assert np.array_equal(answers_on(model, tmp_path / "ids.parquet"), own)


def test_a_callable_is_handed_long_numbers_whole(run, tmp_path):
    (tmp_path / "own.py").write_text(
        "KNOWN = {1729384756102938475: 1.0, 1729384756102938476: 2.0}\n"
        "def scores(table):\n"
        "    return [KNOWN[one] + x for one, x in zip(table['dev'], table['x'])]\n"
    )
    ids = np.resize([1729384756102938475, 1729384756102938476], 40)
    pd.DataFrame({"dev": ids, "x": np.arange(40.0)}).to_csv(tmp_path / "d.csv", index=False)
    done = run("tabular", "own:scores", "d.csv", *FEW, "-m", "kernel-shap", "--python-path", ".")
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "out" / "stability.csv")
    assert found["prediction"].tolist() == [1.0 + i % 2 + i for i in range(40)]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_words_of_an_onnx_model_keep_their_spelling(tmp_path, form):
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    from xplain_cli.models import ModelRecipe, load_model

    table, classes = spelled(["3", "1", "+1"])
    model = encoded().fit(table, classes)
    kinds = [("x", FloatTensorType([None, 1])), ("grade", StringTensorType([None, 1]))]
    made = skl2onnx.to_onnx(model, initial_types=kinds, options={"zipmap": False})
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    loaded = load_model(ModelRecipe(str(tmp_path / "m.onnx")))
    got = answers(loaded, table, tmp_path, form)
    assert np.abs(got - model.predict_proba(table)).max() < 1e-5


def test_a_frame_is_handed_over_where_an_array_fails(tmp_path):
    table, classes = spelled(["a", "b", "c"])
    table["y"] = table["x"] ** 2

    class Ratio:
        """What teams write: columns by name, and no names kept."""

        def fit(self, table, classes=None):  # noqa: ARG002 - scikit-learn's own signature
            return self

        def transform(self, table):
            return table.assign(ratio=table["x"] / table["y"])

    from sklearn.pipeline import make_pipeline

    model = make_pipeline(Ratio(), encoded()).fit(table, classes)
    own = model.predict_proba(table)
    assert np.array_equal(answers(model, table, tmp_path, "csv"), own)


def test_a_function_of_the_teams_own_takes_words(tmp_path):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    def logged(table):
        return table.assign(log=np.log(table["x"].abs()))

    table, classes = spelled(["a", "b", "c"])
    model = make_pipeline(FunctionTransformer(logged), encoded()).fit(table, classes)
    own = model.predict_proba(table)
    assert np.array_equal(answers(model, table, tmp_path, "csv"), own)


def test_ids_stay_as_they_are_written_from_every_form(run, tmp_path):
    from sklearn.linear_model import LinearRegression

    x = np.arange(30.0)
    model = LinearRegression().fit(pd.DataFrame({"x": x}), x)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    ids = ["007", "1001", "1e3", "+5", "-1", "9007199254740993"] + [f"{i}" for i in range(24)]
    table = pd.DataFrame({"id": pd.Series(ids, dtype=object), "x": x})
    for form in ("csv", "tsv", "jsonl", "parquet"):
        named = (write(table, tmp_path, form), "--id-column", "id", "--force")
        done = run("tabular", "m.pkl", *named, *FEW)
        assert done.code == 0, done.err
        found = pd.read_csv(tmp_path / "out" / "weights.csv", dtype=str)
        assert found["row_id"].tolist() == ids, form
