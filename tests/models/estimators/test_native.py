"""Boosters in the files of their own packages."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from boosted_models import MODELS, READ, ROWS, expected, lightgbm, opened, xgboost

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.targets import position_names

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
        (b'{"learner": 1}', "as a model of xgboost it holds no learner_model_param; "),
        (b'{"learner": {"gradient_booster"', "as a model of xgboost it cannot be read "),
        (b"tree\nversion=v4\nnum_class=1\n", "of lightgbm it states no sound max_feature_idx; "),
        (b"CBM1\x10\x00\x00\x00garbage", "as a model of catboost it is cut short; "),
        (b"CBM1\x07\x00\x00\x00garbage", "of catboost it has an offset that leads out of it; "),
    ],
)
def test_damaged_native_files_are_refused(tmp_path, data, says):
    with pytest.raises(RefusedError, match=says):
        opened(tmp_path, data)


X = ROWS[:, :3]
TABLE = pd.DataFrame(X)
TWO = (X[:, 0] > np.median(X[:, 0])).astype(int)
SMALL = {"n_estimators": 4, "max_depth": 2, "n_jobs": 1}


def explained(tmp_path, content, **wishes):
    loaded = opened(tmp_path, bytes(content), **wishes)
    signature = loaded.settle(TABLE)
    return signature, loaded.bind(signature).predict(TABLE)


@pytest.mark.parametrize("form", ["json", "ubj"])
def test_files_of_rankers_are_opened_as_rankers(tmp_path, form):
    groups = np.sort(np.arange(50) % 5)
    model = xgboost.XGBRanker(**SMALL).fit(X, TWO, qid=groups)
    model.save_model(tmp_path / f"m.{form}")
    signature, answers = explained(tmp_path, (tmp_path / f"m.{form}").read_bytes())
    assert (signature.task, signature.outputs) == ("regression", ("value",))
    assert np.array_equal(answers[:, 0], model.predict(X))


def test_the_file_says_what_it_is_whatever_its_objective(tmp_path):
    """XGBRegressor may be fitted with an objective of classes."""
    model = xgboost.XGBRegressor(**SMALL, objective="binary:logistic").fit(X, TWO)
    model.save_model(tmp_path / "m.json")
    signature, answers = explained(tmp_path, (tmp_path / "m.json").read_bytes())
    assert (signature.task, signature.outputs) == ("regression", ("value",))
    assert np.array_equal(answers[:, 0], model.predict(X))


@pytest.mark.parametrize("objective", ["binary:logitraw", "binary:hinge"])
@pytest.mark.parametrize("form", ["bare", "file", "pickle"])
def test_scores_that_xgboost_calls_probabilities_are_margins(tmp_path, objective, form):
    model = xgboost.XGBClassifier(**SMALL, objective=objective).fit(X, TWO)
    margin = model.predict(X, output_margin=True)
    content = model.get_booster().save_raw("json")
    if form == "file":
        model.save_model(tmp_path / "m.json")
        content = (tmp_path / "m.json").read_bytes()
    signature, answers = explained(tmp_path, pickle.dumps(model) if form == "pickle" else content)
    assert (signature.response, signature.scale, signature.margin) == (
        *("decision_function", "raw", True),
    )
    assert signature.outputs == ("0", "1")
    assert np.array_equal(answers, np.column_stack([-margin, margin]))
    with pytest.raises(UsageError, match="--response predict_proba: XGBClassifier has decision_"):
        explained(tmp_path, content, response="predict_proba")


@pytest.mark.parametrize("loss", ["Poisson", "Tweedie:variance_power=1.5", "RMSEWithUncertainty"])
def test_catboost_answers_as_its_own_reader_does(tmp_path, loss):
    kind = pytest.importorskip("catboost").CatBoostRegressor
    model = kind(iterations=3, verbose=0, loss_function=loss, allow_writing_files=False)
    model.fit(X, np.exp(X[:, 0])).save_model(tmp_path / "own.cbm")
    own = kind().load_model(tmp_path / "own.cbm").predict(X).reshape(len(X), -1)
    for content in ((tmp_path / "own.cbm").read_bytes(), pickle.dumps(model)):
        signature, answers = explained(tmp_path, content)
        assert signature.task == "regression"
        assert np.array_equal(answers, own)


def test_labels_beside_each_other_in_xgboost_are_several_outputs(tmp_path):
    yes = np.column_stack([TWO, X[:, 1] > 1]).astype(int)
    model = xgboost.XGBClassifier(**SMALL).fit(X, yes)
    for scale in ({}, {"response": "decision_function"}):
        signature, answers = explained(tmp_path, model.get_booster().save_raw("json"), **scale)
        assert signature.outputs == ("output_0=1", "output_1=1")
        assert signature.positive is None
        own = model.predict(X, output_margin=True) if scale else model.predict_proba(X)
        assert np.array_equal(answers, own)


@pytest.mark.parametrize("form", ["file", "pickle"])
def test_labels_that_an_older_xgboost_encoded_come_first(tmp_path, form):
    """Before 2.0 XGBClassifier took any labels, and kept them beside the trees."""
    model = xgboost.XGBClassifier(**SMALL).fit(X, TWO)
    stated = {"_estimator_type": "classifier", "classes_": ["bad", "good"]}
    booster = model.get_booster().copy()
    booster.set_attr(scikit_learn=json.dumps(stated))
    content = bytes(booster.save_raw("json"))
    if form == "pickle":
        model.__dict__["classes_"] = np.array(["bad", "good"])
        content = pickle.dumps(model)
    signature, answers = explained(tmp_path, content)
    assert (signature.outputs, signature.positive) == (("bad", "good"), 1)
    assert np.array_equal(answers, model.predict_proba(X))


def softmax_gradient(predicted, data):
    """Return gradient and hessian of a softmax of three classes, as a user's own objective."""
    labels = data.get_label().astype(int)
    powers = np.exp(predicted - predicted.max(axis=1, keepdims=True))
    chances = powers / powers.sum(axis=1, keepdims=True)
    return chances - np.eye(3)[labels], 2 * chances * (1 - chances)


def test_a_lightgbm_of_an_own_objective_gives_scores_of_positions(tmp_path):
    settings = {"num_class": 3, "verbose": -1, "num_threads": 1, "objective": softmax_gradient}
    three = np.digitize(X[:, 0], np.quantile(X[:, 0], [0.3, 0.6]))
    model = lightgbm.train(settings, lightgbm.Dataset(X, three), 4)
    signature, answers = explained(tmp_path, model.model_to_string().encode())
    assert (signature.response, signature.scale) == ("decision_function", "raw")
    assert signature.outputs == position_names(3)
    assert np.array_equal(answers, model.predict(X, num_threads=1))


def test_lightgbm_files_know_no_labels(tmp_path):
    model = lightgbm.LGBMClassifier(**SMALL, verbose=-1).fit(X, np.where(TWO, "yes", "no"))
    signature, answers = explained(tmp_path, model.booster_.model_to_string().encode())
    assert (signature.outputs, signature.positive) == (position_names(2), 1)
    assert np.array_equal(answers, model.predict_proba(X))
    hard, labels = explained(
        tmp_path, model.booster_.model_to_string().encode(), response="predict"
    )
    assert hard.outputs == position_names(2)
    assert np.array_equal(labels[:, 1], model.predict(X) == "yes")
