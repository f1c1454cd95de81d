"""A named target's number is the one that the model's own library gives that class."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from onnx_models import exported
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.targets import parse_target, position_names

LABELS = {
    "one and two": [1, 2],
    "signs": [-1, 1],
    "gaps": [3, 40, 7],
    "many": [12, 0, -5, 900, 31],
    "words": ["no", "yes"],
    "numbers as words": ["10", "9", "-1"],
    "accents": ["été", "hiver, froid", "<low>"],
    "bools": [False, True],
}
FITTED = {
    "logistic": LogisticRegression,
    "forest": lambda: RandomForestClassifier(5, max_depth=3, random_state=0),
    "bayes": GaussianNB,
    "network": lambda: MLPClassifier((4,), max_iter=30, random_state=0),
    "machine": lambda: SVC(probability=True, random_state=0),
}
COLUMNS = ["a", "b", "c"]


def fitted(maker, labels, seed):
    """Return an estimator, fitted on classes that come in any order, and its table."""
    stream = np.random.default_rng(seed)
    X = stream.normal(size=(60, 3)).astype(np.float32)
    order = stream.permutation(len(labels))
    ranks = np.argsort(np.argsort(X[:, 0] + 0.3 * stream.normal(size=60)))
    y = np.array(labels)[order][ranks * len(labels) // 60]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        return FITTED[maker]().fit(X, y), pd.DataFrame(X.astype(np.float64), columns=COLUMNS)


def settled(path, content, table):
    path.write_bytes(content)
    loaded = load_model(ModelRecipe(str(path)))
    signature = loaded.settle(table)
    return signature, loaded.bind(signature).predict(table)


def number_of(name, signature, answers):
    """Return what ``--target NAME`` explains of each row."""
    task = {"task": signature.task, "positive": signature.positive}
    ((plus, _),) = parse_target(name, signature.outputs, **task).pairs
    return answers[:, plus]


@pytest.mark.parametrize("maker", FITTED)
@pytest.mark.parametrize("labels", LABELS)
def test_a_name_means_its_class_in_pickles_and_onnx(tmp_path, labels, maker):
    model, table = fitted(maker, LABELS[labels], list(FITTED).index(maker))
    own = model.predict_proba(table.to_numpy(dtype=np.float32))
    forms = {"pickle": pickle.dumps(model)}
    forms |= {
        f"zipmap {way}": exported(model, zipmap=way).SerializeToString()
        for way in (False, True, "columns")
    }
    for form, content in forms.items():
        signature, answers = settled(tmp_path / "m.any", content, table)
        for i, label in enumerate(model.classes_.tolist()):
            # ONNX has no bools among labels: its answers are 0 and 1
            name = str(int(label) if form != "pickle" and labels == "bools" else label)
            gap = np.abs(number_of(name, signature, answers) - own[:, i]).max()
            assert gap < 1e-5, (form, name, signature.outputs)


@pytest.mark.parametrize("labels", LABELS)
def test_files_of_lightgbm_name_positions_and_those_of_xgboost_codes(tmp_path, labels):
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    model, table = fitted("logistic", LABELS[labels], 0)
    X, codes = table.to_numpy(), model.predict(table.to_numpy(dtype=np.float32))
    settings = {"n_estimators": 3, "n_jobs": 1}
    light = lightgbm.LGBMClassifier(**settings, verbose=-1, min_child_samples=2).fit(X, codes)
    text = light.booster_.model_to_string().encode()
    signature, answers = settled(tmp_path / "m.txt", text, table)
    assert signature.outputs == position_names(len(light.classes_))
    for i, name in enumerate(signature.outputs):
        own = light.predict_proba(X)[:, i]
        assert np.array_equal(number_of(name, signature, answers), own)
    places = np.searchsorted(np.unique(codes), codes)
    boosted = xgboost.XGBClassifier(**settings).fit(X, places)
    content = bytes(boosted.get_booster().save_raw("json"))
    signature, answers = settled(tmp_path / "m.json", content, table)
    for i in np.unique(places).tolist():
        own = boosted.predict_proba(X)[:, i]
        assert np.array_equal(number_of(str(i), signature, answers), own)
