"""A job loads what it uses: no scikit-image for tables, no ONNX for pickles, no other formats."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from running import environment

SCRIPT = """
import atexit, json, sys
from xplain_cli.main import main
heavy = ("onnxruntime", "skimage", "pyarrow", "sklearn", "numpy", "xgboost", "torch", "distributed")
own = "xplain_cli."
def say():
    found = [name for name in sys.modules if name in heavy or name.startswith(own)]
    print(json.dumps(found))
atexit.register(say)
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def finished(cancer, tmp_path_factory):
    """A folder with a finished run, and what was loaded to make it."""
    folder = tmp_path_factory.mktemp("late")
    words = (
        "tabular",
        cancer.model,
        cancer.data,
        "-n",
        "32",
        "-r",
        "2",
        "--rows",
        "0:4",
        "-j",
        "1",
    )
    return folder, loaded(folder, *words)


def loaded(folder, *words):
    """Return what a command has loaded when it ends, and that it ended well."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, words)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def heavy(found):
    """Return the packages among what was loaded; pandas loads pyarrow if it is there."""
    return {name for name in found if not name.startswith("xplain_cli")} - {"pyarrow"}


def test_a_job_on_a_table_and_a_pickle(finished):
    # the model's own packages are loaded in its room alone
    assert heavy(finished[1]) == {"numpy"}


UNUSED = {
    *("datasets.arrays", "datasets.arrow", "datasets.jsonl", "datasets.lines", "datasets.parquet"),
    *("datasets.split", "modalities.text", "modalities.image", "models.skops", "models.mlflow"),
    *("models.estimators.native", "models.estimators.catboost_trees", "models.onnx.model"),
    *("models.torch.model", "methods.closed_form", "methods.kernel_shap", "methods.tree_shap"),
    *("baselines.ganmex", "planning.estimate", "planning.budget", "jobs.merge", "jobs.diff"),
    "report",
}


def test_a_job_on_a_table_loads_no_other_formats_methods_or_models(finished):
    assert {f"xplain_cli.{name}" for name in UNUSED} & finished[1] == set()


@pytest.mark.parametrize(
    "words",
    [
        ("gate", "xplain-out", "--fail-on", "count(failed)>0"),
        ("report", "xplain-out", "-o", "page.html"),
        ("show", "xplain-out"),
        ("summary", "xplain-out"),
        ("diff", "xplain-out", "xplain-out"),
        ("explain", "fidelity"),
    ],
    ids=["gate", "report", "show", "summary", "diff", "explain"],
)
def test_what_reads_a_finished_run(finished, words):
    assert heavy(loaded(finished[0], *words)) <= {"numpy"}


def test_a_job_on_texts(tmp_path):
    samples = Path(__file__).parents[1] / "sample_data"
    files = (samples / "comments.pkl", samples / "comments.csv", "--text-column", "CONTENT")
    found = loaded(tmp_path, "text", *files, "-n", "32", "-r", "2", "--rows", "0:2", "-j", "1")
    assert heavy(found) == {"numpy"}


def test_help(finished):
    assert heavy(loaded(finished[0], "tabular", "--help")) == set()
