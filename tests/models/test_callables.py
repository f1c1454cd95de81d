"""Callables as models."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.targets import position_names

STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(80, 3)), columns=["a", "b", "c"])


CALLABLES = """
import numpy as np
def chance(batch): return 1 / (1 + np.exp(-batch["a"].to_numpy()))
def logits(batch): return batch[["a", "b"]].to_numpy()
def three(batch): return np.full((len(batch), 3), 1 / 3)
def broken(batch): raise KeyError("age")
def short(batch): return [1.0]
number = 3
"""


@pytest.fixture
def called(tmp_path, monkeypatch):
    """Open a callable of a module that lies in tmp_path."""
    (tmp_path / "scoring.py").write_text(CALLABLES)
    monkeypatch.setattr("sys.path", __import__("sys").path.copy())
    monkeypatch.delitem(__import__("sys").modules, "scoring", raising=False)

    def opener(name, **wishes):
        recipe = ModelRecipe(f"scoring:{name}", python_path=(str(tmp_path),), **wishes)
        return load_model(recipe)

    return opener


def test_callables_are_handed_a_frame_and_read_by_shape(called):
    chance = called("chance", class_names=("no", "yes"))
    signature = chance.settle(TABLE)
    assert (signature.outputs, signature.positive, signature.scale) == (
        ("no", "yes"),
        1,
        "probability",
    )
    up = 1 / (1 + np.exp(-TABLE["a"].to_numpy()))
    assert np.array_equal(chance.bind(signature).predict(TABLE), np.column_stack([1 - up, up]))
    assert called("chance").settle(TABLE).outputs == ("value",)
    assert called("three").settle(TABLE).outputs == position_names(3)
    assert called("logits").settle(TABLE).outputs == position_names(2)
    named = called("logits", class_names=("no", "yes")).settle(TABLE)
    assert (named.task, named.scale, named.positive) == ("classification", "raw", 1)


def test_callables_that_fail_are_refused(called):
    with pytest.raises(RefusedError, match="scoring:broken: failed on the first 80 rows"):
        called("broken").settle(TABLE)
    with pytest.raises(RefusedError, match="answered 1 row for 80; it must answer each"):
        called("short").settle(TABLE)
    with pytest.raises(RefusedError, match="scoring has no callable 'number'"):
        called("number")
    with pytest.raises(RefusedError, match="no module 'nowhere'; name its folder: --python-path"):
        load_model(ModelRecipe("nowhere:predict"))
