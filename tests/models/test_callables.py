"""Callables as models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.contract import WrongLengthError
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


ANSWERS = """
import numpy as np
import pandas as pd
def _p(batch): return 1 / (1 + np.exp(-batch["a"].to_numpy()))
def dicts(batch): return [{"no": 1 - p, "yes": p} for p in _p(batch)]
def best(batch):
    return [{"label": "yes" if p > .5 else "no", "score": max(p, 1 - p)} for p in _p(batch)]
def numbered(batch): return pd.DataFrame(np.column_stack([1 - _p(batch), _p(batch)]))
def turned(batch):
    frame = pd.DataFrame({"no": 1 - _p(batch), "yes": _p(batch)})
    return frame if len(batch) > 40 else frame[["yes", "no"]]
def words(batch): return ["yes" if p > .5 else "no" for p in _p(batch)]
def digits(batch): return ["1" if p > .5 else "0" for p in _p(batch)]
def objects(batch): return [object() for _ in range(len(batch))]
def pooled(batch): return np.column_stack([1 - _p(batch), _p(batch)])[:, :, None, None]
def fewer(batch): return _p(batch)[: 40]
def many(batch): return np.tile(batch[["a", "b"]].to_numpy(), (1, 60))
"""


@pytest.fixture
def answering(called, tmp_path):
    (tmp_path / "scoring.py").write_text(ANSWERS)
    return called


@pytest.mark.parametrize("name", ["dicts", "best", "turned"])
def test_labels_of_an_answer_name_the_classes_in_any_order(answering, name):
    loaded = answering(name)
    signature = loaded.settle(TABLE)
    assert (signature.outputs, signature.labels) == (("no", "yes"), ("no", "yes"))
    assert (signature.scale, signature.positive) == ("probability", 1)
    up = 1 / (1 + np.exp(-TABLE["a"].to_numpy()))
    for rows in (1, 80):
        answers = loaded.bind(signature).predict(TABLE.head(rows))
        assert answers[:, 1] == pytest.approx(up[:rows])
    renamed = answering(name, class_names=("bad", "good"))
    signature = renamed.settle(TABLE)
    assert (signature.outputs, signature.labels) == (("bad", "good"), ("no", "yes"))
    assert renamed.bind(signature).predict(TABLE)[:, 1] == pytest.approx(up)


def test_what_pandas_numbered_and_networks_pooled_has_positions(answering):
    for name in ("numbered", "pooled"):
        signature = answering(name).settle(TABLE)
        assert (signature.outputs, signature.scale) == (position_names(2), "probability")


@pytest.mark.parametrize(
    ("name", "says"),
    [("words", "answers labels, not numbers"), ("digits", "answers labels"), ("objects", "return")],
)
def test_answers_that_are_no_numbers_are_refused_with_a_way_out(answering, name, says):
    with pytest.raises(RefusedError, match=f"{says}.*probabilities as an array"):
        answering(name).settle(TABLE)


def test_an_answer_of_another_length_is_told(answering):
    loaded = answering("fewer")
    with pytest.raises(WrongLengthError, match="callable answered 40 rows for 80"):
        loaded.settle(TABLE)
    bound = loaded.bind(loaded.settle(TABLE.head(40)))
    with pytest.raises(ValueError, match="answered 40 rows for 41"):
        bound.predict(TABLE.head(41))


def test_many_scores_without_names_are_chosen_among(answering):
    signature = answering("many").settle(TABLE)
    assert (len(signature.outputs), signature.task, signature.scale) == (
        *(120, "classification", "raw"),
    )


def test_a_model_that_does_not_answer_each_text_ends_the_run_with_the_reason(run, tmp_path):
    (tmp_path / "curt.py").write_text(
        "import numpy as np\ndef short(texts): return np.full((1, 2), 0.5)\n"
    )
    (tmp_path / "t.txt").write_text("one word\n" * 16)
    done = run("text", "curt:short", "t.txt", "--python-path", ".")
    assert (done.code, "answered 1 row for 16; it must answer each" in done.err) == (3, True)


@pytest.mark.parametrize("kind", ["int64", "uint8", "bool"])
def test_whole_numbers_are_labels_and_labels_are_no_amounts(tmp_path, kind):
    (tmp_path / "whole_labels.py").write_text(
        "import numpy as np\n"
        f"def whole(table): return np.ones(len(table), dtype={kind!r})\n"
        f"def floats(table): return np.ones(len(table), dtype={kind!r}).astype(float)\n"
    )
    recipe = ModelRecipe("whole_labels:whole", python_path=(str(tmp_path),))
    with pytest.raises(RefusedError, match=r"labels are no amounts.*\.astype\(float\)"):
        load_model(recipe).settle(pd.DataFrame({"a": range(4)}))
    amounts = load_model(replace(recipe, source="whole_labels:floats"))
    assert amounts.settle(pd.DataFrame({"a": range(4)})).task == "regression"
