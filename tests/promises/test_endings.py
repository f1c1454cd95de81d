"""The promise: a run that is ended early leaves nothing half written and no process."""

import signal
import subprocess
import sys
import time

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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
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
    command = [sys.executable, "-m", "xplain_cli", "tabular", "slow:predict", str(cancer.data)]
    process = subprocess.Popen(
        [*command, *options, *spread],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    parts = tmp_path / "xplain-out" / "parts"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (parts.exists() and any(parts.iterdir())):
        time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == code
    group = ["ps", "-o", "pid=", "-g", str(process.pid)]
    for _ in range(50):
        if not subprocess.run(group, capture_output=True, text=True, check=False).stdout.strip():
            break
        time.sleep(0.1)
    else:
        pytest.fail("worker processes are still there")
    assert not (tmp_path / "xplain-out" / "weights.csv").exists()
