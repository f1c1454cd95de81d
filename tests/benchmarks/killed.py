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


def command(output, backend):
    options = ["-n", "64", "-r", "2", "--chunk-rows", "2", "--python-path", ".", "--rows", "0:120"]
    data = [str(ROOT / "sample_data" / "data.csv"), "--drop-columns", "id"]
    spread = ["--backend", backend, "-j", "2", "--no-progress", "-q", "-o", output]
    return [sys.executable, "-m", "xplain_cli", "tabular", "slow:predict", *data, *options, *spread]


def start(folder, output, backend="loky"):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command(output, backend), cwd=folder, env=env, stdout=subprocess.DEVNULL
    )


def read(folder, output):
    return [(folder / output / name).read_bytes() for name in FILES]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=600.0, help="stop after this long")
    parser.add_argument("--seed", type=int, default=0)
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
    while struck < asked.runs and time.monotonic() - began < asked.seconds:
        output = f"run{struck}"
        while True:
            process = start(folder, output)
            try:
                code = process.wait(moments.uniform(0.1, 1.0) * whole)
            except subprocess.TimeoutExpired:
                victim = moments.choice([process.pid, *children(process.pid)])
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                kills += 1
                code = process.wait()
            if code == 0:
                break
        struck += 1
        same += read(folder, output) == expected
        shutil.rmtree(folder / output)
    spent = time.monotonic() - began
    print(f"{same} of {struck} runs end with the same bytes; {kills} kills in {spent:.0f} s")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
