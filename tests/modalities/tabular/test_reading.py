"""How rows and background are read as the model takes them."""

import pandas as pd
import pytest
from running import SMALL, rows_of
from spoiled_tables import BAD, spoiled


def test_a_type_for_a_column_that_only_data_has_leaves_the_background_alone(run, cancer, tmp_path):
    background = tmp_path / "background.csv"
    pd.read_csv(cancer.data).drop(columns="id").to_csv(background, index=False)
    options = ("--background", background, "--dtype", "id=text", "--id-column", "id")
    done = run("tabular", cancer.model, cancer.data, *SMALL, "--rows", "0:2", *options)
    assert done.code == 0, done.err


def test_the_background_leaves_bad_rows_out_and_says_so(run, good, tmp_path):
    model, data, _ = good
    path = spoiled(tmp_path, spoiled(tmp_path, data, BAD["short"][0]), BAD["word"][0], 20)
    done = run("tabular", model, path, *SMALL, "-o", "bad", "--max-failed", "2")
    assert "background: without 2 rows that cannot be used" in done.err
    clean = tmp_path / "clean.csv"
    rows = data.read_text().splitlines(keepends=True)
    clean.write_text("".join(row for i, row in enumerate(rows) if i not in {11, 21}))
    assert run("tabular", model, data, *SMALL, "-o", "good", "--background", clean).code == 0
    kept = [
        [(line["row_id"], line["feature"], line["weight"]) for line in rows_of(folder)]
        for folder in (tmp_path / "bad" / "weights.csv", tmp_path / "good" / "weights.csv")
    ]
    assert kept[0] == [line for line in kept[1] if line[0] not in {"10", "20"}]
    assert len(kept[0]) == 38 * 3


def test_bad_rows_of_a_background_file_are_left_out_and_said(run, good, tmp_path):
    model, data, _ = good
    path = spoiled(tmp_path, data, BAD["short"][0])
    done = run("tabular", model, data, *SMALL, "--background", path)
    assert done.code == 0
    assert "background: 1 of 40 rows cannot be read: " in done.err
    assert "background: without 1 row that cannot be used" in done.err


@pytest.mark.parametrize("value", ["", "inf", "-inf"])
def test_rows_that_the_model_cannot_answer_leave_the_background_too(run, good, tmp_path, value):
    model, data, _ = good
    path = spoiled(tmp_path, data, lambda cells: [*cells[:2], value, cells[3]])
    done = run("tabular", model, path, *SMALL, "-o", "bad")
    assert done.code == 4, done.err
    assert "background: without 1 row in which 'b' are missing or infinite: the model" in (done.err)
    failed = [line for line in rows_of(tmp_path / "bad" / "stability.csv") if line["error"]]
    assert [line["row"] for line in failed] == ["10"]
    assert "the model raised ValueError" in failed[0]["error"]
    clean = tmp_path / "clean.csv"
    rows = data.read_text().splitlines(keepends=True)
    clean.write_text("".join(row for i, row in enumerate(rows) if i != 11))
    assert run("tabular", model, data, *SMALL, "-o", "good", "--background", clean).code == 0
    kept = [
        [(line["row_id"], line["feature"], line["weight"]) for line in rows_of(folder)]
        for folder in (tmp_path / "bad" / "weights.csv", tmp_path / "good" / "weights.csv")
    ]
    assert kept[0] == [line for line in kept[1] if line[0] != "10"]


def test_missing_values_that_the_model_takes_stay_in_the_background(run, mixed):
    done = run("tabular", mixed.model, mixed.data, *SMALL)
    assert done.code == 0
    assert "left out" not in done.err
