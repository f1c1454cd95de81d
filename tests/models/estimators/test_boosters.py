"""XGBoost, LightGBM and CatBoost: stored any way, opened without a flag, categories honoured."""

import io
import pickle
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from boosted_models import (
    MODELS,
    READ,
    ROWS,
    TYPED,
    WHOLE,
    WORDS,
    expected,
    lightgbm,
    opened,
    xgboost,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models.pickles.dry_run import dry_run

PICKLED = pickle.dumps(MODELS[9][1])


def stored(model, form):
    if form == "pickle":
        return pickle.dumps(model)
    file = io.BytesIO()
    joblib.dump(model, file, compress=0 if form == "joblib" else ("gzip", 3))
    return file.getvalue()


@pytest.mark.parametrize("form", ["pickle", "joblib", "joblib.gz"])
@pytest.mark.parametrize(
    "model", [one for _, one in MODELS], ids=[f"{i}-{name}" for i, (name, _) in enumerate(MODELS)]
)
def test_boosters_open_without_a_flag_and_predict_the_same(tmp_path, model, form):
    loaded = opened(tmp_path, stored(model, form))
    named = loaded.columns is not None
    assert loaded.n_columns == (6 if named else 4)
    rows = READ if named else pd.DataFrame(ROWS)
    bound = loaded.bind(loaded.settle(rows.head()))
    answer = np.asarray(expected(model, named), dtype=np.float64)
    assert np.array_equal(bound.predict(rows), answer.reshape(len(rows), -1))


@pytest.mark.parametrize("model", [MODELS[0][1], MODELS[8][1], MODELS[12][1]])
def test_categories_are_known_and_the_rest_are_numbers(tmp_path, model):
    loaded = opened(tmp_path, pickle.dumps(model))
    assert loaded.columns == tuple(READ)
    assert (loaded.discrete, loaded.numeric) == ({"level", "whole"}, {"a", "b", "c", "d"})
    assert loaded.settle(READ).outputs == ("0", "1", "2")


@pytest.mark.parametrize("package", ["xgboost", "lightgbm"])
def test_the_order_of_levels_is_the_models_own(tmp_path, package):
    levels = pd.Categorical(WORDS, ["y", "x", "never"])
    table = READ.assign(level=levels).drop(columns="whole")
    kind = xgboost.XGBClassifier if package == "xgboost" else lightgbm.LGBMClassifier
    extra = {"enable_categorical": True} if package == "xgboost" else {"verbose": -1}
    model = kind(n_estimators=5, **extra).fit(table, WORDS == "x")
    loaded = opened(tmp_path, pickle.dumps(model))
    bound = loaded.bind(loaded.settle(READ.drop(columns="whole")))
    rows = READ.drop(columns="whole").iloc[:1]
    assert np.array_equal(bound.predict(rows), model.predict_proba(table.iloc[:1]))


@pytest.mark.parametrize("model", [MODELS[0][1], MODELS[8][1]])
def test_an_unknown_category_counts_as_missing_and_a_note_says_so(tmp_path, model):
    loaded = opened(tmp_path, pickle.dumps(model))
    bound = loaded.bind(loaded.settle(READ))
    rows = READ.head(2).assign(level=["z", None])
    gaps = TYPED.head(2).assign(level=pd.Categorical([None, None], ["x", "y"]))
    assert np.array_equal(bound.predict(rows), model.predict_proba(gaps))
    assert loaded.notes == ("a category that the model was not fitted with counts as missing",)


def test_catboost_takes_whole_numbers_that_came_as_floats(tmp_path):
    model = MODELS[12][1]
    loaded = opened(tmp_path, pickle.dumps(model))
    bound = loaded.bind(loaded.settle(READ))
    rows = READ.assign(whole=READ["whole"].astype(float))
    assert np.array_equal(bound.predict(rows), model.predict_proba(TYPED))
    gaps = rows.head(2).assign(level=[None, "x"])
    words = gaps.assign(level=["nan", "x"], whole=[str(int(one)) for one in gaps["whole"]])
    assert np.array_equal(bound.predict(gaps), model.predict_proba(words))


def test_boosters_inside_wrappers_keep_their_categories(tmp_path):
    target = (WHOLE > 0).astype(int)
    inside = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=2)
    wrappers = [
        GridSearchCV(inside, {"n_estimators": [3]}, cv=2).fit(TYPED, target),
        CalibratedClassifierCV(inside, cv=2).fit(TYPED, target),
        make_pipeline(inside).fit(TYPED, target),
        VotingClassifier([("a", inside)], voting="soft").fit(TYPED, target),
    ]
    for model in wrappers:
        loaded = opened(tmp_path, pickle.dumps(model))
        assert loaded.discrete == {"level", "whole"}
        bound = loaded.bind(loaded.settle(READ))
        assert np.array_equal(bound.predict(READ), model.predict_proba(TYPED))


def test_boosters_predict_on_one_thread(tmp_path):
    models = [
        xgboost.XGBClassifier(n_estimators=2, n_jobs=2).fit(ROWS, WHOLE),
        lightgbm.LGBMClassifier(n_estimators=2, n_jobs=2, verbose=-1).fit(ROWS, WHOLE),
    ]
    for model in models:
        assert opened(tmp_path, pickle.dumps(model)).estimator.n_jobs == 1
    booster = opened(tmp_path, pickle.dumps(models[0])).estimator.get_booster()
    assert '"nthread":"1"' in booster.save_config()


@pytest.mark.parametrize("module", ["xgboost.core", "lightgbm.basic"])
def test_a_booster_that_would_read_another_file_is_refused(module):
    call = b"\x80\x04c" + module.encode() + b"\nBooster\n"
    positional = call + b"(N)\x8c\x0b/etc/passwdtR."
    named = call + b")}\x8c\x0amodel_file\x8c\x0b/etc/passwds\x92."
    for data in (positional, named):
        refusals = dry_run(data).refusals
        assert refusals[0].startswith(f"calls {module}.Booster with unusual arguments")


def test_a_package_that_is_not_installed_says_how_to_install_it(tmp_path, monkeypatch):
    for package in ("lightgbm", "xgboost"):
        for name in [one for one in sys.modules if one.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RefusedError, match=r"cannot be loaded: .*pip install 'lightgbm>=4.3'"):
        opened(tmp_path, PICKLED)
    with pytest.raises(UsageError, match=r"needs the package 'xgboost': pip install 'xgboost"):
        opened(tmp_path, b'{"learner": 1}')
