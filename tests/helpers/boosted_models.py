"""Boosters of all packages, fitted once, and what they answer."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xplain_cli.models import ModelRecipe, load_model

xgboost = pytest.importorskip("xgboost")


lightgbm = pytest.importorskip("lightgbm")


sys.path.insert(0, str(Path(__file__).parents[2] / ".ci"))
MODELS = list(importlib.import_module("fitted_values").boosted())


STREAM = np.random.default_rng(1)


ROWS = np.abs(STREAM.normal(size=(50, 4))) + 0.1


WORDS = STREAM.choice(["x", "y"], 50)


WHOLE = STREAM.integers(0, 3, 50)


# as the rows come from a file: words are words, whole numbers are whole numbers
READ = pd.DataFrame(ROWS, columns=list("abcd")).assign(level=WORDS, whole=WHOLE)


TYPED = READ.assign(level=pd.Categorical(WORDS, ["x", "y"]), whole=pd.Categorical(WHOLE, [0, 1, 2]))


def opened(folder, data, **wishes):
    path = folder / "model.any"
    path.write_bytes(data)
    return load_model(ModelRecipe(str(path), **wishes))


def expected(model, named):
    """Return what the model itself answers on the typed rows."""
    rows = TYPED if named else ROWS
    if type(model) is xgboost.Booster:
        return model.predict(xgboost.DMatrix(rows, enable_categorical=True))
    if hasattr(model, "predict_proba"):
        return model.predict_proba(rows)
    return model.predict(rows)
