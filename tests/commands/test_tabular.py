"""``xplain tabular``: from a model file and a table to weights, stability and a manifest."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from running import SMALL, Case, Forked, forks, rows_of


@pytest.fixture
def explain(run, tmp_path):
    """Explain a case into a folder of tmp_path and return (outcome, weights, stability)."""

    def explained(case, *options, out="out"):
        done = run("tabular", case.model, case.data, *SMALL, "-o", tmp_path / out, *options)
        assert done.code == 0, done.err
        folder = tmp_path / out
        return done, rows_of(folder / "weights.csv"), rows_of(folder / "stability.csv")

    return explained


def test_a_line_for_each_row_target_and_feature(explain, cancer):
    _, weights, stability = explain(cancer)
    assert len(stability) == 60
    assert len(weights) == 60 * 30
    assert {line["status"] for line in stability} == {"ok"}


def test_weights_are_those_of_the_surrogate_and_ranked(explain, cancer):
    _, weights, stability = explain(cancer)
    first = [w for w in weights if w["row_id"] == weights[0]["row_id"]]
    sizes = [abs(float(w["weight"])) for w in first]
    assert sizes == sorted(sizes, reverse=True)
    assert [int(w["rank"]) for w in first] == list(range(1, 31))
    total = float(stability[0]["base_value"]) + sum(float(w["weight"]) for w in first)
    assert total - float(stability[0]["prediction"]) == pytest.approx(
        float(stability[0]["residual"])
    )


def test_prediction_is_the_models(explain, cancer):
    _, _, stability = explain(cancer)
    model = pickle.loads(cancer.model.read_bytes())
    table = pd.read_csv(cancer.data).drop(columns="id")
    expected = model.predict_proba(table)[:, 1]
    assert [float(line["prediction"]) for line in stability] == pytest.approx(expected)


def test_stdout_is_one_line_the_place_of_the_run(explain, cancer, tmp_path):
    done, _, _ = explain(cancer)
    assert done.out == f"{tmp_path / 'out'}\n"
    assert "Precision" in done.err


def test_the_id_column_names_rows(explain, cancer):
    _, weights, stability = explain(cancer, "--id-column", "id")
    assert stability[3]["row_id"] == weights[90]["row_id"] == "p3"


def test_kept_columns_are_carried_as_they_stand(explain, cancer):
    _, weights, stability = explain(cancer, "--keep", "id", "--keep", "id")
    assert [line["id"] for line in stability[:2]] == ["p0", "p1"]
    assert weights[-1]["id"] == "p59"


def test_categories_missing_values_and_class_names(explain, mixed):
    _, weights, stability = explain(mixed, "-t", "all")
    assert len(stability) == 3 * 80
    assert {line["target"] for line in stability} == {"low", "mid", "high"}
    values = {w["feature"]: w["feature_value"] for w in weights if w["row_id"] == "0"}
    assert values["city"] in {"Oslo", "Bergen", "Troms\u00f8"}
    assert values["age"].isdigit()


def test_weights_of_all_classes_add_up_to_zero(explain, mixed):
    _, weights, _ = explain(mixed, "-t", "all")
    sums = {}
    for line in weights:
        key = (line["row_id"], line["feature"])
        sums[key] = sums.get(key, 0.0) + float(line["weight"])
    assert max(map(abs, sums.values())) < 1e-6


def test_one_against_another_is_the_difference_of_both(explain, mixed):
    _, pair, _ = explain(mixed, "-t", "low:vs:high", out="pair")
    _, every, _ = explain(mixed, "-t", "all", out="all")
    one = {(w["row_id"], w["target"], w["feature"]): float(w["weight"]) for w in every}
    for line in pair[:40]:
        low, high = (one[line["row_id"], c, line["feature"]] for c in ("low", "high"))
        assert float(line["weight"]) == pytest.approx(low - high, abs=1e-6)


def test_log_odds_of_a_forest_need_an_eps(run, explain, cancer, tmp_path):
    from sklearn.tree import DecisionTreeClassifier

    table = pd.read_csv(cancer.data).drop(columns="id")
    tree = DecisionTreeClassifier().fit(table, table["mean radius"] > 15)
    certain = Case(tmp_path / "tree.pkl", cancer.data)
    certain.model.write_bytes(pickle.dumps(tree))
    done = run("tabular", certain.model, certain.data, *SMALL, "--output-scale", "log-odds")
    assert done.code == 2
    assert "eps" in done.err
    _, _, stability = explain(certain, "--output-scale", "log-odds:eps=1e-3")
    assert stability[0]["output_scale"] == "log-odds:eps=0.001"


def test_top_k_says_what_it_leaves_out(explain, cancer):
    _, every, _ = explain(cancer, out="all")
    _, top, stability = explain(cancer, "-k", "4", out="top")
    assert top == [w for w in every if int(w["rank"]) <= 4]
    assert stability[0]["n_omitted"] == "26"
    left = [float(w["weight"]) for w in every[4:30]]
    assert float(stability[0]["weight_omitted"]) == pytest.approx(sum(left))
    assert float(stability[0]["size_omitted"]) == pytest.approx(sum(map(abs, left)))


def test_rows_that_repeat_are_explained_once_and_alike(run, cancer, tmp_path):
    lines = cancer.data.read_text().splitlines()
    doubled = tmp_path / "doubled.csv"
    twice = [line.replace("p", "q", 1) for line in lines[1:]]
    doubled.write_text("\n".join([*lines, *twice]) + "\n")
    assert run("tabular", cancer.model, doubled, *SMALL, "-o", "out").code == 0
    stability = rows_of(tmp_path / "out" / "stability.csv")
    for one, other in zip(stability[:60], stability[60:], strict=True):
        assert {**one, "row": "", "row_id": ""} == {**other, "row": "", "row_id": ""}


def test_standard_output_carries_json_lines(run, cancer, tmp_path):
    done = run("tabular", cancer.model, cancer.data, *SMALL, "-o", "-", "-q")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["row_id"] for row in rows] == list(range(60))
    assert list(tmp_path.iterdir()) == []


@forks
def test_standard_input_is_explained_against_a_background(cancer, tmp_path):
    text = cancer.data.read_text()
    options = ("--background", cancer.data, *SMALL, "-q")
    process = Forked(tmp_path, "tabular", cancer.model, "-", *options, given=text)
    assert process.wait(120) == 0, process.said.read_text()
    assert len((tmp_path / "said.out").read_text().splitlines()) == 60


def test_repeats_are_written_on_request(run, cancer, tmp_path):
    options = (*SMALL, "-o", "out", "--write-repeats")
    assert run("tabular", cancer.model, cancer.data, *options).code == 0
    with np.load(tmp_path / "out" / "repeats.npz") as kept:
        assert kept["weights"].shape == (3, 60 * 30)
        spread = kept["weights"].std(axis=0, ddof=1)
    written = [float(w["std_over_seeds"]) for w in rows_of(tmp_path / "out" / "weights.csv")]
    assert written == pytest.approx(spread)


def test_values_may_be_left_out_everywhere(run, cancer, tmp_path):
    options = (*SMALL, "-o", "out", "--no-values")
    assert run("tabular", cancer.model, cancer.data, *options).code == 0
    assert {w["feature_value"] for w in rows_of(tmp_path / "out" / "weights.csv")} == {""}
    value = "17.99"  # of the first row
    parts = (tmp_path / "out" / "parts").iterdir()
    assert not any(value.encode() in part.read_bytes() for part in parts)


@pytest.mark.parametrize("method", ["lime:sample=around", "lime:exact=yes", "lime:features=3"])
def test_other_ways_of_lime_run_whole(run, cancer, tmp_path, method):
    options = ("--rows", "0:5", "-m", method, "-o", "out")
    done = run("tabular", cancer.model, cancer.data, *options)
    assert done.code == 0, done.err
    stability = rows_of(tmp_path / "out" / "stability.csv")
    assert len(stability) == 5
    if method == "lime:exact=yes":
        assert {line["precision"] for line in stability} == {"exact"}
    if method == "lime:sample=around":
        assert stability[0]["n_model_inputs"] == str(1 + 8 * 128)
    if method == "lime:features=3":
        assert len(rows_of(tmp_path / "out" / "weights.csv")) == 15


def test_a_group_is_one_feature(run, mixed, tmp_path):
    options = ("--rows", "0:5", *SMALL, "--group", "person=[aj][go][eb]", "-o", "out")
    assert run("tabular", mixed.model, mixed.data, *options).code == 0
    names = {w["feature"] for w in rows_of(tmp_path / "out" / "weights.csv")}
    assert names == {"person", "income", "city"}


BAD = {
    "missing model": (("nothing.pkl", "DATA"), 3, "nothing.pkl"),
    "missing data": (("MODEL", "nothing.csv"), 3, "nothing.csv"),
    "wrong target": (("MODEL", "DATA", "-t", "2"), 2, "not an output"),
    "a column as target": (("MODEL", "DATA", "-t", "mean radius"), 2, "is a column of the data"),
    "unknown method": (("MODEL", "DATA", "-m", "lmie"), 2, "did you mean 'lime'"),
    "unknown setting": (("MODEL", "DATA", "-m", "lime:kernel=3"), 2, "no setting 'kernel'"),
    "bad rows": (("MODEL", "DATA", "--rows", "5"), 2, "START:STOP"),
    "rows past the end": (("MODEL", "DATA", "--rows", "100:"), 2, "has 60 rows"),
    "unknown id": (("MODEL", "DATA", "--id-column", "idd"), 2, "did you mean 'id'"),
    "a file as folder": (("MODEL", "DATA", "-o", "kept.csv/out"), 3, "cannot be written"),
    "a gate of nothing": (("MODEL", "DATA", "--fail-on", "maxrel>1"), 2, "maxrel"),
    "exact log-odds": (
        ("MODEL", "DATA", "-m", "lime:exact=yes", "--output-scale", "log-odds"),
        2,
        "exact=yes",
    ),
    "a group of nothing": (("MODEL", "DATA", "--group", "a=zz*"), 2, "matches no column"),
    "no category": (("MODEL", "DATA", "--categorical", "zz"), 2, "matches no column"),
    "a kept column of ours": (("MODEL", "KEEP", "--keep", "weight"), 2, "weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line_and_nothing_is_written(run, cancer, tmp_path, name):
    words, code, text = BAD[name]
    kept = tmp_path / "kept.csv"
    kept.write_text(cancer.data.read_text().replace("id,", "weight,", 1))
    places = {"MODEL": cancer.model, "DATA": cancer.data, "KEEP": kept}
    done = run("tabular", *(places.get(word, word) for word in words))
    assert done.code == code, done.err
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert text in errors[0]
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize(("place", "made"), [("a/b/c", "a/b/c/weights.csv"), ("a/b/c.csv",) * 2])
def test_the_folders_of_the_output_and_of_its_page_are_made(run, cancer, tmp_path, place, made):
    options = ("-o", place, "--report", "pages/p.html", "--rows", "0:5", *SMALL)
    assert run("tabular", cancer.model, cancer.data, *options).code == 0
    assert (tmp_path / made).is_file()
    assert (tmp_path / "pages" / "p.html").is_file()


def test_a_refused_command_leaves_no_folder_of_its_output(run, cancer, tmp_path):
    words = (cancer.model, cancer.data, "-o", "a/b/c", "--fail-on", "maxrel>1")
    assert run("tabular", *words).code == 2
    assert list(tmp_path.iterdir()) == []


def broken(tmp_path, cancer, change):
    table = pd.read_csv(cancer.data, dtype=str)
    path = tmp_path / "broken.csv"
    change(table).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.rename(columns={"mean radius": "mean_radius"}), "mean_radius"),
        (lambda t: t.assign(**{"mean radius": "abc"}), "'abc'.*60 of 60 cells"),
        (lambda t: t.head(0), "without rows"),
        (lambda t: t.head(10), "too few rows for a background"),
        (lambda t: t.assign(id="same"), "must be unique"),
    ],
)
def test_broken_tables_are_refused(run, cancer, tmp_path, change, text):
    import re

    path = broken(tmp_path, cancer, change)
    done = run("tabular", cancer.model, path, "--id-column", "id")
    assert done.code == 3, done.err
    assert re.search(text, done.err), done.err
    assert list(tmp_path.iterdir()) == [path]


def test_a_regression_has_no_classes_to_target(run, diabetes, tmp_path):
    done = run("tabular", diabetes.model, diabetes.data, "-t", "class=1")
    assert done.code == 2
    assert "not an output" in done.err
    assert run("tabular", diabetes.model, diabetes.data, "-t", "predicted").code == 2


def test_a_model_of_plain_arrays_drops_the_id_column(run, tmp_path):
    from sklearn.datasets import load_wine
    from sklearn.tree import DecisionTreeClassifier

    X, y = load_wine(return_X_y=True)
    case = Case(tmp_path / "tree.pkl", tmp_path / "wine.csv")
    case.model.write_bytes(pickle.dumps(DecisionTreeClassifier(max_depth=3).fit(X, y)))
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(13)])
    table.insert(0, "id", range(len(table)))
    table.to_csv(case.data, index=False)
    done = run("tabular", case.model, case.data, *SMALL, "-o", "out")
    assert done.code == 0, done.err
    names = {w["feature"] for w in rows_of(tmp_path / "out" / "weights.csv")}
    assert names == {f"c{j}" for j in range(13)}
    table.insert(0, "more", 1.0)
    table.to_csv(case.data, index=False)
    refused = run("tabular", case.model, case.data, *SMALL, "-o", "out2")
    assert refused.code == 3
    assert "--features" in refused.err
    assert "--drop-columns" in refused.err


def test_five_hundred_columns_work(run, tmp_path):
    from sklearn.linear_model import LogisticRegression

    stream = np.random.default_rng(0)
    X = stream.normal(size=(40, 500))
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    case = Case(tmp_path / "wide.pkl", tmp_path / "wide.csv")
    case.model.write_bytes(pickle.dumps(model))
    pd.DataFrame(X).rename(columns="c{}".format).to_csv(case.data, index=False)
    done = run("tabular", case.model, case.data, "--rows", "0:2", "-r", "2", "-o", "out")
    assert done.code == 0, done.err
    assert "samples raised" not in done.err  # nothing is solved that so few could not determine
    assert len(rows_of(tmp_path / "out" / "weights.csv")) == 1000


def test_repeats_stand_beside_the_file_that_is_named(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "--rows", "0:3", "--write-repeats")
    assert run(*command, "-o", "l.json").code == 0
    assert "l.repeats.npz" in json.loads((tmp_path / "l.manifest.json").read_text())["outputs"]
    with np.load(tmp_path / "l.repeats.npz") as kept:
        assert kept["weights"].shape == (3, 90)
    assert "nothing to do" in run(*command, "-o", "l.json").err
    assert run(*command, "-o", "-").code == 2
