"""The promise: a row's numbers do not depend on the rows beside it, their order or their place."""

import numpy as np
import pandas as pd
import pytest
from running import SMALL, bytes_of, rows_of
from stored_cases import numbers, stored


@pytest.mark.parametrize("columns", [1, 4])
@pytest.mark.parametrize("bare", [False, True])
def test_chunks_of_any_size_give_the_same_numbers_of_a_dense_model(
    lines, tmp_path, rng, columns, bare
):
    from sklearn.linear_model import LogisticRegression

    X = numbers(rng, 41, columns)
    model = LogisticRegression().fit(X.to_numpy() if bare else X, X["a"] > 0)
    files = stored(tmp_path, model, X, "dense")
    whole = lines(*files)
    assert np.std([float(w["weight"]) for w in whole["weights", "0"]] + [0.0]) > 0.01
    for size in ("1", "7"):
        assert lines(*files, "--chunk-rows", size) == whole


def test_a_value_that_the_background_lacks_moves_no_other_row(lines, tmp_path, rng):
    from sklearn.ensemble import RandomForestRegressor

    X = numbers(rng, 40, 3).assign(c=rng.integers(0, 3, 40))
    X.loc[25, "c"] = 9
    model = RandomForestRegressor(10, random_state=0).fit(X, X["a"] + X["c"])
    files = stored(tmp_path, model, X, "unseen")
    background = tmp_path / "background.csv"
    X.drop(index=25).to_csv(background, index=False)
    options = ("--background", background, "--categorical", "c", "--stability-k", "2")
    whole = lines(*files, *options)
    assert lines(*files, *options, "--chunk-rows", "1") == whole


def test_a_constant_class_beside_others_gives_the_same_numbers(lines, tmp_path, rng):
    X = numbers(rng, 30, 3)
    _, data = stored(tmp_path, None, X, "classes")
    (tmp_path / "classes_model.py").write_text(
        "import numpy as np\n"
        "def predict(t):\n"
        "    p = 1 / (1 + np.exp(-3 * t['a'].to_numpy()))\n"
        "    return np.column_stack([np.full(len(t), 0.4), 0.6 * p, 0.6 * (1 - p)])\n"
    )
    options = ("--python-path", tmp_path, "-t", "predicted")
    whole = lines("classes_model:predict", data, *options)
    assert {line[0]["target"] for line in whole.values()} == {"column 0", "column 1", "column 2"}
    assert lines("classes_model:predict", data, *options, "--chunk-rows", "1") == whole


def test_a_constant_column_does_not_hide_how_local_weights_are(lines, tmp_path, rng):
    from sklearn.tree import DecisionTreeRegressor

    X = numbers(rng, 60, 3).assign(k=1.0)
    model = DecisionTreeRegressor(max_depth=2).fit(X, X["a"])
    found = lines(*stored(tmp_path, model, X, "constant"), "-r", "1", "-n", "1024")
    local = [float(s[0]["locality"]) for (name, _), s in found.items() if name == "stability"]
    assert min(local) > 0.9


@pytest.mark.parametrize("place", [3, 30])
def test_a_bad_row_fails_alone_wherever_it_stands(lines, tmp_path, rng, place):
    from sklearn.linear_model import LogisticRegression

    X = numbers(rng, 40, 3)
    model = LogisticRegression().fit(X, X["a"] > 0)
    background = tmp_path / "background.csv"
    X.to_csv(background, index=False)
    X.loc[place, "b"] = np.nan
    files = stored(tmp_path, model, X, "bad")
    found = lines(*files, "--background", background, code=4)
    status = {row: s[0]["status"] for (name, row), s in found.items() if name == "stability"}
    assert [row for row, word in status.items() if word == "failed"] == [str(place)]


@pytest.mark.parametrize("method", ["lime:discretizer=none", "lime:sample=around"])
def test_a_row_without_a_place_on_the_line_fails_alone(lines, tmp_path, rng, method):
    from sklearn.ensemble import HistGradientBoostingRegressor

    X = numbers(rng, 40, 3)
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, X["a"])
    background = tmp_path / "background.csv"
    X.to_csv(background, index=False)
    X.loc[7, "b"] = np.nan
    X.loc[9, "b"] = 1e9
    files = stored(tmp_path, model, X, "nowhere")
    found = lines(*files, "--background", background, "-m", method, code=4)
    errors = {row: s[0]["error"] for (name, row), s in found.items() if name == "stability"}
    assert "no place without bins" in errors["7"]
    assert ("too far" in errors["9"]) == (method == "lime:discretizer=none")
    assert sum(map(bool, errors.values())) == (2 if method == "lime:discretizer=none" else 1)


def test_a_model_that_fails_on_drawn_rows_is_refused_in_one_line(run, tmp_path, rng):
    _, data = stored(tmp_path, None, numbers(rng, 60, 3).round(), "drawn")
    (tmp_path / "whole_numbers.py").write_text(
        "def predict(t):\n"
        "    if (t['a'] % 1).any(): raise ValueError('a fraction')\n"
        "    return t['a'].to_numpy()\n"
    )
    done = run("tabular", "whole_numbers:predict", data, *SMALL, "--python-path", tmp_path)
    assert done.code == 3
    assert "the model fails on rows drawn from the background" in done.err


def test_selection_does_not_hide_what_a_rerun_would_select(lines, tmp_path, rng):
    from sklearn.ensemble import RandomForestRegressor

    X = numbers(rng, 60, 7)
    model = RandomForestRegressor(10, random_state=0).fit(X, X.sum(axis=1))
    files = stored(tmp_path, model, X, "selected")
    method = ("-m", "lime:features=3,select=forward", "--stability-k", "3")
    found = lines(*files, *method)
    alike = [float(s[0]["topk_jaccard"]) for (name, _), s in found.items() if name == "stability"]
    assert len(found["weights", "0"]) == 3
    assert np.mean(alike) < 0.99


def test_same_bytes_for_any_way_of_working(run, cancer, tmp_path):
    ways = {
        "serial": ("--backend", "serial"),
        "chunks": ("--chunk-rows", "7"),
        "single": ("--chunk-rows", "1"),
        "threads": ("--backend", "threads", "-j", "2", "--chunk-rows", "16"),
        "loky": ("--backend", "loky", "-j", "2", "--chunk-rows", "16"),
    }
    for name, options in ways.items():
        done = run("tabular", cancer.model, cancer.data, *SMALL, "-o", name, *options)
        assert done.code == 0, done.err
    first = bytes_of(tmp_path / "serial")
    weights = [float(w["weight"]) for w in rows_of(tmp_path / "serial" / "weights.csv")]
    assert np.std(weights) > 0.01
    for name in ways:
        assert bytes_of(tmp_path / name) == first, name
        assert bytes_of(tmp_path / name, "stability.csv") == bytes_of(
            tmp_path / "serial", "stability.csv"
        )


def test_same_bytes_of_a_dense_model_in_any_order_and_slice(run, diabetes, tmp_path):
    """A linear model goes through BLAS, whose last digits change with the shape of a batch."""
    table = pd.read_csv(diabetes.data, dtype=str)
    table.insert(0, "id", [f"r{i}" for i in range(len(table))])
    whole, shuffled = tmp_path / "whole.csv", tmp_path / "shuffled.csv"
    table.to_csv(whole, index=False)
    table.sample(frac=1, random_state=3).to_csv(shuffled, index=False)
    options = (*SMALL, "--id-column", "id", "--background", whole)
    for data, out, rest in (
        (whole, "whole", ()),
        (shuffled, "shuffled", ()),
        (whole, "slice", ("--rows", "10:30")),
    ):
        assert run("tabular", diabetes.model, data, *options, "-o", out, *rest).code == 0

    def lines(out):
        return [
            {k: v for k, v in w.items() if k != "run_id"}
            for w in rows_of(tmp_path / out / "weights.csv")
        ]

    expected = lines("whole")
    assert np.std([float(w["weight"]) for w in expected]) > 1
    order = lambda w: (w["row_id"], int(w["rank"]))  # noqa: E731
    assert sorted(lines("shuffled"), key=order) == sorted(expected, key=order)
    assert lines("slice") == [w for w in expected if 10 <= int(w["row_id"][1:]) < 30]


def test_background_statistics_do_not_depend_on_row_order(run, diabetes, tmp_path):
    table = pd.read_csv(diabetes.data, dtype=str)
    shuffled = tmp_path / "shuffled.csv"
    table.sample(frac=1, random_state=3).to_csv(shuffled, index=False)
    for background, out in ((diabetes.data, "one"), (shuffled, "two")):
        options = (*SMALL, "--background", background, "-o", out)
        assert run("tabular", diabetes.model, diabetes.data, *options).code == 0
    one, two = (rows_of(tmp_path / out / "weights.csv") for out in ("one", "two"))
    for first, second in zip(one, two, strict=True):
        assert {**first, "run_id": ""} == {**second, "run_id": ""}


def test_types_of_parquet_do_not_depend_on_chunks(run, tmp_path, rng):
    from sklearn.linear_model import LinearRegression

    X = numbers(rng, 24, 2)
    model, _ = stored(tmp_path, LinearRegression().fit(X, X["a"]), X, "typed")
    notes = [*range(12), *("x" * 12)]  # the first chunk holds numbers alone
    X.assign(note=notes).to_json("typed.jsonl", orient="records", lines=True)
    job = ("tabular", model, "typed.jsonl", *SMALL, "--keep", "note")
    found = []
    for out, size in (("whole", 24), ("cut", 12)):
        done = run(*job, "--output-format", "parquet", "-o", out, "--chunk-rows", size)
        assert done.code == 0, done.err
        found.append(pd.read_parquet(f"{out}/weights.parquet"))
    pd.testing.assert_frame_equal(*found)
    assert found[0]["row_id"].tolist() == [str(i // 2) for i in range(48)]
    assert found[0]["note"].tolist() == [str(notes[i // 2]) for i in range(48)]
