"""What spreading work costs and saves: two workers, the choice of auto, a model of 1 ms an input.

python tests/benchmarks/spread.py --what workers
python tests/benchmarks/spread.py --what auto
python tests/benchmarks/spread.py --what overhead
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data"
MODEL = """
import os
import time

import numpy as np

NUMBERS = np.linspace(0, 1, 1000)


def work(rows):
    for _ in range(rows):
        for _ in range(100):
            np.sin(NUMBERS)


def busy(table):
    work(len(table))
    return table["mean radius"].to_numpy(float) * table["mean texture"].to_numpy(float)


def slow(table):
    began = time.perf_counter()
    time.sleep(0.001 * len(table))
    with open("slept", "a") as log:
        log.write(f"{time.perf_counter() - began}\\n")
    return table["mean radius"].to_numpy(float) * table["mean texture"].to_numpy(float)
"""
DATA = (str(SAMPLES / "data.csv"), "--drop-columns", "id", "--python-path", ".")
SHAP = ("-m", "kernel-shap", "-b", "mean", "-n", "256", "-r", "4")


def environment():
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}."} | one


def seconds(folder, *command):
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def explain(folder, *options):
    command = (sys.executable, "-m", "xplain_cli", *options, "-q", "-o", "out", "--force")
    return seconds(folder, *command)


def bare(folder, inputs, processes):
    """Return how long bare processes take for the model's work alone, shared between them."""
    code = f"import busywork; busywork.work({inputs // processes})"
    began = time.perf_counter()
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment())
        for _ in range(processes)
    ]
    for process in running:
        process.wait()
    return time.perf_counter() - began


def workers(folder, rows, runs):
    """One worker against two on a black-box model, and what two bare processes reach."""
    command = ("tabular", "busywork:busy", *DATA, *SHAP, "--rows", f"0:{rows}")
    for _ in range(runs):
        one = explain(folder, *command, "-j", "1")
        two = explain(folder, *command, "-j", "2")
        alone, side = (bare(folder, rows * 1024, count) for count in (1, 2))
        print(
            f"one worker {one:.1f} s, two {two:.1f} s: {one / two:.2f} times; bare processes"
            f" {alone:.1f} s and {side:.1f} s: {alone / side:.2f} times;"
            f" of that we reach {one / two / (alone / side):.2f}",
            flush=True,
        )


def auto(folder, runs):
    """What auto takes over serial, on jobs of several kinds."""
    table = (str(SAMPLES / "model.pkl"), str(SAMPLES / "data.csv"), "--id-column", "id")
    texts = (str(SAMPLES / "comments.pkl"), str(SAMPLES / "comments.csv"))
    jobs = {
        "569 rows, pool": ("tabular", *table),
        "60 rows, kernel-shap": ("tabular", *table, "-m", "kernel-shap", "--rows", "0:60"),
        "569 rows, around": ("tabular", *table, "-m", "lime:sample=around", "-n", "64"),
        "texts": ("text", *texts, "--text-column", "CONTENT"),
    }
    for name, command in jobs.items():
        times = {"serial": [], "auto": []}
        for _ in range(runs):
            for backend, found in times.items():
                found.append(explain(folder, *command, "--backend", backend))
        serial, chosen = (statistics.median(found) for found in times.values())
        print(
            f"{name}: serial {serial:.1f} s, auto {chosen:.1f} s: {chosen / serial:.2f}", flush=True
        )


def overhead(folder, rows):
    """The whole process over the time inside a model that sleeps 1 ms an input."""
    command = ("tabular", "busywork:slow", *DATA, *SHAP, "--rows", f"0:{rows}")
    whole = explain(folder, *command, "--backend", "serial")
    inside = sum(map(float, (folder / "slept").read_text().split()))
    print(f"{rows} rows: {whole:.1f} s over {inside:.1f} s in the model: {whole / inside:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=("workers", "auto", "overhead"), required=True)
    parser.add_argument("--rows", type=int, default=120)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "busywork.py").write_text(MODEL)
        if asked.what == "auto":
            auto(folder, asked.runs)
        elif asked.what == "workers":
            workers(folder, asked.rows, asked.runs)
        else:
            overhead(folder, asked.rows)


if __name__ == "__main__":
    main()
