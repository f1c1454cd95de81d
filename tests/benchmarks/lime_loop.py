"""Time xplain, the whole process, against a loop over lime at its defaults, on one core."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from counting import FOLDER, LOG, forest

HERE = Path(__file__).parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
NOISE = 0.05  # of a column's standard deviation
WANTED = {"569 rows": 16, "20,000 rows": 100}


def read_table():
    """Return data.csv as a table."""
    import pandas as pd

    return pd.read_csv(FOLDER / "data.csv")


def time_lime(n_rows):
    """Return the milliseconds a row that lime takes at its defaults, its set-up left out."""
    import numpy as np
    from lime.lime_tabular import LimeTabularExplainer
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    table = read_table()
    rows = table[list(forest().feature_names_in_)].to_numpy()
    bare = clone(forest()).fit(rows, table["diagnosis"])  # the same trees, for bare arrays
    explainer = LimeTabularExplainer(rows, class_names=list(bare.classes_), random_state=0)
    chosen = np.random.default_rng(0).permutation(len(rows))[:n_rows]
    with threadpool_limits(1):
        start = time.perf_counter()
        for row in rows[chosen]:
            explainer.explain_instance(row, bare.predict_proba)
        return (time.perf_counter() - start) * 1000 / n_rows


def redraw(n_rows, path):
    """Write *n_rows* rows redrawn from data.csv, with a little noise on every number."""
    import numpy as np

    stream = np.random.default_rng(0)
    numbers = read_table()[list(forest().feature_names_in_)]
    drawn = numbers.sample(n_rows, replace=True, random_state=0)
    drawn += stream.normal(size=drawn.shape) * NOISE * numbers.std().to_numpy()
    drawn.clip(lower=0).to_csv(path, index=False)


def environment():
    """Return one thread, and bytecode that is kept, as any installation by pip has it."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | ONE_THREAD


def run_xplain(model, data, folder, *options):
    """Run ``xplain tabular`` as a process of its own; return its seconds from start to end."""
    command = [sys.executable, "-m", "xplain_cli", "tabular", model, data, "-o", folder]
    command += ["--jobs", "1", "--no-progress", "--quiet", *options]
    start = time.perf_counter()
    subprocess.run(
        list(map(str, command)),
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment(),
    )
    return time.perf_counter() - start


def time_xplain(data, n_rows, *options):
    """Return the milliseconds a row of a whole run of xplain, and of its phase "explain"."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        seconds = run_xplain(FOLDER / "model.pkl", data, run, *options)
        phases = json.loads((run / "run_results.json").read_text(encoding="utf-8"))["seconds"]
    return seconds * 1000 / n_rows, phases["explain"] * 1000 / n_rows


def count_inputs():
    """Return how many rows the model was asked in one run over data.csv, and in how many calls."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        os.environ[LOG] = str(log)
        columns = ["--id-column", "id", "--drop-columns", "diagnosis", "--python-path", HERE]
        run_xplain("counting:predict", FOLDER / "data.csv", Path(folder) / "run", *columns)
        asked = [int(line) for line in log.read_text(encoding="utf-8").split()]
    return sum(asked), len(asked)


def report(name, values):
    """Print the median of some measured values and their range; return the median."""
    middle = statistics.median(values)
    spread = f"({min(values):.2f}-{max(values):.2f}, {len(values)} runs)"
    print(f"{name:<34}{middle:9.2f} ms a row  {spread}", flush=True)
    return middle


def compare(runs, n_lime, *, alone):
    """Time lime and xplain in turns, and print the medians and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many.csv"
        redraw(20_000, many)
        if not alone:
            time_xplain(FOLDER / "data.csv", 569)  # compiles what was never imported; not timed
        lime, small, large = [], [], []
        for _ in range(runs):
            lime.append(time_lime(n_lime))
            if not alone:
                small.append(time_xplain(FOLDER / "data.csv", 569))
                large.append(time_xplain(many, 20_000, "-k", "10"))
    peer = report(f"lime, {n_lime} rows", lime)
    for name, values in {"569 rows": small, "20,000 rows": large}.items():
        if values:
            whole, explain = zip(*values, strict=True)
            ratio = peer / report(f"xplain, {name}", whole)
            report("  of it explaining", explain)
            print(f"  lime / xplain, {name}: {ratio:.1f} (wanted: at least {WANTED[name]})")


def main():
    """Compare on one core and count the model's inputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each (default 3)")
    parser.add_argument("--lime-rows", type=int, default=100, help="rows of a lime run")
    parser.add_argument("--lime-only", action="store_true", help="leave xplain out")
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # processes started here inherit it
    compare(asked.runs, asked.lime_rows, alone=asked.lime_only)
    if not asked.lime_only:
        rows, calls = count_inputs()
        print(f"model inputs, 569 rows: {rows} in {calls} calls (8192 of the pool, 569 rows,")
        print("  the probes, and what fills up the last batches)")


if __name__ == "__main__":
    main()
