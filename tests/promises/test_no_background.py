"""A baseline that needs no background asks for none: one row of DATA, or stdin, is enough."""

import pickle

import numpy as np
import pandas as pd
import pytest
from running import Forked, forks, rows_of
from sklearn.linear_model import LinearRegression

TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"])
METHOD = ("-m", "kernel-shap", "-o", "o", "-q")


@pytest.fixture
def model(tmp_path):
    """Store y = 2 a - b, one row, and a file of one other row."""
    fitted = LinearRegression().fit(TABLE, 2 * TABLE["a"] - TABLE["b"])
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(fitted))
    (tmp_path / "one.csv").write_text("a,b\n3,5\n")
    (tmp_path / "other.csv").write_text("a,b\n1,1\n")
    return "m.pkl"


@forks
@pytest.mark.parametrize(
    ("baseline", "weights", "data"),
    [("zero", [6, -5], "-"), ("file=other.csv", [4, -4], "one.csv"), ("row=0", [0, 0], "-")],
)
def test_one_row_or_a_pipe_is_enough(tmp_path, model, baseline, weights, data):
    given = "a,b\n3,5\n" if data == "-" else None
    process = Forked(tmp_path, "tabular", model, data, *METHOD, "-b", baseline, given=given)
    code, said = process.wait(), process.said.read_text()
    assert code == 0, said
    assert "background" not in said
    lines = sorted(rows_of(tmp_path / "o" / "weights.csv"), key=lambda line: line["feature"])
    assert np.allclose([float(line["weight"]) for line in lines], weights)


@forks
@pytest.mark.parametrize("more", [(), ("-m", "kernel-shap", "-b", "mean")])
def test_what_reads_a_background_asks_a_pipe_for_one(tmp_path, model, more):
    process = Forked(tmp_path, "tabular", model, "-", *more, given="a,b\n3,5\n")
    code, said = process.wait(), process.said.read_text()
    assert code == 2
    assert "need --background FILE" in said
    assert "-b row=ID, file=PATH" in said


@forks
def test_several_baselines_refuse_a_pipe(tmp_path, model):
    several = ("-b", "zero", "-b", "row=0")
    process = Forked(tmp_path, "tabular", model, "-", *METHOD, *several, given="a,b\n3,5\n")
    assert process.wait() == 2
    assert "save it to a file" in process.said.read_text()
