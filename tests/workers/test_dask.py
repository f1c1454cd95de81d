"""A Dask cluster as workers: the same bytes, versions compared, killed workers borne."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from running import environment, rows_of, until

from xplain_cli.workers.dask import differing

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
SMALL = ("-n", "128", "-r", "3", "--rows", "0:24", "--chunk-rows", "4")


@pytest.fixture(scope="module")
def cluster():
    """Two workers of one thread each on this machine."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as local:
        yield local


def bytes_of(folder):
    return {name: (folder / name).read_bytes() for name in ("weights.csv", "stability.csv")}


def on(cluster):
    return ("--backend", "dask", "--scheduler", cluster.scheduler_address)


def test_a_cluster_gives_the_same_bytes(cluster, run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL)
    assert run(*command, "--backend", "serial", "-o", "here").code == 0
    done = run(*command, *on(cluster), "-o", "there")
    assert done.code == 0, done.err
    assert bytes_of(tmp_path / "there") == bytes_of(tmp_path / "here")


def pids(cluster):
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_a_killed_worker_costs_nothing(cluster, run, cancer, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "def predict(table):\n"
        "    time.sleep(0.3)\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    own = ("--drop-columns", "id", "--python-path", tmp_path)
    command = ("tabular", "slow:predict", cancer.data, *SMALL, *own)
    assert run(*command, "--backend", "serial", "-o", "here").code == 0
    struck = []

    def strike():
        parts = tmp_path / "there" / "parts"
        while not (parts.exists() and any(parts.iterdir())):
            time.sleep(0.05)
        struck.append(pids(cluster)[0])
        os.kill(struck[0], signal.SIGKILL)

    thread = threading.Thread(target=strike)
    thread.start()
    done = run(*command, *on(cluster), "-o", "there")
    thread.join()
    assert done.code == 0, done.err
    assert struck[0] not in pids(cluster)
    assert bytes_of(tmp_path / "there") == bytes_of(tmp_path / "here")


HANGS = """
import os, time
def predict(table):
    with open(MET, "a") as file:
        file.write(f"{os.getpid()}\\n")
    if len(table) == 32 and (table["mean radius"] == 13.08).any():
        open(HUNG, "w").close()
        time.sleep(600)
    return table["mean radius"].to_numpy()
"""


def is_there(pid):
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def hanging(cancer, tmp_path):
    """A model that hangs on one row of the first 60, and the processes it was in."""
    met, hung = tmp_path / "met", tmp_path / "hung"
    code = HANGS.replace("MET", repr(str(met))).replace("HUNG", repr(str(hung)))
    (tmp_path / "hangs.py").write_text(code)
    own = ("--drop-columns", "id", "--python-path", tmp_path, "--chunk-rows", "8")
    command = ("tabular", "hangs:predict", cancer.data, "-m", "occlusion", *own)
    return command, lambda: sorted(set(map(int, met.read_text().split()))) if met.exists() else []


def test_a_row_that_hangs_on_a_cluster_is_one_failed_record(cluster, run, hanging, tmp_path):
    command, met = hanging
    done = run(*command, *on(cluster), "--row-timeout", "1", "--max-failed", "1", "-o", "out")
    assert done.code == 0, done.err
    lines = rows_of(tmp_path / "out" / "stability.csv")
    assert [line["error"] for line in lines if line["error"]] == [
        "a model call took more than 1 s (--row-timeout)"
    ]
    until(lambda: not any(map(is_there, met())), 20)
    assert [pid for pid in met() if is_there(pid)] == []


def test_a_job_that_is_interrupted_leaves_no_room_on_the_cluster(cluster, hanging, tmp_path):
    """The model of its row hangs there, so that the room would never have ended by itself."""
    command, met = hanging
    words = [sys.executable, "-m", "xplain_cli", *map(str, (*command, *on(cluster), "-o", "out"))]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
    ) as process:
        parts = tmp_path / "out" / "parts"
        until(lambda: any(parts.glob("*.npz")) and (tmp_path / "hung").exists())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, process.stderr.read()
    until(lambda: not any(map(is_there, met())), 20)
    assert len(met()) > 1
    assert [pid for pid in met() if is_there(pid)] == []


def test_no_scheduler_is_said(run, cancer, monkeypatch):
    monkeypatch.setattr("xplain_cli.workers.dask._SECONDS", 0.5)
    address = ("--backend", "dask", "--scheduler", "tcp://127.0.0.1:9")
    done = run("tabular", cancer.model, cancer.data, *SMALL, *address)
    assert done.code == 2
    assert "no Dask scheduler answers" in done.err


@pytest.mark.parametrize("options", [("--backend", "dask"), ("--scheduler", "tcp://h:1")])
def test_backend_and_scheduler_go_together(run, cancer, options):
    assert run("tabular", cancer.model, cancer.data, *options).code == 2


def test_versions_that_differ_are_named():
    here = {"python": "3.11.9", "numpy": "2.0.0", "scipy": "1.15"}
    there = {"python": "3.11.9", "numpy": "1.26.4"}
    assert differing(there, here) == "numpy 1.26.4 (here 2.0.0), scipy missing (here 1.15)"
    assert differing(here, here) == ""
