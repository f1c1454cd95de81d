"""The promise: a model file runs confined, and its numbers are the same as without."""

import json
import pickle

import pytest
from confined import LINUX
from running import SMALL, bytes_of

from xplain_cli.workers.confine import landlock_version

pytestmark = pytest.mark.skipif(
    not LINUX or not landlock_version(), reason="needs a kernel with Landlock"
)


def test_numbers_are_the_same_whatever_confines_the_model(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "--chunk-rows", "20")
    spreads = {
        "auto": (),
        "off": ("--confine", "off"),
        "required": ("--confine", "required", "--backend", "threads", "-j", "2"),
        "loky": ("--backend", "loky", "-j", "2"),
    }
    for out, options in spreads.items():
        assert run(*command, "-o", out, *options).code == 0
    for name in ("weights.csv", "stability.csv"):
        assert len({bytes_of(tmp_path / out, name) for out in spreads}) == 1


def test_longer_pools_are_kept_for_a_resumed_run(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "--max-rel-se", "0.05")
    assert run(*command, "-o", "out", "--backend", "loky", "-j", "2").code == 0
    assert sorted(path.name for path in (tmp_path / "out" / "pool").glob("shared-*"))
    assert run(*command, "-o", "again", "--backend", "serial").code == 0
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "again")


@pytest.mark.parametrize(
    ("options", "asked", "confined"), [((), "auto", True), (("--confine", "off"), "off", False)]
)
def test_what_holds_is_said_and_in_the_manifest(run, cancer, tmp_path, options, asked, confined):
    done = run("tabular", cancer.model, cancer.data, *SMALL, "--rows", "0:4", *options)
    assert ("the model is confined" in done.err) is confined
    said = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text())["confinement"]
    assert (said["asked"], said["confined"]) == (asked, confined)
    assert "parquet, npy and other DATA are parsed by the program itself" in said["data"]
    assert said["holds"] == (["files", "network", "programs"] if confined else [])


class Nosy:
    """Reads a file when it is unpickled."""

    def __init__(self, path, model):
        self.path, self.model = path, model

    def __reduce__(self):
        read = f"[__import__('pathlib').Path({self.path!r}).read_text(), model][1]"
        return eval, (read, {"model": self.model})  # noqa: S307 - as such files do


@pytest.fixture
def nosy(cancer, tmp_path):
    """A pickle that reads a file of the user's before it is a model."""
    secret = tmp_path / "secrets" / "key"
    secret.parent.mkdir()
    secret.write_text("key")
    path = tmp_path / "models" / "nosy.pkl"
    path.parent.mkdir()
    model = pickle.loads(cancer.model.read_bytes())
    path.write_bytes(pickle.dumps(Nosy(str(secret), model)))
    return path, secret


def test_a_trusted_file_is_confined_too(run, cancer, nosy, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path, secret = nosy
    command = ("tabular", path, cancer.data, *SMALL, "--rows", "0:4", "--trust-model")
    refused = run(*command)
    assert refused.code == 3
    assert "Permission denied" in refused.err
    assert "the model is confined: --allow-read PATH" in refused.err
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / "judging.py").write_text("def classes(table):\n    return table\n")
    judge = ("--judge", "judging:classes", "--python-path", tmp_path / "judges")
    beside = run(*command, "-m", "occlusion", "-b", "nearest", *judge)
    assert (beside.code, "Permission denied" in beside.err) == (3, True)
    assert run(*command, "--allow-read", secret, "-o", "allowed").code == 0
    assert run(*command, "--confine", "off", "-o", "off").code == 0


def test_what_a_model_prints_is_no_result(run, cancer, tmp_path):
    (tmp_path / "printing.py").write_text(
        "import os\n"
        "def predict(table):\n"
        "    print('garbage')\n"
        "    os.write(1, b'garbage')\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    own = ("--drop-columns", "id", "--python-path", tmp_path, "--rows", "0:3", *SMALL)
    done = run("tabular", "printing:predict", cancer.data, *own, "-o", "-")
    assert done.code == 0, done.err
    assert [json.loads(line)["row_id"] for line in done.out.splitlines()]
    assert "garbage" not in done.out


@pytest.mark.parametrize("backend", ["serial", "threads", "loky"])
def test_a_model_that_ends_its_process_in_the_midst_costs_a_row(run, cancer, tmp_path, backend):
    name = f"leaving_at_once_{backend}"
    (tmp_path / f"{name}.py").write_text(
        "import os\n"
        "def predict(table):\n"
        "    if len(table) == 32 and (table['mean radius'] == 13.08).any():\n"
        "        os._exit(0)\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    own = ("--drop-columns", "id", "--python-path", tmp_path, "--backend", backend, "-j", "2")
    done = run("tabular", f"{name}:predict", cancer.data, *own, "-m", "occlusion", "--rows", "0:32")
    assert done.code == 4, done.err
    text = (tmp_path / "xplain-out" / "stability.csv").read_text()
    assert text.count("the worker process died of this row (exit EXIT 0)") == 1
    assert len(text.splitlines()) == 33


def test_a_model_that_never_opens_is_refused_in_time(run, cancer, tmp_path):
    (tmp_path / "never_open.py").write_text("import time\ntime.sleep(600)\n")
    own = ("--drop-columns", "id", "--python-path", tmp_path, "--open-timeout", "1")
    done = run("tabular", "never_open:predict", cancer.data, *own)
    assert done.code == 3
    assert "took more than 1 s when it was opened; --open-timeout gives it longer" in done.err
