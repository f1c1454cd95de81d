"""Faults: rows that kill or hang their worker, killed workers, killed parents, full disks."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import Forked, environment, rows_of, run_in, until

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.slow,
]

SMALL = ("-n", "128", "-r", "3", "--drop-columns", "id", "--python-path", ".")
# one of these rows has the mean radius by which MORTAL knows it
ROWS = ("--rows", "0:32", "--chunk-rows", "8")
MORTAL = """
import os, pathlib, signal, time

def explains():
    return any(pathlib.Path(os.environ["RUNS"]).glob("*/pool/shared/pool.json"))

def predict(table):
    if explains() and (table["mean radius"] == 13.08).any():
        HARM
    return table["mean radius"].to_numpy()
"""


@pytest.fixture(scope="module")
def unharmed(cancer, tmp_path_factory):
    """What is said of each of the 32 rows where none does harm, its run aside."""
    folder = tmp_path_factory.mktemp("unharmed")
    (folder / "mortal.py").write_text(MORTAL.replace("HARM", "pass"))
    command = ("tabular", "mortal:predict", cancer.data, *SMALL, *ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNS", str(folder))
        run_in(folder, *command, "--backend", "serial", "-o", "whole")
    lines = rows_of(folder / "whole" / "stability.csv")
    for line in lines:
        del line["run_id"]
    return lines


@pytest.fixture
def harmful(run, cancer, tmp_path, monkeypatch):
    """Explain 32 rows in chunks of 8, one of which does harm to its worker."""

    monkeypatch.setenv("RUNS", str(tmp_path))

    def explained(harm, *options, out="out"):
        (tmp_path / "mortal.py").write_text(MORTAL.replace("HARM", harm))
        command = ("tabular", "mortal:predict", cancer.data, *SMALL, *ROWS)
        done = run(*command, "-o", out, *options)
        return done, rows_of(tmp_path / out / "stability.csv")

    return explained


def stat_of(pid):
    """Return what /proc says of a process after its name: its state, its parent; None: gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def children(pid):
    """Return the children of a process, without a ``ps`` each time that they are looked for."""
    there = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [one for one in there if (stat := stat_of(one)) and int(stat[1]) == pid]


def workers_of(pid):
    """Return the rooms of a process: what the process has forked that it forked itself."""
    return [room for template in children(pid) for room in children(template)]


@pytest.mark.parametrize(
    ("backend", "jobs"), [("loky", "1"), ("loky", "2"), ("serial", "1"), ("threads", "2")]
)
def test_a_row_that_kills_its_worker_is_one_failed_record(harmful, unharmed, backend, jobs):
    spread = ("--backend", backend, "-j", jobs, "--max-failed", "1")
    done, lines = harmful("os.kill(os.getpid(), signal.SIGKILL)", *spread)
    assert done.code == 0, done.err
    bad = [line for line in lines if line["status"] == "failed"]
    assert (len(lines), len(bad)) == (32, 1)
    assert "SIGKILL -9, likely out of memory" in bad[0]["error"]
    for line in lines:
        del line["run_id"]  # the code of the model is not the same
    assert [a for a, b in zip(lines, unharmed, strict=True) if a != b] == bad


def test_a_row_that_exits_its_worker_is_one_failed_record(harmful):
    done, lines = harmful("os._exit(7)", "--backend", "loky", "-j", "2")
    assert done.code == 4, done.err
    assert [line["error"] for line in lines if line["error"]] == [
        "the worker process died of this row (exit EXIT 7)"
    ]


@pytest.mark.parametrize("backend", ["serial", "threads", "loky", "auto"])
def test_a_row_that_hangs_is_one_failed_record(harmful, unharmed, backend):
    """In a room of threads the others die with it, and are asked again."""
    spread = ("--backend", backend, "-j", "2", "--max-failed", "1")
    done, lines = harmful("time.sleep(600)", "--row-timeout", "1.5", *spread)
    assert done.code == 0, done.err
    bad = [line for line in lines if line["status"] == "failed"]
    assert [line["error"] for line in bad] == ["a model call took more than 1.5 s (--row-timeout)"]
    for line in lines:
        del line["run_id"]  # the code of the model is not the same
    assert [a for a, b in zip(lines, unharmed, strict=True) if a != b] == bad


def test_many_short_calls_in_threads_take_no_ones_time(harmful):
    """The limit is that of a call: a chunk takes eight of them, and two threads take turns."""
    held = "pass\n    time.sleep(0.2)"
    done, lines = harmful(held, "--row-timeout", "1.2", "--backend", "threads", "-j", "2")
    assert (done.code, len(lines)) == (0, 32), done.err


def test_a_row_that_stops_its_process_is_one_failed_record(harmful):
    """A stopped process answers no signal but SIGKILL, so that no timer ends it."""
    options = ("--row-timeout", "2", "--backend", "serial", "--max-failed", "1")
    done, lines = harmful("os.kill(os.getpid(), signal.SIGSTOP)", *options)
    assert done.code == 0, done.err
    assert [line["error"] for line in lines if line["error"]] == [
        "the process of the model stopped itself on this row"
    ]


def test_a_row_that_eats_memory_is_one_failed_record(harmful, monkeypatch):
    """Code of the user is not confined, but what it takes is looked at."""
    monkeypatch.setattr("xplain_cli.workers.rooms._machine_bytes", lambda: 3 << 29)
    harm = "x = [b'x' * (1 << 28) for _ in range(8)]; time.sleep(600)"
    done, lines = harmful(harm, "--backend", "serial", "--max-failed", "1")
    assert done.code == 0, done.err
    assert [line["error"] for line in lines if line["error"]] == [
        "the process of the model took 1.21 GB of memory and wanted more on this row"
    ]


def test_a_time_limit_holds_for_the_pool_as_well(run, cancer, tmp_path):
    (tmp_path / "mortal.py").write_text(
        "import time\n"
        "def predict(table):\n"
        "    if len(table) > 256:\n        time.sleep(600)\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    done = run("tabular", "mortal:predict", cancer.data, *SMALL, "--row-timeout", "1")
    assert (done.code, "a model call took more than 1 s (--row-timeout)" in done.err) == (3, True)


def test_workers_that_die_of_every_row_end_the_run(run, cancer, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path))
    (tmp_path / "mortal.py").write_text(
        MORTAL.replace('(table["mean radius"] == 13.08).any()', "True").replace(
            "HARM", "os._exit(1)"
        )
    )
    command = ("tabular", "mortal:predict", cancer.data, *SMALL, "--chunk-rows", "8", "-o", "out")
    done = run(*command, "--backend", "loky", "-j", "2")
    assert done.code == 3
    assert "before one row was explained" in done.err


SLOW = """
import time
def predict(table):
    time.sleep(0.05)
    return table["mean radius"].to_numpy()
"""


CHUNKS = ("--rows", "0:30", "--chunk-rows", "1", "--no-progress")
SPREAD = ("--backend", "loky", "-j", "2")


@pytest.fixture
def slow(cancer, tmp_path):
    """Return what begins a run of 30 slow rows in two workers, and end what is left of them."""
    (tmp_path / "slow.py").write_text(SLOW)
    processes = []

    def begin(*options):
        words = ("tabular", "slow:predict", cancer.data, *SMALL, *CHUNKS, *SPREAD, *options)
        processes.append(Forked(tmp_path, *words))
        return processes[-1]

    yield begin
    for process in processes:
        process.end()


@pytest.fixture(scope="module")
def calm(cancer, tmp_path_factory):
    """The run of the same rows that nobody disturbs."""
    folder = tmp_path_factory.mktemp("calm")
    (folder / "slow.py").write_text(SLOW)
    words = ("tabular", "slow:predict", cancer.data, *SMALL, "--rows", "0:30")
    run_in(folder, *words, "--backend", "serial", "-o", "out")
    return folder / "out"


def test_a_killed_parent_leaves_no_process(cancer, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    words = ("tabular", "slow:predict", cancer.data, *SMALL, *CHUNKS, *SPREAD)
    with subprocess.Popen(  # nothing of this process is in it, as where a user types
        [sys.executable, "-m", "xplain_cli", *map(str, words)],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: len(workers_of(process.pid)) == 2)
            until(lambda: list((tmp_path / "xplain-out" / "parts").glob("*.npz")))
            own = [*children(process.pid), *workers_of(process.pid)]
        finally:
            process.kill()
    until(lambda: not any(is_there(pid) for pid in own), 15)


def is_there(pid):
    """Say whether a process is there, and no remains of one."""
    stat = stat_of(pid)
    return stat is not None and stat[0] != "Z"


def test_a_killed_worker_costs_nothing(slow, calm, tmp_path):
    process = slow("-o", "struck")
    parts = tmp_path / "struck" / "parts"
    for count in (2, 12):
        until(lambda count=count: len(list(parts.glob("*.npz"))) >= count)
        os.kill(until(lambda: workers_of(process.pid))[0], signal.SIGKILL)
    assert process.wait() == 0, process.said.read_text()
    for name in ("weights.csv", "stability.csv"):
        assert (tmp_path / "struck" / name).read_bytes() == (calm / name).read_bytes()


def test_killed_again_and_again_it_ends_with_the_same_bytes(slow, calm, tmp_path):
    moments = random.Random(0)  # noqa: S311 - moments of death are no secret
    for _ in range(4):  # tests/benchmarks/killed.py does it a hundred times
        process = slow("-o", "struck")
        process.wait(moments.uniform(0.2, 3.0))
        own = workers_of(process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(moments.choice([process.pid, *own]), signal.SIGKILL)
        if moments.random() < 0.5:  # the parent too, while it makes up for its worker
            time.sleep(moments.uniform(0.0, 0.5))
        process.kill()
    last = slow("-o", "struck")
    assert last.wait(120) == 0, last.said.read_text()
    for name in ("weights.csv", "stability.csv"):
        assert (tmp_path / "struck" / name).read_bytes() == (calm / name).read_bytes()


def test_a_second_process_in_the_same_run_is_refused(slow, run, cancer, tmp_path):
    process = slow()
    until(lambda: list((tmp_path / "xplain-out" / "parts").glob("*.npz")))
    process.signal(signal.SIGSTOP)  # or it may be done before the other has opened its files
    done = run("tabular", "slow:predict", cancer.data, *SMALL, *CHUNKS)
    process.signal(signal.SIGCONT)
    assert done.code == 2, done.err
    assert "another process is at work" in done.err
    assert process.wait() == 0, process.said.read_text()


def test_the_lock_of_a_killed_process_is_gone(slow, run, cancer, tmp_path):
    process = slow()
    until(lambda: list((tmp_path / "xplain-out" / "parts").glob("*.npz")))
    process.kill()
    done = run("tabular", "slow:predict", cancer.data, *SMALL, *CHUNKS)
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "xplain-out" / "run.json").read_text())["state"] == "finished"


def test_a_run_for_machines_talks_in_json_lines_and_says_where_time_went(run, cancer, tmp_path):
    done = run(
        "tabular", cancer.model, cancer.data, *SMALL[:4], "--log-json", "--backend", "serial"
    )
    assert done.code == 0
    events = [json.loads(line)["event"] for line in done.err.splitlines()]
    assert {"note", "summary"} <= set(events)
    results = json.loads((tmp_path / "xplain-out" / "run_results.json").read_text())
    assert set(results["work_seconds"]) == {"read", "predict", "solve", "write"}
    assert results["model_inputs_rows"] == 512
    failed = run("tabular", "nothing.pkl", cancer.data, "--log-json")
    assert json.loads(failed.err)["event"] == "error"
