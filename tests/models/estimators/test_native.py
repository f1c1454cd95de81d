"""Boosters in the files of their own packages."""

import numpy as np
import pandas as pd
import pytest
from boosted_models import MODELS, READ, ROWS, expected, opened

from xplain_cli.errors import RefusedError

NATIVE = {
    "xgboost json": lambda: MODELS[0][1].get_booster().save_raw("json"),
    "xgboost ubj": lambda: MODELS[0][1].get_booster().save_raw("ubj"),
    "xgboost regression": lambda: MODELS[1][1].get_booster().save_raw("ubj"),
    "xgboost bare": lambda: MODELS[2][1].get_booster().save_raw("json"),
    "lightgbm classes": lambda: MODELS[8][1].booster_.model_to_string().encode(),
    "lightgbm two": lambda: MODELS[9][1].booster_.model_to_string().encode(),
    "lightgbm regression": lambda: MODELS[10][1].booster_.model_to_string().encode(),
    "catboost classes": MODELS[12][1]._serialize_model,
    "catboost two": MODELS[13][1]._serialize_model,
    "catboost regression": MODELS[14][1]._serialize_model,
}


SOURCES = dict(zip(NATIVE, (0, 0, 1, 2, 8, 9, 10, 12, 13, 14), strict=True))


@pytest.mark.parametrize("name", NATIVE)
def test_native_files_are_told_by_content_and_predict_the_same(tmp_path, name):
    model = MODELS[SOURCES[name]][1]
    loaded = opened(tmp_path, bytes(NATIVE[name]()))
    named = loaded.columns is not None
    assert loaded.kind == name.split()[0]
    assert loaded.columns in {None, tuple(READ)}
    rows = READ if named else pd.DataFrame(ROWS)
    signature = loaded.settle(rows)
    answer = np.asarray(expected(model, named), dtype=np.float64)
    assert len(signature.outputs) == (answer.shape[1] if answer.ndim == 2 else 1)
    assert signature.task == ("regression" if "regression" in name else "classification")
    assert np.array_equal(loaded.bind(signature).predict(rows), answer.reshape(len(rows), -1))


def test_native_models_keep_the_raw_scores_of_lightgbm(tmp_path):
    model = MODELS[9][1]
    loaded = opened(tmp_path, bytes(NATIVE["lightgbm two"]()), response="decision_function")
    signature = loaded.settle(pd.DataFrame(ROWS))
    raw = model.predict_proba(ROWS, raw_score=True)
    assert (signature.scale, signature.margin) == ("raw", True)
    answer = loaded.bind(signature).predict(pd.DataFrame(ROWS))
    assert np.array_equal(answer, np.column_stack([-raw, raw]))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"learner": 1}', r"xgboost \S+ cannot read it: "),
        (b'{"learner": {"gradient_booster"', r"xgboost \S+ cannot read it: "),
        (b"tree\nversion=v4\nnum_class=1\n", r"lightgbm \S+ cannot read it: "),
        (b"CBM1\x10\x00\x00\x00garbage", r"catboost \S+ cannot read it: "),
    ],
)
def test_damaged_native_files_are_refused(tmp_path, data, says):
    with pytest.raises(RefusedError, match=says):
        opened(tmp_path, data)
