"""The names that a pickle may ask for."""

import importlib.util
import io
import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.pickles.allowlist import judge
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.records import allowed_names
from xplain_cli.models.pickles.strict_unpickler import strict_load

ROWS = np.random.default_rng(0).normal(size=(40, 3))


def doubled(values):
    return values * 2


def test_refusal_names_the_global_its_place_and_the_ways_out(tmp_path):
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression()).fit(
        ROWS, ROWS[:, 0] > 0
    )
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    name = f"{doubled.__module__}.doubled"
    with pytest.raises(RefusedError) as refusal:
        load_model(ModelRecipe(str(path)))
    assert str(refusal.value) == (
        f"{path}: refused, nothing of it was run: it asks for {name} at"
        f" Pipeline.steps[0][1].func; if you trust this name: --trusted {name};"
        " the whole file: --trust-model; or export the model to ONNX"
    )


def test_trusted_names_and_trust_all_open_it(tmp_path):
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression()).fit(
        ROWS, ROWS[:, 0] > 0
    )
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    named = load_model(ModelRecipe(str(path), trusted=(f"{doubled.__module__}.doubled",)))
    whole = load_model(ModelRecipe(str(path), trust_all=True))
    assert named.notes == ()
    assert whole.notes == ("loaded unjudged: --trust-model runs whatever the file asks for",)


def test_the_list_has_no_doors_out():
    suspicious = {"getattr", "eval", "exec", "load", "partial", "memmap", "open", "fromfile"}
    assert {key for key in allowed_names() if key.split(":")[1] in suspicious} == set()
    packages = {key.split(":")[0].split(".")[0] for key in allowed_names()}
    expected = (
        "_codecs _loss builtins catboost collections copyreg joblib lightgbm numpy pandas pyarrow"
        " scipy sklearn xgboost"
    )
    assert sorted(packages) == expected.split()
    assert not any(key.startswith("scipy.stats") for key in allowed_names())


@pytest.mark.slow
def test_every_estimator_passes_and_predicts_the_same():
    sys.path.insert(0, str(Path(__file__).parents[3] / ".ci"))
    fitted_values = importlib.import_module("fitted_values")
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for name, model in fitted_values.fitted_estimators():
            file = io.BytesIO()
            joblib.dump(model, file)
            for data in (pickle.dumps(model), file.getvalue()):
                judge(name, dry_run(data))
                loaded = strict_load(data, ())
                assert type(loaded) is type(model)
                try:
                    expected = model.predict(ROWS[:, [0, 1, 2, 0]])
                except (AttributeError, ValueError, TypeError):
                    continue
                assert np.array_equal(expected, loaded.predict(ROWS[:, [0, 1, 2, 0]]))
