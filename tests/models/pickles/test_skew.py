"""Models of another version."""

import pickle

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.models import ModelRecipe, load_model

ROWS = np.random.default_rng(0).normal(size=(40, 3))


def test_two_versions_become_one_note(tmp_path):
    path = tmp_path / "model.pkl"
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, ROWS[:, 0] > 0)
    data = pickle.dumps(model, 0)
    version = model.__getstate__()["_sklearn_version"]
    path.write_bytes(data.replace(version.encode(), b"1.6.1".ljust(len(version), b"0")))
    loaded = load_model(ModelRecipe(str(path)))
    assert loaded.notes == (f"fitted with scikit-learn 1.6.1, running {version}",)
    assert loaded.versions == {"scikit-learn": "1.6.1"}
