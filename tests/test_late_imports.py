"""Heavy packages are loaded only where needed: no scikit-image for tables, no ONNX for pickles."""

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
atexit.register(lambda: print(json.dumps([name for name in heavy if name in sys.modules])))
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
    """Return which heavy packages a command has loaded when it ends, and that it ended well."""
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


def test_a_job_on_a_table_and_a_pickle(finished):
    # pandas loads pyarrow if it is there; the model's own packages are loaded in its room alone
    assert finished[1] - {"pyarrow"} == {"numpy"}


@pytest.mark.parametrize(
    "words",
    [
        ("gate", "xplain-out", "--fail-on", "count(failed)>0"),
        ("report", "xplain-out", "-o", "page.html"),
    ],
    ids=["gate", "report"],
)
def test_what_reads_a_finished_run(finished, words):
    assert loaded(finished[0], *words) - {"pyarrow"} <= {"numpy"}


def test_a_job_on_texts(tmp_path):
    samples = Path(__file__).parents[1] / "sample_data"
    files = (samples / "comments.pkl", samples / "comments.csv", "--text-column", "CONTENT")
    found = loaded(tmp_path, "text", *files, "-n", "32", "-r", "2", "--rows", "0:2", "-j", "1")
    assert found - {"pyarrow"} == {"numpy"}


def test_help(finished):
    assert loaded(finished[0], "tabular", "--help") == set()
