"""What is told of a model without loading it."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.models.inspection import inspect_file

ROWS = np.random.default_rng(0).normal(size=(40, 3))


def test_inspection_reads_a_pickle_without_importing_sklearn(tmp_path):
    import pandas as pd

    table = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, ["no", "yes"] * 20)
    for path in (tmp_path / "model.pkl", tmp_path / "model.joblib"):
        path.write_bytes(pickle.dumps(model)) if path.suffix == ".pkl" else joblib.dump(model, path)
        script = (
            "import sys; from xplain_cli.models.inspection import inspect_file;"
            "found = inspect_file(sys.argv[1]);"
            "print(*found.tree, found.columns, found.unknown, found.refusals, sep='\\n');"
            "assert 'sklearn' not in sys.modules"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, path], check=True, capture_output=True, text=True
        )
        assert done.stdout.splitlines() == [
            "Pipeline",
            "  steps standardscaler: StandardScaler (3 columns)",
            "  steps logisticregression: LogisticRegression (3 columns; classes no, yes)",
            "('a', 'b', 'c')",
            "()",
            "()",
        ]


def test_a_pickle_with_parameters_of_an_older_release_is_told_so(tmp_path):
    model = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    model.multi_class = "ovr"
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    (refusal,) = inspect_file(str(tmp_path / "m.pkl")).refusals
    assert refusal.startswith("LogisticRegression.multi_class='ovr': the installed version does")
    assert "--accept leftovers" in refusal


@pytest.mark.parametrize("stored", [["a list"], 7, None])
def test_a_pickle_of_no_model_would_be_refused(tmp_path, stored):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(stored))
    (refusal,) = inspect_file(str(tmp_path / "m.pkl")).refusals
    assert "not a model" in refusal
