"""What the shell offers: the names that the shelves hold, columns of DATA, classes of the model."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from xplain_cli import baselines, methods, scales
from xplain_cli.commands import COMMANDS, make_app
from xplain_cli.modalities.image.segmenters import SEGMENTERS
from xplain_cli.modalities.text.segmentation import UNITS
from xplain_cli.options import completion


def offered(*words):
    """Return what a shell offers for the last word."""
    env = {
        "_XPLAIN_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(("xplain", *words)),
        "COMP_CWORD": str(len(words)),
    }
    return (
        CliRunner()
        .invoke(make_app(COMMANDS), [], prog_name="xplain", env=env)
        .output.strip()
        .splitlines()
    )


def test_the_names_are_those_of_the_shelves():
    shelves = {name for shelf in methods.METHODS.values() for name in shelf}
    assert set(completion.METHODS) == shelves
    assert set(completion.SCALES) == set(scales.SCALES)
    assert completion.UNITS == UNITS
    assert {name.rstrip("=") for name in completion.SEGMENTERS} == {*SEGMENTERS, "file"}


@pytest.mark.parametrize("modality", completion.BASELINES)
def test_the_baselines_are_those_of_the_modality(modality):
    typed = {name.rstrip("=") for name in completion.BASELINES[modality]}
    unnamed = {"deletion", "token"}  # what --mask-token, or none, says
    assert typed == set(baselines.BASELINES[modality]) - unnamed


def test_values_are_completed():
    assert offered("tabular", "m", "d", "-m", "ker") == ["kernel-shap"]
    assert offered("tabular", "m", "d", "--output-format", "js") == ["json", "jsonl"]
    assert offered("image", "m", "d", "-b", "bl") == ["black", "blur"]


def test_columns_are_those_of_the_data_that_was_typed(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text('id,"a, b",c\n1,2,3\n', encoding="utf-8")
    assert offered("tabular", "m", str(path), "--id-column", "i") == ["id"]
    assert offered("tabular", "m", str(path), "--keep", "a") == ["a, b"]
    assert offered("tabular", "m", str(path), "--hold", "c") == ["c"]
    assert offered("tabular", "m", str(tmp_path / "no.csv"), "--keep", "a") == []


def test_classes_are_those_that_the_last_run_found_in_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xplain-out").mkdir()
    facts = {"model": {"source": "m.pkl"}, "classes": ["good", "bad"]}
    (tmp_path / "xplain-out" / "manifest.json").write_text(json.dumps(facts), encoding="utf-8")
    assert offered("tabular", "m.pkl", "d", "-t", "b") == ["bad"]
    assert offered("tabular", "other.pkl", "d", "-t", "b") == []
