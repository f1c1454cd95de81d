"""What a second command meets: runs that stand there and files that it must not touch."""

import json
import pickle
import subprocess
import sys

import pandas as pd
import pytest
from running import SMALL, command, environment, rows_of


@pytest.mark.parametrize(
    "options", [("-m", "lime:exact=yes"), ("-t", "predicted"), ("--output-scale", "log-odds")]
)
def test_a_refused_command_leaves_the_good_run_as_it_was(run, diabetes, tmp_path, options):
    assert run(*command(diabetes)).code == 0
    before = (tmp_path / "xplain-out" / "run.json").read_bytes()
    assert run(*command(diabetes, *options)).code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["xplain-out"]
    assert (tmp_path / "xplain-out" / "run.json").read_bytes() == before
    assert "nothing to do" in run(*command(diabetes)).err


def test_what_only_the_pool_shows_leaves_nothing_either(run, tmp_path):

    from sklearn.tree import DecisionTreeClassifier

    table = pd.DataFrame({"a": range(40), "b": range(40, 80)})
    model, data = tmp_path / "tree.pkl", tmp_path / "tree.csv"
    model.write_bytes(pickle.dumps(DecisionTreeClassifier().fit(table, table["a"] > 20)))
    table.to_csv(data, index=False)
    options = ("tabular", model, data, *SMALL)
    assert run(*options).code == 0
    refused = run(*options, "--output-scale", "log-odds")
    assert refused.code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tree.csv", "tree.pkl", "xplain-out"]
    assert "nothing to do" in run(*options).err
    assert run(*options, "--output-scale", "log-odds:eps=1e-6").code == 0


def test_forced_or_not_a_finished_default_run_of_other_numbers_is_set_aside(run, cancer, tmp_path):
    assert run(*command(cancer)).code == 0
    assert run(*command(cancer, "-s", "1", "--force")).code == 0
    assert len(list(tmp_path.glob("xplain-out.*"))) == 1


def test_a_changed_manifest_is_written_anew(run, cancer, tmp_path):
    assert run(*command(cancer, "-o", "out")).code == 0
    manifest = tmp_path / "out" / "manifest.json"
    good = manifest.read_bytes()
    manifest.write_text("bad")
    assert run(*command(cancer, "-o", "out")).code == 0
    assert json.loads(manifest.read_bytes())["outputs"] == json.loads(good)["outputs"]


def test_wide_lines_never_have_a_name_twice(run, tmp_path, rng):

    from sklearn.linear_model import Ridge

    table = pd.DataFrame(rng.normal(size=(30, 2)), columns=["target", "b"])
    model, data = tmp_path / "m.pkl", tmp_path / "d.csv"
    model.write_bytes(pickle.dumps(Ridge().fit(table, table["b"])))
    table.to_csv(data, index=False)
    assert run("tabular", model, data, *SMALL, "--wide", "-o", "out").code == 2


def test_wide_lines_have_a_column_for_each_feature(run, diabetes, tmp_path):
    assert run(*command(diabetes, "--wide", "-o", "out")).code == 0
    lines = rows_of(tmp_path / "out" / "weights.csv")
    assert list(lines[0])[:6] == ["row_id", "target", "prediction", "base_value", "age", "sex"]
    assert len(lines) == 5


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_talk_that_cannot_be_told_changes_nothing(cancer, tmp_path, buffered):
    own = {} if buffered else {"PYTHONUNBUFFERED": "1"}
    kept = {name: value for name, value in environment().items() if name != "PYTHONUNBUFFERED"}
    words = [str(word) for word in command(cancer, "-o", "out")]
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "xplain_cli", *words],
            cwd=tmp_path,
            env=kept | own,
            stderr=full,
            stdin=subprocess.DEVNULL,
            capture_output=False,
            stdout=subprocess.DEVNULL,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0
    assert len(rows_of(tmp_path / "out" / "stability.csv")) == 5


def test_force_never_touches_a_foreign_folder(run, cancer, tmp_path):
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("ten years")
    done = run("tabular", cancer.model, cancer.data, *SMALL, "-o", "mine", "--force")
    assert done.code == 3
    assert [p.name for p in foreign.iterdir()] == ["thesis.txt"]
