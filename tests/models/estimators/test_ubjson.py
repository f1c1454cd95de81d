"""Universal Binary JSON, read back against XGBoost's own JSON of the same model."""

import json

import numpy as np
import pytest

from xplain_cli.models.estimators.ubjson import read_ubjson

xgboost = pytest.importorskip("xgboost")

ROWS = np.random.default_rng(0).normal(size=(60, 4))


def plain(part):
    """Return parts with arrays as lists."""
    if isinstance(part, dict):
        return {name: plain(one) for name, one in part.items()}
    return list(map(plain, part)) if isinstance(part, (list, np.ndarray)) else part


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_both_forms_of_a_model_say_the_same(booster):
    model = xgboost.XGBClassifier(n_estimators=3, booster=booster)
    model.fit(ROWS, np.arange(60) % 3)
    binary, text = (model.get_booster().save_raw(form) for form in ("ubj", "json"))
    expected = json.loads(text)
    found = plain(read_ubjson(bytes(binary)))
    assert found.keys() == expected.keys()
    learner, other = found["learner"], expected["learner"]
    assert learner["learner_model_param"] == other["learner_model_param"]
    inner = lambda one: one.get("gbtree", one)["model"]  # noqa: E731  # twice, and nowhere else
    ours, theirs = inner(learner["gradient_booster"]), inner(other["gradient_booster"])
    assert ours.keys() == theirs.keys()
    if booster != "gblinear":
        assert ours["trees"][0]["left_children"] == theirs["trees"][0]["left_children"]
        assert [one["id"] for one in ours["trees"]] == [one["id"] for one in theirs["trees"]]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{L\x7f" + b"\xff" * 7, "cut short"),
        (b"[$d#L" + b"\x7f" + b"\xff" * 7, "more parts than bytes"),
        (b"[" * 500, "nest too deeply"),
        (b"{i\x01aTi\x01aT}", "stands there twice"),
        (b"[$d]", "a type without a length"),
        (b"{}more", "bytes behind its end"),
        (b"?", "an unknown mark"),
    ],
)
def test_broken_bytes_are_refused_soon(data, says):
    with pytest.raises(ValueError, match=says):
        read_ubjson(data)
