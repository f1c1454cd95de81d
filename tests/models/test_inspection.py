"""What is told of a model without loading it."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
