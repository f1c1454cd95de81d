"""Runs killed by SIGKILL at random moments, parent or worker, resumed until done: same bytes?"""

import argparse
import contextlib
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
    time.sleep(0.02)
    return table["mean radius"].to_numpy(float)
"""
FILES = ("weights.csv", "stability.csv")


def children(pid):
    listed = ["ps", "-o", "pid=", "--ppid", str(pid)]
    found = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
    return [int(child) for child in found]


def command(output, backend, scheduler=None):
    options = ["-n", "64", "-r", "2", "--chunk-rows", "2", "--python-path", ".", "--rows", "0:120"]
    data = [str(ROOT / "sample_data" / "data.csv"), "--drop-columns", "id"]
    spread = ["--backend", backend, "-j", "2", "--no-progress", "-q", "-o", output]
    spread += ["--scheduler", scheduler] if scheduler else []
    return [sys.executable, "-m", "xplain_cli", "tabular", "slow:predict", *data, *options, *spread]


def start(folder, output, backend="loky", scheduler=None):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command(output, backend, scheduler), cwd=folder, env=env, stdout=subprocess.DEVNULL
    )


def read(folder, output):
    return [(folder / output / name).read_bytes() for name in FILES]


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def until_done(folder, output, moments, whole):
    """Run, kill parent or worker, run again, until it is done; return the kills."""
    kills = 0
    while True:
        process = start(folder, output)
        try:
            code = process.wait(moments.uniform(0.1, 1.0) * whole)
        except subprocess.TimeoutExpired:
            kill(moments.choice([process.pid, *children(process.pid)]))
            kills += 1
            code = process.wait()
        if code == 0:
            return kills


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
            return 1

        yield struck


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
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
    struck = same = kills = 0
    with cluster(folder) if asked.dask else contextlib.nullcontext(until_done) as run:
        while struck < asked.runs and time.monotonic() - began < asked.seconds:
            output = f"run{struck}"
            kills += run(folder, output, moments, whole)
            struck += 1
            same += read(folder, output) == expected
            shutil.rmtree(folder / output)
    spent = time.monotonic() - began
    print(f"{same} of {struck} runs end with the same bytes; {kills} kills in {spent:.0f} s")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
