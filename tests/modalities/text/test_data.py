"""Texts of DATA: their column, and the sparse road past their strings."""

import json

import pytest
from comments import explained


def test_several_text_columns_must_be_told_apart(run, comments, tmp_path):
    done = run("text", comments / "model.pkl", comments / "comments.csv")
    assert done.code == 2
    assert "--text-column" in done.err
    assert "id, CONTENT" in done.err


def test_the_sparse_road_gives_the_weights_of_the_strings(run, comments, tmp_path):
    model = comments / "model.pkl"
    code = f"""
import pathlib
import pickle

MODEL = pickle.loads(pathlib.Path({str(model)!r}).read_bytes())
ask = MODEL.predict_proba
"""
    (tmp_path / "bare.py").write_text(code)
    options = ("--text-column", "CONTENT", "--python-path", str(tmp_path))
    sparse = explained(run, comments, tmp_path, *options)
    plan = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text())["plan"]["numbers"]
    assert plan["sparse"] is True
    strings = explained(
        run, comments, tmp_path, *options, "-t", "column 1", "--force", model="bare:ask"
    )
    assert strings["weight"].to_numpy() == pytest.approx(sparse["weight"].to_numpy(), abs=1e-9)
