"""The member of a stored dict that is the model: of pickles, skops files and judges."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file
from xplain_cli.models.members import stored_model

TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
LABELS = (TABLE["a"] + TABLE["b"] > 0).astype(int)


def bundle():
    model = LogisticRegression().fit(TABLE, LABELS)
    return {"model": model, "scaler": StandardScaler().fit(TABLE), "columns": ["a", "b"]}


@pytest.fixture(params=["pickle", "skops"])
def path(request, tmp_path):
    """Store a dict of a model and other things."""
    if request.param == "pickle":
        (tmp_path / "b.pkl").write_bytes(pickle.dumps(bundle()))
        return str(tmp_path / "b.pkl")
    pytest.importorskip("skops.io").dump(bundle(), tmp_path / "b.skops")
    return str(tmp_path / "b.skops")


def test_the_named_member_is_the_model(path):
    loaded = load_model(ModelRecipe(path, member="model"))
    found = loaded.bind(loaded.settle(TABLE)).predict(TABLE)
    assert np.array_equal(found, bundle()["model"].predict_proba(TABLE))


@pytest.mark.parametrize(
    ("member", "kind", "said"),
    [
        (None, RefusedError, "holds a dict (model, scaler, columns), not a model; --member model"),
        ("modle", UsageError, "--member modle: .*did you mean 'model'"),
        ("scaler", RefusedError, "holds a StandardScaler, which does not predict"),
    ],
)
def test_what_is_no_model_is_refused_with_the_way_out(path, member, kind, said):
    with pytest.raises(kind, match=said.replace("(", r"\(").replace(")", r"\)")):
        load_model(ModelRecipe(path, member=member))


def test_a_file_without_members_refuses_a_name(tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(bundle()["model"]))
    with pytest.raises(UsageError, match="holds a LogisticRegression, not a dict"):
        load_model(ModelRecipe(str(tmp_path / "m.pkl"), member="model"))


def test_inspect_names_the_members_and_takes_one(path):
    if path.endswith(".pkl"):
        found = inspect_file(path)
        assert found.tree[0] == "dict of 3: 'model', 'scaler', 'columns'"
        assert (
            found.tree[1].strip() == "--member model: LogisticRegression (2 columns; classes 0, 1)"
        )
        assert "--member NAME" in found.refusals[0]
    assert inspect_file(path, member="model").refusals == ()


def test_a_judge_may_be_a_member(run, path, tmp_path):
    TABLE.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(bundle()["model"]))
    command = ("tabular", "m.pkl", "d.csv", "-m", "kernel-shap", "-b", "nearest", "--rows", "0:4")
    done = run(*command, "--judge", path)
    assert done.code == 3
    assert f"--judge {path}:model takes it" in done.err
    assert run(*command, "--judge", f"{path}:model").code == 0
    judged = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert (judged["judge_in_class"] == judged["baseline_in_class"]).all()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (LocalOutlierFactor(n_neighbors=5), "fit it with novelty=True"),
        (make_pipeline(StandardScaler(), LocalOutlierFactor(n_neighbors=5)), "with novelty=True"),
        (DBSCAN(), "fit a classifier to the labels"),
    ],
    ids=["outliers", "pipeline", "clusters"],
)
def test_what_judges_its_own_rows_alone_is_told_how_to_judge_others(tmp_path, model, said):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model.fit(TABLE)))
    with pytest.raises(RefusedError, match=f"judges only the rows it was fitted on; .*{said}"):
        load_model(ModelRecipe(str(tmp_path / "m.pkl")))


def test_what_scores_rows_alone_is_told_a_way(tmp_path):
    rows = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(RefusedError, match="an AdditiveChi2Sampler, which does not predict"):
        stored_model(ModelRecipe("m.pkl"), AdditiveChi2Sampler().fit(np.abs(rows)))
    with pytest.raises(RefusedError, match=r"a KernelDensity, which scores rows .*MODULE:FUNCTION"):
        stored_model(ModelRecipe("m.pkl"), KernelDensity().fit(rows))
