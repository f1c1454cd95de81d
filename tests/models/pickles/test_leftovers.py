"""Parameters of old files that the installed classes ignore."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import rows_of

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.pickles.leftovers import find_leftovers

OLD = Path(__file__).parents[2] / "data" / "old_pickles"
SAID = json.loads((OLD / "answers.json").read_text())
MOVED = {
    "ovr_161": "LogisticRegression.multi_class='ovr'",
    "liblinear3_161": "LogisticRegression.multi_class='deprecated'",
    "ada_142": "AdaBoostClassifier.algorithm='SAMME.R'",
}
PADDED = SAID["rows"] * 6  # enough for a background
KERNEL = ("-m", "kernel-shap", "-t", "1", "-q")


def loaded(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pickle.loads((OLD / f"{name}.pkl").read_bytes())


def moved(name):
    """Return how far the installed release is from the one that wrote the file."""
    answers = loaded(name).predict_proba(np.array(SAID["rows"]))
    return float(np.abs(answers - SAID["answers"][name]).max())


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    pd.DataFrame(PADDED, columns=["a", "b", "c"]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", SAID["answers"])
def test_files_of_older_releases_are_refused_where_the_installed_one_answers_otherwise(
    name, run, rows
):
    done = run("tabular", OLD / f"{name}.pkl", rows, *KERNEL)
    assert (done.code == 3) == (moved(name) > 0.05), done.err
    assert (done.code == 0) == (moved(name) < 1e-12), done.err
    if name in MOVED:
        assert f"holds {MOVED[name]}, which the installed version does not know" in done.err
        assert "--accept leftovers" in done.err
        assert "scikit-learn==1." in done.err  # the release that knows it


def test_accepted_leftovers_stand_in_manifest_and_page(run, rows, tmp_path):
    model = OLD / "ovr_161.pkl"
    done = run("tabular", model, rows, *KERNEL, "--accept", "leftovers", "--report", "p.html")
    assert done.code == 0, done.err
    said = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text())
    assert said["model"]["leftovers"] == [MOVED["ovr_161"]]
    assert any(MOVED["ovr_161"] in note for note in said["notes"])
    assert "LogisticRegression.multi_class=" in (tmp_path / "p.html").read_text()
    own = loaded("ovr_161").predict_proba(np.array(PADDED))[:, 1]
    found = [float(one["prediction"]) for one in rows_of(tmp_path / "xplain-out/stability.csv")]
    assert found == pytest.approx(own, abs=1e-12)


def test_trust_in_code_is_no_consent_to_numbers(run, rows):
    model = OLD / "ovr_161.pkl"
    trusted = run("tabular", model, rows, *KERNEL, "--trust-model")
    unsteady = run("tabular", model, rows, *KERNEL, "--accept", "unsteady")
    assert (trusted.code, unsteady.code) == (3, 3)


def test_a_run_is_measured_again_only_with_the_same_consent(run, rows):
    model, kernel = OLD / "ovr_161.pkl", KERNEL[:-1]
    assert run("tabular", model, rows, *kernel, "--accept", "leftovers").code == 0
    assert run("evaluate", "xplain-out").code == 3
    done = run("evaluate", "xplain-out", "--accept", "leftovers")
    assert done.code == 0, done.err


def odd(*, three=True):
    from sklearn.linear_model import LogisticRegression

    stream = np.random.default_rng(0)
    X = stream.normal(size=(60, 3))
    y = np.digitize(X[:, 0], [-0.5, 0.5] if three else [0])
    model = LogisticRegression().fit(X, y)
    return X, y, model


def inside(where):
    """Return a model that holds a regression with a leftover, somewhere within."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y, one = odd()
    made = {
        "alone": lambda: one,
        "pipeline": lambda: make_pipeline(StandardScaler(), one),
        "search": lambda: GridSearchCV(one, {"C": [1.0]}, cv=2),
        "bagging": lambda: BaggingClassifier(one, n_estimators=2),
        "voting": lambda: VotingClassifier([("a", one)]),
        "stacking": lambda: StackingClassifier([("a", one)], cv=2),
        "calibrated": lambda: CalibratedClassifierCV(one, cv=2),
        "one of two": lambda: OneVsRestClassifier(make_pipeline(one)),
        "frozen": lambda: FrozenEstimator(one),
    }
    model = made[where]().fit(X, y)
    from xplain_cli.models.pickles.object_graph import held_by

    for part in held_by(model):
        if type(part) is type(one):
            part.multi_class = "ovr"
    return model


PLACES = ["alone", "pipeline", "search", "bagging", "voting", "stacking", "calibrated"]


@pytest.mark.parametrize("where", [*PLACES, "one of two", "frozen"])
def test_a_leftover_is_found_anywhere_in_a_model(where, tmp_path):
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(inside(where)))
    with pytest.raises(RefusedError, match=r"LogisticRegression\.multi_class='ovr'"):
        load_model(ModelRecipe(str(path)))
    accepted = load_model(ModelRecipe(str(path), accept=("leftovers",)))
    assert accepted.leftovers == ("LogisticRegression.multi_class='ovr'",)


def test_a_leftover_of_a_skops_file_is_found_and_inspect_says_so(tmp_path, run):
    skops = pytest.importorskip("skops.io")
    skops.dump(inside("pipeline"), tmp_path / "m.skops")
    with pytest.raises(RefusedError, match=r"LogisticRegression\.multi_class='ovr'"):
        load_model(ModelRecipe(str(tmp_path / "m.skops")))
    done = run("inspect", "m.skops")
    assert done.code == 3
    assert "multi_class='ovr'" in done.out


def test_a_leftover_within_a_class_of_the_users_own_is_found(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "class Wrapper:\n"
        "    def __init__(self, model):\n        self.model = model\n"
        "    def predict(self, rows):\n        return self.model.predict_proba(rows)[:, 1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from mine import Wrapper

    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(Wrapper(inside("alone"))))
    with pytest.raises(RefusedError, match=r"LogisticRegression\.multi_class='ovr'"):
        load_model(ModelRecipe(str(path), trusted=("mine.Wrapper",)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("algorithm", "SAMME.R"), ("normalize", True), ("multi_class", "multinomial"), ("old", {})],
)
def test_whatever_is_no_parameter_is_named_with_its_value(name, value):
    _, _, model = odd(three=False)
    setattr(model, name, value)
    shown = value if not isinstance(value, dict) else "a dict"
    text = f"{shown!r}" if shown is value else shown
    assert find_leftovers(model) == (f"LogisticRegression.{name}={text}",)


@pytest.mark.parametrize(
    ("solver", "value", "three", "found"),
    [
        ("lbfgs", "deprecated", True, 0),
        ("lbfgs", "auto", True, 0),
        ("liblinear", "auto", True, 1),
        ("liblinear", "deprecated", False, 0),
        ("lbfgs", "warn", True, 1),  # of 0.20 and 0.21, whose default was one against the rest
    ],
)
def test_a_default_is_no_leftover_where_both_releases_answer_alike(solver, value, three, found):
    _, _, model = odd(three=three)
    model.solver, model.multi_class = solver, value
    assert len(find_leftovers(model)) == found


def test_a_judge_with_leftovers_is_refused_as_well(run, tmp_path, mixed):
    judge = pickle.loads(mixed.model.read_bytes())
    judge[-1].multi_class = "ovr"
    (tmp_path / "judge.pkl").write_bytes(pickle.dumps(judge))
    base = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "nearest", "--rows")
    done = run(*base, "0:3", "--judge", "judge.pkl")
    assert (done.code, "judge.pkl: holds LogisticRegression" in done.err) == (3, True), done.err
    done = run(*base, "0:3", "--judge", "judge.pkl", "--accept", "leftovers")
    assert done.code == 0, done.err
    assert "--judge judge.pkl: accepted leftovers: LogisticRegression" in done.err


def _walked():
    """Yield fitted estimators of scikit-learn, of every kind that fits the same small table."""
    from sklearn.utils import all_estimators
    from sklearn.utils._test_common.instance_generator import _construct_instances

    stream = np.random.default_rng(0)
    X = np.abs(stream.normal(size=(40, 3)))
    y = (X[:, 0] > X[:, 1]).astype(int)
    # TSNE is slow too, and answers no new rows
    slow = {"GraphicalLassoCV", "DictionaryLearning", "MiniBatchDictionaryLearning", "SparsePCA"}
    slow |= {"TSNE"}
    for name, kind in all_estimators():
        if name in slow:
            continue
        try:
            model = next(iter(_construct_instances(kind)))
            model.fit(X, y)
        except Exception:  # noqa: BLE001, S112 - another kind of input, tested where it is at home
            continue
        yield name, model


@pytest.mark.filterwarnings("ignore")
def test_no_estimator_of_today_is_taken_for_an_old_one():
    found = {name: find_leftovers(pickle.loads(pickle.dumps(model))) for name, model in _walked()}
    assert len(found) > 150
    assert {name: left for name, left in found.items() if left} == {}


def test_no_boosted_model_of_today_is_taken_for_an_old_one():
    from boosted_models import MODELS

    found = {name: find_leftovers(pickle.loads(pickle.dumps(model))) for name, model in MODELS}
    assert found == dict.fromkeys(found, ())


def test_attributes_that_a_class_of_the_users_own_sets_are_its_own():
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Plain(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.mean = X.mean() + y.mean()
            return self

    class ByName(Plain):
        def fit(self, X, y):
            for name in ("low", "high"):
                setattr(self, name, y)
            return super().fit(X, y)

    X, y, _ = odd()
    assert find_leftovers(Plain().fit(X, y)) == ()
    assert find_leftovers(ByName().fit(X, y)) == ()
    other = Plain().fit(X, y)
    other.threshold = 0.3
    assert find_leftovers(other) == ("Plain.threshold=0.3",)
