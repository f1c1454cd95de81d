"""MLflow model folders as MODEL: the file in them, columns of the signature, the input example."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from running import SMALL, rows_of

SAMPLES = Path(__file__).parents[2] / "sample_data"
TYPES = {"i": "long", "f": "double", "b": "boolean"}


def marker(flavours, columns=None, example=None):
    """Return an MLmodel as MLflow writes it."""
    document = {"artifact_path": "model", "flavors": flavours, "mlflow_version": "3.1.0"}
    if columns is not None:
        document["signature"] = {"inputs": json.dumps(columns), "outputs": None}
    if example is not None:
        document["saved_input_example_info"] = {
            "artifact_path": example,
            "pandas_orient": "split",
            "type": "dataframe",
        }
    return json.dumps(document)  # JSON is YAML too


def folder(tmp_path, rows=220, name="logged", model="model.onnx", data="data.csv"):
    """Return a folder of a model that knows no names of columns."""
    path = tmp_path / name
    path.mkdir()
    shutil.copy(SAMPLES / model, path / "model.onnx")
    table = pd.read_csv(SAMPLES / data).drop(columns=["id", "diagnosis"]).head(rows)
    columns = [
        {"type": TYPES.get(table[c].dtype.kind, "string"), "name": c, "required": True}
        for c in table
    ]
    (path / "input_example.json").write_text(table.to_json(orient="split", index=False))
    onnx = {"data": "model.onnx", "onnx_version": "1.16.0"}
    text = marker({"python_function": {}, "onnx": onnx}, columns, "input_example.json")
    (path / "MLmodel").write_text(text)
    return path


def test_the_folder_is_as_good_as_its_file_with_what_it_says_as_options(run, tmp_path):
    logged, data = folder(tmp_path), SAMPLES / "data.csv"
    common = (*SMALL, "--rows", "0:3")
    done = run("tabular", logged, data, *common, "-o", "one")
    assert done.code == 0
    assert "MLflow, flavour onnx, model.onnx" in done.err
    assert "background: its input example, 220 rows" in done.err
    pd.read_csv(data).head(220).to_csv("background.csv", index=False)
    named = ("--drop-columns", "id,diagnosis", "--background", "background.csv")
    assert run("tabular", SAMPLES / "model.onnx", data, *named, *common, "-o", "two").code == 0
    drop = {"run_id": ""}
    one, two = (
        [line | drop for line in rows_of(Path(name, "weights.csv"))] for name in ("one", "two")
    )
    assert one == two
    assert run("verify", "one", "--check-rows", "1").code == 0


def test_the_description_of_a_folder_names_it_as_well(run, tmp_path):
    done = run("inspect", folder(tmp_path, rows=5) / "MLmodel")
    assert (done.code, "MLflow, flavour onnx, model.onnx" in done.err) == (0, True)


def test_options_that_are_typed_come_first_and_a_small_example_is_no_background(run, tmp_path):
    logged = folder(tmp_path, rows=5)
    done = run("tabular", logged, SAMPLES / "data.csv", *SMALL, "--rows", "0:2", "--dry-run")
    assert (done.code, "has 5 rows, too few for a background" in done.err) == (0, True)
    done = run("tabular", logged, SAMPLES / "data.csv", "--features", "mean radius", "--dry-run")
    assert (done.code, "the model takes 30 columns" in done.err) == (3, True)


def test_the_door_judges_the_file_in_the_folder(run, tmp_path):
    logged = tmp_path / "logged"
    logged.mkdir()
    (logged / "model.pkl").write_bytes(b"cposix\nsystem\n(S'touch ran'\ntR.")
    (logged / "MLmodel").write_text(marker({"sklearn": {"pickled_model": "model.pkl"}}))
    for words in (("tabular", logged, SAMPLES / "data.csv"), ("inspect", logged)):
        done = run(*words)
        assert done.code == 3
        assert "posix" in done.out + done.err
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            marker({"python_function": {"python_model": "python_model.pkl"}}),
            "flavours python_funct",
        ),
        (marker({"onnx": {"data": "../model.onnx"}}), "which is not in the folder"),
        (marker({"onnx": {"data": "/etc/passwd"}}), "which is not in the folder"),
        (marker({"onnx": {"data": "a\0b"}}), "which is not in the folder"),
        (marker({}), "flavours none"),
        ("a: [", "cannot be read"),
        ("- 1", "says nothing of a model"),
        ("a: &x [1]\nb: *x", "holds aliases"),
        ("!!python/object/apply:os.system [touch ran]", "cannot be read"),
        ('{"flavors": {"onnx": {"data": "m"}}, "signature": {"inputs": "{"}}', "are no JSON"),
        (
            json.dumps({
                "flavors": {"onnx": {"data": "m"}},
                "signature": {"inputs": "[" * 100_000},
            }),
            "are no JSON",
        ),
    ],
)
def test_what_is_no_model_that_is_read_is_refused_and_runs_nothing(run, tmp_path, text, said):
    logged = tmp_path / "logged"
    logged.mkdir()
    (logged / "MLmodel").write_text(text)
    done = run("inspect", logged)
    assert (done.code, said in done.err) == (3, True), done.err
    assert not Path("ran").exists()


def signed(path, names):
    """Write the description of a folder whose signature names these columns, all numbers."""
    columns = [{"type": "double", "name": name} for name in names]
    (path / "MLmodel").write_text(marker({"onnx": {"data": "model.onnx"}}, columns))


def test_a_signature_that_does_not_fit_is_what_is_named_and_options_get_past_it(run, tmp_path):
    logged = folder(tmp_path)
    table = pd.read_csv(SAMPLES / "data.csv").drop(columns=["id", "diagnosis"])
    table.rename(columns={"mean radius": "Mean Radius"}).to_csv("renamed.csv", index=False)
    done = run("tabular", logged, "renamed.csv", "--dry-run")
    assert done.code == 3
    assert f"renamed.csv: the signature in {logged}/MLmodel names columns that are not" in done.err
    assert "did you mean 'Mean Radius'" in done.err
    assert "--dtype" not in done.err
    own = ("--features", "*", "--background", "renamed.csv", "--dry-run")
    assert run("tabular", logged, "renamed.csv", *own).code == 0
    signed(logged, table.columns[:-1])
    done = run("tabular", logged, SAMPLES / "data.csv", "--dry-run")
    assert done.code == 3
    assert (
        f"{logged}/MLmodel: its signature is not that of its model: the model takes 30" in done.err
    )
    typed = ("--features", ",".join(table.columns), "--dry-run")
    assert run("tabular", logged, SAMPLES / "data.csv", *typed).code == 0
    done = run("tabular", logged, SAMPLES / "data.csv", "--dtype", "mean radios=text", *typed)
    assert (done.code, "--dtype mean radios=text" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["model.onnx", "MLmodel", "input_example.json"])
def test_a_link_that_leads_out_of_a_folder_is_not_followed(run, tmp_path, name):
    logged = folder(tmp_path)
    (logged / "here").mkdir()
    inner = (logged / name).rename(logged / "here" / name)
    (logged / name).symlink_to(inner)
    assert run("inspect", logged).code == 0  # it leads to where it may
    (logged / name).unlink()
    (logged / name).symlink_to(inner.rename(tmp_path / name))
    done = run("inspect", logged)
    assert (done.code, f"{logged}/{name}: is a link that leads out of the folder" in done.err) == (
        3,
        True,
    )
