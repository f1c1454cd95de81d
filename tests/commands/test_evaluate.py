"""xplain evaluate: curves against a second calculation, and whole runs measured again."""

import pickle

import numpy as np
import pandas as pd
import pytest
from mask_laws import Law, Rows, index
from running import rows_of

from xplain_cli.methods import Masked, Task
from xplain_cli.methods.curves import measure


def measured(weights, n, model, k=2):
    """Answer the masks of one row by ``model(row, masks)``."""
    full = np.ones((1, n), dtype=bool)
    pairs = np.array([[[0, -1]]])
    task = Task(Law("half"), Rows(1, n), pairs, model(0, full), False, 0, 1, 1)  # noqa: FBT003 - margin
    asking = measure(task, np.array(weights, dtype=float)[None, None], k)
    need = next(asking)
    outputs = [model(0, masks) for masks in need.masks]
    try:
        asking.send(Masked(outputs, np.array([len(need.masks[0])])))
    except StopIteration as finished:
        return {name: float(value[0, 0]) for name, value in finished.value.measures.items()}


def test_the_curves_take_the_greatest_weight_first():
    weights, n = [0.5, 3.0, -1.0, 0.1], 4
    got = measured(weights, n, index(n))
    order, f = [1, 0, 3, 2], lambda kept: index(n)(0, np.isin(np.arange(n), kept)[None])[0, 0]
    deletion = [f([j for j in range(n) if j not in order[:s]]) for s in range(n + 1)]
    insertion = [f(order[:s]) for s in range(n + 1)]
    assert got["deletion_auc"] == pytest.approx(np.trapezoid(deletion, dx=1 / n))
    assert got["insertion_auc"] == pytest.approx(np.trapezoid(insertion, dx=1 / n))
    assert got["comprehensiveness"] == pytest.approx(f(range(n)) - f([2, 3]))
    assert got["sufficiency"] == pytest.approx(f(range(n)) - f([0, 1]))


def test_weights_of_a_linear_model_miss_nothing():
    weights = np.array([1.0, -2.0, 0.5, 3.0, 0.0])
    got = measured(weights, 5, lambda _, z: (z @ weights)[:, None])
    assert got["infidelity"] == pytest.approx(0, abs=1e-12)
    assert got["deletion_auc"] < got["random_auc"] < got["insertion_auc"]


def test_no_weights_at_all_miss_everything():
    assert measured(np.zeros(5), 5, index(5))["infidelity"] == pytest.approx(1)


def test_a_model_that_never_changes_has_no_infidelity():
    assert np.isnan(measured(np.ones(3), 3, lambda _, z: np.ones((len(z), 1)))["infidelity"])


@pytest.mark.parametrize(
    "options", [(), ("-m", "kernel-shap", "-b", "revert"), ("-m", "occlusion", "-o", "w.csv")]
)
def test_a_finished_run_is_measured_again(run, tmp_path, mixed, options):
    base = ("tabular", mixed.model, mixed.data, "--rows", "0:25", "-q", *options)
    assert run(*base).code == 0
    done = run("evaluate", "w.csv" if "w.csv" in options else "xplain-out")
    assert done.code == 0, done.err
    assert "model inputs" in done.err
    lines = rows_of(tmp_path / done.out.strip())
    wanted = {"": "median", "revert": "revert", "w.csv": "median"}[(options or ("",))[-1]]
    assert {line["baseline"] for line in lines} == {wanted}
    assert len(lines) <= 25
    for line in lines:
        assert float(line["infidelity"]) >= 0
        assert int(line["n_model_inputs"]) > 1


def test_another_baseline_may_be_common(run, tmp_path, mixed):
    base = ("tabular", mixed.model, mixed.data, "--rows", "0:9", "-m", "kernel-shap", "-q")
    assert run(*base, "-b", "zero").code == 0
    done = run("evaluate", "xplain-out", "-b", "mean")
    assert done.code == 0, done.err
    assert {line["baseline"] for line in rows_of(tmp_path / done.out.strip())} == {"mean"}


def test_texts_are_measured_by_deletion(run, tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = ["good phone and nice", "bad battery and poor", "nice good", "poor bad case"] * 6
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 6)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "t.csv", index=False)
    assert run("text", "m.pkl", "t.csv", "-m", "kernel-shap", "-q").code == 0
    done = run("evaluate", "xplain-out")
    assert done.code == 0, done.err
    lines = rows_of(tmp_path / done.out.strip())
    assert {line["baseline"] for line in lines} == {"deletion"}
    assert all(float(line["insertion_auc"]) >= float(line["deletion_auc"]) for line in lines)


def test_other_data_than_the_run_explained_are_refused(run, tmp_path, mixed):
    base = ("tabular", mixed.model, mixed.data, "--rows", "0:9", "-m", "occlusion", "-q")
    assert run(*base).code == 0
    pd.read_csv(mixed.data).iloc[::-1].to_csv(tmp_path / "other.csv", index=False)
    done = run("evaluate", "xplain-out", "--data", "other.csv")
    assert done.code == 3
    assert "data" in done.err


def test_a_folder_without_a_run_is_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run("evaluate", "empty").code == 3
