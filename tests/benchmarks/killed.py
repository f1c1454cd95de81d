"""
Runs of which a process is killed at random moments, resumed until done: same bytes, nothing left?

    python tests/benchmarks/killed.py [--runs 100] [--seconds 600] [--dask]

Struck is the tool, the process that starts rooms, or a room: any of its descendants. Counted are
runs that end with other bytes than an undisturbed one; exit codes that are none of a tool whose
process was struck (itself: SIGKILL; else 0, or 3 where a room died at the opening), processes and
temporary folders that are there two seconds after the tool is gone.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = """
import time
def predict(table):
    time.sleep(0.01)
    return table["mean radius"].to_numpy(float)
"""
FILES = ("weights.csv", "stability.csv")


BACKENDS = ("serial", "threads", "loky")
_GONE_SECONDS = 2.0


def descendants(pid):
    """Return the processes that a process began, and those that these began."""
    found = []
    for entry in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, entry.read_text().split())
    return [one for child in found for one in (child, *descendants(child))]


def kind_of(pid, tool):
    """Say what a process is to the tool."""
    if pid == tool:
        return "the tool"
    return "the template" if pid in descendants_at_once(tool) else "a room"


def descendants_at_once(pid):
    """Return the children of a process alone."""
    below = set(descendants(pid))
    return below - {one for child in below for one in descendants(child)}


def left_of(mark):
    """Return what is there of a run: processes by their environment, and temporary folders."""
    said, found = f"KILLED_RUN={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and said in (entry / "environ").read_bytes():
                found.append(f"process {entry.name}")
    return found + [path.name for path in Path(mark).glob("xplain-room-*")]


def command(output, backend, scheduler=None):
    options = ["-n", "64", "-r", "2", "--chunk-rows", "2", "--python-path", ".", "--rows", "0:60"]
    data = [str(ROOT / "sample_data" / "data.csv"), "--drop-columns", "id"]
    spread = ["--backend", backend, "-j", "2", "--no-progress", "-q", "-o", output]
    spread += ["--scheduler", scheduler] if scheduler else []
    return [sys.executable, "-m", "xplain_cli", "tabular", "slow:predict", *data, *options, *spread]


def start(folder, output, backend="loky", scheduler=None):
    rooms = folder / "rooms"
    rooms.mkdir(exist_ok=True)
    env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(rooms), "KILLED_RUN": str(rooms)}
    return subprocess.Popen(
        command(output, backend, scheduler), cwd=folder, env=env, stdout=subprocess.DEVNULL
    )


def read(folder, output):
    return [(folder / output / name).read_bytes() for name in FILES]


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def strike(process, moments, whole):
    """Kill one process of a run at a random moment; return which, None where it was done before."""
    try:
        process.wait(moments.uniform(0.2, 1.0) * whole)
    except subprocess.TimeoutExpired:
        victim = moments.choice([process.pid, *descendants(process.pid)])
        kind = kind_of(victim, process.pid)
        kill(victim)
        return kind
    return None


def fits(code, kind):
    """Say whether an exit code is one of a tool of which such a process was killed."""
    if kind == "the tool":
        return code in {-signal.SIGKILL, 0}
    return code in {0, 3} if kind else code == 0


def gone(mark):
    """Return what is left of a run two seconds after its tool is gone."""
    until = time.monotonic() + _GONE_SECONDS
    while (left := left_of(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def until_done(folder, output, moments, whole):
    """Run, kill some process of it, run again, until it is done; return who died, and flaws."""
    struck, flaws = [], []
    backend = moments.choice(BACKENDS)
    while True:
        process = start(folder, output, backend)
        kind = strike(process, moments, whole)
        code = process.wait()
        struck += [kind] if kind else []
        if not fits(code, kind):
            flaws.append(f"{backend}: exit {code} after {kind} was killed")
        flaws += [f"{backend}: {one} is left after {kind}" for one in gone(folder / "rooms")]
        shutil.rmtree(folder / "rooms")
        if code == 0:
            return struck, flaws


@contextlib.contextmanager
def cluster(folder):
    """Two workers of a Dask cluster that find the model; yields what runs there and is struck."""
    from distributed import Client, LocalCluster

    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(folder)))
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as local,
        Client(local, set_as_default=False) as client,
    ):

        def struck(folder, output, moments, whole):
            process = start(folder, output, "dask", local.scheduler_address)
            time.sleep(moments.uniform(0.3, 0.9) * whole)
            kill(moments.choice(list(client.run(os.getpid).values())))
            if process.wait() != 0:
                raise SystemExit(f"exit {process.returncode}")
            return ["a worker of the cluster"], []

        yield struck


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="kills")
    parser.add_argument("--seconds", type=float, default=600.0, help="stop after this long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dask", action="store_true", help="kill workers of a cluster instead")
    asked = parser.parse_args()
    moments = random.Random(asked.seed)  # noqa: S311 - moments of death are no secret
    folder = Path(tempfile.mkdtemp())
    (folder / "slow.py").write_text(MODEL)
    began = time.monotonic()
    calm = start(folder, "calm")
    if calm.wait() != 0:
        raise SystemExit("the undisturbed run failed")
    whole, expected = time.monotonic() - began, read(folder, "calm")
    ended = same = 0
    struck, flaws = collections.Counter(), collections.Counter()
    with cluster(folder) if asked.dask else contextlib.nullcontext(until_done) as run:
        while struck.total() < asked.runs and time.monotonic() - began < asked.seconds:
            output = f"run{ended}"
            died, wrong = run(folder, output, moments, whole)
            struck.update(died)
            flaws.update(wrong)
            ended += 1
            same += read(folder, output) == expected
            shutil.rmtree(folder / output)
    spent = time.monotonic() - began
    print(
        f"{same} of {ended} runs end with the same bytes; {struck.total()} kills in {spent:.0f} s"
    )
    print(json.dumps({"killed": struck, "wrong": flaws}, indent=2))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
