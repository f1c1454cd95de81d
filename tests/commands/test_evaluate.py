"""``xplain evaluate``: finished runs measured again."""

import pickle

import pandas as pd
import pytest
from running import rows_of


@pytest.mark.parametrize(
    "options", [(), ("-m", "kernel-shap", "-b", "revert"), ("-m", "occlusion", "-o", "w.csv")]
)
def test_a_finished_run_is_measured_again(run, tmp_path, mixed, options):
    base = ("tabular", mixed.model, mixed.data, "--rows", "0:8", "-q", *options)
    assert run(*base).code == 0
    done = run("evaluate", "w.csv" if "w.csv" in options else "xplain-out")
    assert done.code == 0, done.err
    assert "model inputs" in done.err
    lines = rows_of(tmp_path / done.out.strip())
    wanted = {"": "median", "revert": "revert", "w.csv": "median"}[(options or ("",))[-1]]
    assert {line["baseline"] for line in lines} == {wanted}
    assert {line["row_id"] for line in lines} <= set(map(str, range(8)))
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
