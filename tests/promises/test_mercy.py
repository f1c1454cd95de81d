"""The promise: a row that cannot be read fails alone, with its reason; the others are untouched."""

import json

import pandas as pd
import pytest
from running import SMALL, bytes_of, rows_of
from spoiled_tables import BAD, spoiled
from stored_cases import stored


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_fails_alone_and_moves_no_other(lines, good, tmp_path, name):
    change, reason = BAD[name]
    model, data, options = good
    path = spoiled(tmp_path, data, change)
    whole, found = lines(model, data, *options), lines(model, path, *options, code=4)
    lost = "p10" if name == "word" else "row 10"
    (failed,) = found.pop(("stability", lost))
    assert (failed["status"], failed["prediction"]) == ("failed", "")
    assert failed["error"].startswith(str(path))
    assert reason in failed["error"]
    assert found == {key: line for key, line in whole.items() if key[1] != "p10"}


@pytest.mark.parametrize("options", [("--chunk-rows", "1"), ("-j", "2", "--backend", "threads")])
def test_any_way_of_working_gives_the_same_bytes(run, good, tmp_path, options):
    model, data, plain = good
    path = spoiled(tmp_path, spoiled(tmp_path, data, BAD["short"][0], 0), BAD["word"][0], 20)
    for name, more in (("plain", ()), ("other", options)):
        assert run("tabular", model, path, *plain, *SMALL, *more, "-o", name).code == 4
    for name in ("weights.csv", "stability.csv"):
        assert bytes_of(tmp_path / "plain", name) == bytes_of(tmp_path / "other", name)


def test_a_resumed_run_has_the_same_bytes(run, good, tmp_path):
    model, data, plain = good
    path = spoiled(tmp_path, data, BAD["short"][0])
    command = ("tabular", model, path, *plain, *SMALL, "--chunk-rows", "8")
    for name in ("whole", "torn"):
        assert run(*command, "-o", name).code == 4
    folder = tmp_path / "torn"
    marker = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**marker, "state": "running", "n_parts": 0}))
    for part in sorted((folder / "parts").iterdir())[1:3]:
        part.unlink()
    assert run(*command, "-o", "torn").code == 4
    for name in ("weights.csv", "stability.csv"):
        assert bytes_of(folder, name) == bytes_of(tmp_path / "whole", name)


def test_the_order_of_rows_moves_no_number(lines, good, tmp_path):
    model, data, options = good
    path = spoiled(tmp_path, data, BAD["word"][0])
    header, *rows = path.read_text().splitlines()
    found = lines(model, path, *options, code=4)
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([header, *reversed(rows)]) + "\n")
    again = lines(model, turned, *options, code=4)
    for both in (found, again):
        assert "'abc' is not a number" in both.pop(("stability", "p10"))[0]["error"]
    assert again == found


def test_a_dry_run_and_inspect_look_at_rows_that_can_be_read(run, good, tmp_path):
    model, data, options = good
    path = spoiled(tmp_path, data, BAD["word"][0], 0)
    for command in (("tabular", "--dry-run"), ("inspect",)):
        done = run(command[0], model, path, *options, *command[1:])
        assert done.code == 0, done.err
        assert "row 0" in done.out


def test_a_bad_object_of_json_lines_fails_alone(run, good, tmp_path):
    model, data, options = good
    path = tmp_path / "rows.jsonl"
    objects = pd.read_csv(data).to_json(orient="records", lines=True).splitlines()
    objects[7] = '{"id": "p7", "a": '
    path.write_text("\n".join(objects))
    assert run("tabular", model, path, *options, *SMALL, "-o", "out").code == 4
    failed = [line for line in rows_of(tmp_path / "out" / "stability.csv") if line["error"]]
    assert [(line["row_id"], line["row"]) for line in failed] == [("row 7", "7")]
    assert failed[0]["error"].startswith(f"{path}: line 8 is not an object")


def test_no_reason_and_no_note_shows_a_value_that_is_left_out(run, mixed, tmp_path):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    table = pd.read_csv(mixed.data)[["age", "city"]]
    steps = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(steps, LogisticRegression()).fit(table, table["age"] > 40)
    table = table.astype(object)
    table.loc[5, "age"], table.loc[6, "city"] = "secretage", "secretcity"
    done = run("tabular", *stored(tmp_path, model, table, "kept"), *SMALL, "--no-values")
    assert done.code == 4, done.err
    errors = {line["row"]: line["error"] for line in rows_of(tmp_path / "xplain-out/stability.csv")}
    assert "row 5, line 7, column 'age': a cell is not a number; change it" in errors["5"]
    assert "row 6, column 'city': the model was not fitted with its category;" in errors["6"]
    written = [p.read_bytes() for p in (tmp_path / "xplain-out").rglob("*") if p.is_file()]
    assert not any(b"secret" in data for data in [*written, done.err.encode()])


def test_what_the_model_says_of_a_row_is_hidden_with_the_values(run, tmp_path):
    (tmp_path / "judge.py").write_text(
        "def ask(table):\n"
        "    bad = table['x'] == 7\n"
        "    if bad.any():\n"
        "        raise ValueError(f'no {table[bad].iloc[0].tolist()}')\n"
        "    return table['x'] * 2.0\n"
    )
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i % 6},1\n" for i in range(40)) + "7,1\n")
    (tmp_path / "b.csv").write_text("x,y\n" + "".join(f"{i % 6},1\n" for i in range(40)))
    options = ("judge:ask", "t.csv", "--background", "b.csv", "-n", "32", "-r", "2", "--force")
    seen = []
    for more in ((), ("--no-values",)):
        done = run("tabular", *options, "--python-path", tmp_path, *more)
        assert done.code == 4
        text = (tmp_path / "xplain-out" / "stability.csv").read_text()
        seen.append("no [7" in text)
        assert "--max-failed" in text
    assert seen == [True, False]
