"""The promise: a run that is ended early leaves nothing half written and no process."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import SMALL, environment


def test_a_full_disk_leaves_nothing_half_written(run, cancer, tmp_path, monkeypatch):
    import errno
    import os

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = run("tabular", cancer.model, cancer.data, *SMALL, "-o", "out")
    assert done.code == 3
    assert "space" in done.err
    out = tmp_path / "out"
    assert not out.exists() or not list(out.glob("*.csv"))


SLOWNESS = 4  # of a machine that others use as well


def descendants(pid):
    """Return the children of a process, theirs and so on."""
    listed = ["ps", "-o", "pid=", "--ppid", str(pid)]
    found = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
    return [*map(int, found), *(one for child in found for one in descendants(child))]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_without_orphans(cancer, tmp_path, number, code):
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "def predict(table):\n"
        "    time.sleep(0.2)\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    options = ("--drop-columns", "id", "--python-path", ".", "--chunk-rows", "1", *SMALL)
    spread = ("--backend", "loky", "-j", "2")
    (tmp_path / "rooms").mkdir()
    command = [sys.executable, "-m", "xplain_cli", "tabular", "slow:predict", str(cancer.data)]
    process = subprocess.Popen(
        [*command, *options, *spread],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path / "rooms")),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    parts = tmp_path / "xplain-out" / "parts"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (parts.exists() and any(parts.iterdir())):
        time.sleep(0.1)
    own = descendants(process.pid)
    assert len(own) >= 3  # the template and two rooms
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - began < 2 * SLOWNESS
    assert process.returncode == code
    assert b"Traceback" not in said
    assert [pid for pid in own if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.glob("rooms/*")) == []
    assert not (tmp_path / "xplain-out" / "weights.csv").exists()


EXITS = {
    "on_import": "import sys\nsys.exit(0)\ndef predict(table):\n    return table['mean radius']\n",
    "in_the_first_answer": "import sys\ndef predict(table):\n    sys.exit(0)\n",
    "at_once": "import os\nos._exit(0)\n",
    "at_once_in_an_answer": "import os\ndef predict(table):\n    os._exit(0)\n",
    "by_abort": "import os\ndef predict(table):\n    os.abort()\n",
    "in_a_handler": (
        "import atexit, os\natexit.register(os._exit, 0)\n"
        "def predict(table):\n    raise ValueError\n"
    ),
    "by_another_kind": (
        "class Ending(SystemExit):\n    pass\ndef predict(table):\n    raise Ending(0)\n"
    ),
    "past_every_except": (
        "class Ending(BaseException):\n    pass\ndef predict(table):\n    raise Ending\n"
    ),
}


@pytest.mark.parametrize("way", EXITS)
def test_a_model_that_ends_the_program_when_it_is_opened_is_refused(run, cancer, tmp_path, way):
    (tmp_path / f"ending_{way}.py").write_text(EXITS[way])
    own = ("--drop-columns", "id", "--python-path", tmp_path, "--backend", "serial")
    done = run("tabular", f"ending_{way}:predict", cancer.data, *own, *SMALL)
    assert (done.code, done.out) == (3, "")
    assert not (tmp_path / "xplain-out").exists()


UNITS = {
    "on_import": "import os\nos._exit(0)\n",
    "by_exit_on_import": "import sys\nsys.exit(0)\n",
    "at_the_first_text": "import os\ndef split(text):\n    os._exit(0)\n",
}


@pytest.mark.parametrize("way", UNITS)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_unit_that_ends_the_program_is_no_success(run, comments, tmp_path, way, dry):
    (tmp_path / f"unit_{way}.py").write_text(UNITS[way])
    data = (comments / "model.pkl", comments / "comments.csv", "--rows", "0:3")
    own = ("--text-column", "CONTENT", "--python-path", tmp_path, *dry, *SMALL)
    done = run("text", *data, *own, "--unit", f"unit_{way}:split")
    assert (done.code, done.out) == (3, "")
    assert not (tmp_path / "xplain-out").exists()


@pytest.mark.parametrize("backend", ["serial", "threads", "loky"])
def test_rows_on_which_a_model_ends_the_program_are_failed_records(run, cancer, tmp_path, backend):
    name = f"leaving_{backend}"
    (tmp_path / f"{name}.py").write_text(
        "import sys\n"
        "def predict(table):\n"
        "    if (table['mean radius'] == 13.08).any() and len(table) == 32:\n"
        "        sys.exit(0)\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    own = ("--drop-columns", "id", "--python-path", tmp_path, "--backend", backend, "-j", "2")
    method = ("--method", "occlusion", "--chunk-rows", "16")
    done = run("tabular", f"{name}:predict", cancer.data, *own, *method)
    assert done.code == 4, done.err
    stability = (tmp_path / "xplain-out" / "stability.csv").read_text()
    assert stability.count("called sys.exit(0)") == 1


def test_a_file_that_is_not_what_was_written_is_no_success(run, cancer, tmp_path, monkeypatch):
    from xplain_cli.runs.folder import Run

    finish = Run.finish

    def spoiled(self, *values, **named):
        done = finish(self, *values, **named)
        self.place.weights.write_text("")
        return done

    monkeypatch.setattr(Run, "finish", spoiled)
    done = run("tabular", cancer.model, cancer.data, *SMALL, "-o", "out")
    assert (done.code, done.out) == (3, "")
    assert "is not the one that was written" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(("out", "code"), [("out", 0), ("-", 3)])
def test_closed_streams_are_no_bug(cancer, tmp_path, out, code):
    words = [sys.executable, "-m", "xplain_cli", "tabular", str(cancer.model), str(cancer.data)]
    own = [*SMALL, "--rows", "0:2", "-o", out]
    command = ["sh", "-c", 'exec "$@" <&- >&-', "sh", *words, *own]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == code, done.stderr
