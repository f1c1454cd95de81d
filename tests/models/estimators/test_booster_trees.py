"""Files of boosters whose trees lead nowhere, and those whose trees lead outside."""

import json
import pickle
import re

import numpy as np
import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.estimators.booster_trees import check_lightgbm, check_xgboost
from xplain_cli.models.soundness import OddPartError

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

ROWS = np.random.default_rng(0).normal(size=(60, 4))
TREES = ("learner", "gradient_booster", "model", "trees", 0)


def fitted(**settings):
    return xgboost.XGBClassifier(n_estimators=2, max_depth=2, **settings).fit(
        ROWS, np.arange(60) % 2
    )


def changed(path, value):
    """Return a model of XGBoost as JSON with one part replaced."""
    whole = json.loads(fitted().get_booster().save_raw("json"))
    part = whole
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return json.dumps(whole).encode()


XGBOOST = {
    "a child far away": ((*TREES, "left_children", 0), 2**30),
    "a child below": ((*TREES, "right_children", 0), -5),
    "a child that is the root": ((*TREES, "left_children", 1), 0),
    "a child of two": ((*TREES, "left_children", 0), 2),
    "a column far away": ((*TREES, "split_indices", 0), 2**30),
    "a parent far away": ((*TREES, "parents", 2), 2**30),
    "a parent of others": ((*TREES, "parents", 1), 1),
    "a parent before the root": ((*TREES, "parents", 2), -2),
    "short borders": ((*TREES, "split_conditions"), [0.5]),
    "short weights": ((*TREES, "base_weights"), [0.5]),
    "more nodes than there are": ((*TREES, "tree_param", "num_nodes"), "1000000"),
    "more trees than there are": ((*TREES[:3], "gbtree_model_param", "num_trees"), "99"),
    "an output far away": ((*TREES[:3], "tree_info", 0), 2**30),
    "a stage far away": ((*TREES[:3], "iteration_indptr", 1), 2**30),
    "columns that fill memory": (("learner", "learner_model_param", "num_feature"), "2147483647"),
    "classes that fill memory": (("learner", "learner_model_param", "num_class"), "99999999"),
    "a leaf of many outputs": ((*TREES, "tree_param", "size_leaf_vector"), "4000000"),
    "a category far away": ((*TREES, "split_type", 0), 1),
    "a place far away": ((*TREES, "id"), 10**6),
}


@pytest.mark.parametrize("name", XGBOOST)
def test_a_model_of_xgboost_that_leads_outside_is_refused(name):
    with pytest.raises(OddPartError):
        check_xgboost(changed(*XGBOOST[name]))


LIGHTGBM = {
    "a child far away": (r"left_child=\S+", "left_child=1000000"),
    "a leaf far away": (r"right_child=\S+", "right_child=-1000000"),
    "a child that is the root": (r"left_child=\S+", "left_child=0"),
    "a column far away": (r"split_feature=\S+", "split_feature=1000000"),
    "short leaves": (r"leaf_value=\S+ ", "leaf_value="),
    "more leaves than there are": (r"num_leaves=\d+", "num_leaves=1000000"),
    "a size far away": (r"tree_sizes=\d+", "tree_sizes=100000"),
    "columns that fill memory": (r"max_feature_idx=\d+", "max_feature_idx=2147483646"),
    "more outputs than classes": (r"num_tree_per_iteration=1", "num_tree_per_iteration=2"),
    "a line that states nothing": (r"split_gain=", "split_gain_"),
    "a line break in a tree": (r"split_gain=", "\nplit_gain="),
    "no number of categories": (r"num_cat=", "mun_cat="),
    "two lines in one": (r"\nleft_child=", "\x0bleft_child="),
    "a category far away": (r"decision_type=\d+", "decision_type=1"),
    "a parameter without a value": (r"\[max_bin: \d+\]", "[max_bin]"),
    "parameters without end": (r"end of parameters", "more"),
}


def lightgbm_text():
    settings = {"n_estimators": 2, "num_leaves": 4, "verbose": -1, "n_jobs": 1}
    model = lightgbm.LGBMClassifier(**settings).fit(ROWS, np.arange(60) % 2)
    return model.booster_.model_to_string()


@pytest.mark.parametrize("name", LIGHTGBM)
def test_a_model_of_lightgbm_that_leads_outside_is_refused(name):
    text = lightgbm_text()
    pattern, replaced = LIGHTGBM[name]
    found = re.search(pattern, text).group()
    # of one length, or the sizes of the trees would be wrong as well
    same = replaced if "size" in pattern or "num_" in pattern else replaced.ljust(len(found))
    spoiled = text.replace(found, same, 1)
    with pytest.raises(OddPartError):
        check_lightgbm(spoiled)
    check_lightgbm(text)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_depth": 2},
        {"booster": "dart"},
        {"booster": "gblinear"},
        {"num_parallel_tree": 2},
        {"gamma": 0.3, "max_depth": 5, "tree_method": "exact"},  # prunes what it has grown
        {"multi_strategy": "multi_output_tree", "tree_method": "hist"},
    ],
)
def test_honest_models_of_xgboost_pass(settings):
    model = xgboost.XGBClassifier(n_estimators=2, **settings)
    model.fit(ROWS, np.column_stack([ROWS[:, 0] > 0, ROWS[:, 1] > 0]).astype(int))
    for form in ("json", "ubj"):
        check_xgboost(bytes(model.get_booster().save_raw(form)))


@pytest.mark.parametrize("settings", [{}, {"linear_tree": True}])
def test_honest_models_of_lightgbm_pass(settings):
    rows = np.column_stack([ROWS, np.arange(60) % 7])
    made = {"n_estimators": 3, "verbose": -1, "n_jobs": 1, "min_child_samples": 2, **settings}
    model = lightgbm.LGBMClassifier(**made)
    model.fit(rows, np.arange(60) % 3, categorical_feature=[4])
    check_lightgbm(model.booster_.model_to_string())


@pytest.mark.parametrize("form", ["pickle", "json"])
def test_files_and_pickles_of_such_models_are_refused(tmp_path, form):
    path, model = tmp_path / "model.any", fitted()
    path.write_bytes(changed(*XGBOOST["a child far away"]))
    if form == "pickle":
        whole = bytes(model.get_booster().__getstate__()["handle"])
        first = whole.index(b"#L", whole.index(b"left_children")) + 10
        spoiled = whole[:first] + b"\x7f\xff\xff\xff" + whole[first + 4 :]
        path.write_bytes(pickle.dumps(model).replace(whole, spoiled))
    with pytest.raises(RefusedError, match="a child that is not its own"):
        load_model(ModelRecipe(str(path)))
