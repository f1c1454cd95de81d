"""Boosters outside scikit-learn in closed form: their trees add up to their raw margin."""

import csv
import pickle

import numpy as np
import pandas as pd
import pytest
from oracles import shapley
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.methods.tree_shap import shapley_of_leaves, sort_leaves
from xplain_cli.models import ModelRecipe, UnableError, load_model
from xplain_cli.models.leaves import sum_of_leaves

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")
catboost = pytest.importorskip("catboost")

STREAM = np.random.default_rng(7)
WHOLE = STREAM.normal(size=(240, 5))
GAPS = np.where(STREAM.random(WHOLE.shape) < 0.15, np.nan, WHOLE)
TWO = (WHOLE[:, 0] + WHOLE[:, 1] * WHOLE[:, 2] > 0).astype(int)
THREE = TWO + (WHOLE[:, 3] > 0)
NUMBER = WHOLE @ [1.0, 2.0, 0.0, 1.0, 0.5] + 100
POSITIVE = np.exp(WHOLE[:, 0])
SMALL = {"n_estimators": 15, "n_jobs": 1}
QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 1, "iterations": 15}


def xgb(kind="XGBClassifier", **settings):
    return getattr(xgboost, kind)(**(SMALL | settings))


def lgbm(kind="LGBMClassifier", **settings):
    return getattr(lightgbm, kind)(**(SMALL | {"verbose": -1} | settings))


def cat(kind="CatBoostClassifier", **settings):
    return getattr(catboost, kind)(**(QUIET | settings))


STOPPED = {"n_estimators": 60, "learning_rate": 1.0, "early_stopping_rounds": 2}
SUMS = {
    "xgboost two": lambda: xgb().fit(GAPS, TWO),
    "xgboost three": lambda: xgb().fit(GAPS, THREE),
    "xgboost number": lambda: xgb("XGBRegressor").fit(GAPS, NUMBER),
    "xgboost dart": lambda: xgb(booster="dart", rate_drop=0.3).fit(GAPS, THREE),
    "xgboost parallel": lambda: xgb(num_parallel_tree=3, subsample=0.5).fit(GAPS, THREE),
    "xgboost pruned": lambda: xgb("XGBRegressor", tree_method="exact", gamma=5).fit(GAPS, NUMBER),
    "xgboost several": lambda: xgb("XGBRegressor").fit(GAPS, np.c_[NUMBER, POSITIVE]),
    "xgboost stopped early": lambda: xgb(**STOPPED).fit(
        GAPS[:150], THREE[:150], eval_set=[(GAPS[150:], THREE[150:])], verbose=False
    ),
    "xgboost poisson": lambda: xgb("XGBRegressor", objective="count:poisson").fit(GAPS, POSITIVE),
    "xgboost bare": lambda: xgb().fit(GAPS, THREE).get_booster(),
    "lightgbm two": lambda: lgbm().fit(GAPS, TWO),
    "lightgbm three": lambda: lgbm().fit(GAPS, THREE),
    "lightgbm number": lambda: lgbm("LGBMRegressor").fit(GAPS, NUMBER),
    "lightgbm whole": lambda: lgbm("LGBMRegressor").fit(WHOLE, NUMBER),
    "lightgbm dart": lambda: lgbm(boosting_type="dart").fit(GAPS, THREE),
    "lightgbm forest": lambda: lgbm(boosting_type="rf", subsample=0.5, subsample_freq=1).fit(
        GAPS, THREE
    ),
    "lightgbm gamma": lambda: lgbm("LGBMRegressor", objective="gamma").fit(GAPS, POSITIVE),
    "lightgbm bare": lambda: lgbm().fit(GAPS, THREE).booster_,
    "catboost two": lambda: cat().fit(GAPS, TWO),
    "catboost three": lambda: cat().fit(GAPS, THREE),
    "catboost number": lambda: cat("CatBoostRegressor").fit(GAPS, NUMBER),
    "catboost gaps last": lambda: cat("CatBoostRegressor", nan_mode="Max").fit(GAPS, NUMBER),
    "catboost leafwise": lambda: cat(grow_policy="Lossguide").fit(GAPS, THREE),
    "catboost depthwise": lambda: cat("CatBoostRegressor", grow_policy="Depthwise").fit(
        GAPS, NUMBER
    ),
    "catboost poisson": lambda: cat("CatBoostRegressor", loss_function="Poisson").fit(
        GAPS, POSITIVE
    ),
}


@pytest.fixture
def bound(tmp_path):
    """Store a model, open it through the door and bind it to its raw margin."""

    def binder(model, response="decision_function"):
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps(model))
        loaded = load_model(ModelRecipe(str(path), response=response))
        return loaded.bind(loaded.settle(pd.DataFrame(WHOLE[:5])))

    return binder


def edges(boxes):
    """Return rows on the limits of boxes, and one float64 above and below them."""
    limits = [
        np.unique(np.r_[boxes.lower, boxes.upper][np.r_[boxes.column, boxes.column] == j])
        for j in range(WHOLE.shape[1])
    ]
    limits = [one[np.isfinite(one)] for one in limits]
    drawn = np.column_stack([np.random.default_rng(0).choice(one, 200) for one in limits])
    return np.vstack([drawn, np.nextafter(drawn, np.inf), np.nextafter(drawn, -np.inf)])


@pytest.mark.parametrize("name", SUMS)
def test_leaves_add_up_to_the_raw_margin_at_every_limit_and_gap(bound, name):
    model = bound(SUMS[name]())
    boxes = model.capabilities.leaves()
    rows = np.vstack([GAPS, edges(boxes)])
    answers = model.predict(pd.DataFrame(rows))
    tolerance = 2e-6 if name.startswith("xgboost") else 1e-12  # XGBoost adds up in float32
    assert np.ptp(answers) > 0
    assert np.abs(sum_of_leaves(boxes, rows) - answers).max() < tolerance * np.abs(answers).max()


REFUSED = {
    "XGBRegressor with missing=-9": lambda: xgb("XGBRegressor", missing=-9).fit(WHOLE, NUMBER),
    "booster=gblinear": lambda: xgb("XGBRegressor", booster="gblinear").fit(WHOLE, NUMBER),
    "trees of several outputs": lambda: xgb("XGBRegressor", multi_strategy="multi_output_tree").fit(
        WHOLE, np.c_[NUMBER, POSITIVE]
    ),
    "linear trees": lambda: lgbm("LGBMRegressor", linear_tree=True).fit(WHOLE, NUMBER),
    "splits that send zeros": lambda: lgbm("LGBMRegressor", zero_as_missing=True).fit(
        WHOLE, NUMBER
    ),
    "the categorical columns of LGBMRegressor": lambda: lgbm("LGBMRegressor").fit(
        np.round(WHOLE) + 5, NUMBER, categorical_feature=[0]
    ),
    "the categorical columns of CatBoostClassifier": lambda: cat(cat_features=[0]).fit(
        pd.DataFrame(WHOLE).assign(first="x")[["first", 1, 2, 3, 4]].to_numpy(), TWO
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_no_sum_of_leaves_is_refused_with_the_reason(bound, reason):
    model = bound(REFUSED[reason]())
    with pytest.raises(UnableError, match=f"cannot follow {reason}"):
        model.capabilities.leaves()


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("name", ["xgboost three", "lightgbm three", "catboost three"])
def test_tree_shap_of_boosters_is_the_shapley_value_of_their_margin(bound, name, k):
    model = bound(SUMS[name]())
    leaves = sort_leaves(model.capabilities.leaves(), np.arange(3))
    x, baselines = GAPS[0], GAPS[1 : 1 + k]
    phi, base = shapley_of_leaves(leaves, x, baselines, np.arange(5))
    every = (np.arange(32)[:, None] >> np.arange(5) & 1) > 0
    inputs = np.where(every[:, None], x, baselines[None]).reshape(-1, 5)
    values = model.predict(pd.DataFrame(inputs)).reshape(32, k, 3).mean(axis=1)
    close = 1e-6 if name.startswith("xgboost") else 1e-12
    for u in range(3):
        wanted = shapley(5, lambda masks, u=u: values[masks @ (1 << np.arange(5)), u])
        assert phi[:, u] == pytest.approx(wanted, abs=close)
        assert base[u] == pytest.approx(values[0, u], abs=close)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    pd.DataFrame(GAPS, columns=list("abcde")).to_csv(path, index=False)
    return path


def weights_of(folder):
    with (folder / "weights.csv").open(encoding="utf-8", newline="") as file:
        return {(w["row_id"], w["feature"]): w for w in csv.DictReader(file)}


@pytest.mark.parametrize("package", ["xgboost", "lightgbm", "catboost"])
def test_files_of_boosters_are_explained_exactly_on_the_raw_margin(run, tmp_path, table, package):
    model = SUMS[f"{package} three"]()
    path = tmp_path / "model.ubj"  # XGBoost alone goes by the suffix
    getattr(model, "booster_", model).save_model(path)
    base = ("tabular", path, table, "--rows", "0:6", "--output-scale", "raw", "-q", "--force")
    found = []
    for method in ("tree-shap", "kernel-shap"):
        done = run(*base, "-m", method, "--fail-on", "max(attribution_error)>1e-5")
        assert done.code == 0, done.err
        found.append(weights_of(tmp_path / "xplain-out"))
    gaps = [float(w["weight"]) - float(found[1][key]["weight"]) for key, w in found[0].items()]
    assert np.abs(gaps).max() < 1e-5


def test_lime_of_a_booster_in_closed_form_lies_within_the_errors_of_draws(run, tmp_path, table):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(SUMS["xgboost two"]()))
    base = ("tabular", path, table, "--rows", "0:8", "--output-scale", "raw", "-q", "--force")
    found = []
    for method in ("lime:exact=yes", "lime:ridge=0"):
        done = run(*base, "-m", method)
        assert done.code == 0, done.err
        found.append(weights_of(tmp_path / "xplain-out"))
    exact, drawn = found
    scores = [
        (float(exact[key]["weight"]) - float(one["weight"])) / float(one["std_error"])
        for key, one in drawn.items()
        if float(one["std_error"])
    ]
    assert len(scores) >= 30
    assert np.mean(np.square(scores)) < 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("xgboost two", "needs the raw margin of XGBClassifier: take --response decision_function"),
        ("xgboost poisson", "where predict answers"),
        ("catboost poisson", "take --response decision_function, or kernel-shap"),
    ],
)
def test_answers_that_are_no_sum_of_trees_are_refused(run, tmp_path, table, name, says):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(SUMS[name]()))
    done = run("tabular", path, table, "-m", "tree-shap")
    assert done.code == 2
    assert says in done.err
    assert not (tmp_path / "xplain-out").exists()
    raw = ("--response", "decision_function", "--rows", "0:3", "-q")
    assert run("tabular", path, table, "-m", "tree-shap", *raw).code == 0


def test_boosters_inside_searches_and_bare_pipelines_are_followed(bound):
    search = GridSearchCV(lgbm(), {"n_estimators": [5]}, cv=2)
    for wrapper in (search, make_pipeline("passthrough", xgb())):
        model = bound(wrapper.fit(GAPS, TWO))
        answers = model.predict(pd.DataFrame(GAPS))
        assert np.abs(sum_of_leaves(model.capabilities.leaves(), GAPS) - answers).max() < 1e-5
        assert answers.min() < 0


def test_a_booster_behind_a_step_gives_its_raw_margin_but_no_leaves(bound):
    for booster in (xgb(), lgbm(), cat()):
        wrapped = make_pipeline(StandardScaler(), booster).fit(WHOLE, TWO)
        model = bound(wrapped)
        margins = model.predict(pd.DataFrame(WHOLE))[:, 1]
        odds = wrapped.predict_proba(WHOLE)[:, 1]
        assert 1 / (1 + np.exp(-margins)) == pytest.approx(odds, abs=1e-6)
        assert model.capabilities.leaves is None
        assert "StandardScaler transforms the columns" in model.capabilities.why_not["leaves"]
