"""Shows what ``xplain diff`` calls changed: nothing by noise, all that was planted; and its cost.

python tests/benchmarks/differences.py --what noise      # 20 pairs of runs that differ in the seed
python tests/benchmarks/differences.py --what planted    # a doubled coefficient, a changed table
python tests/benchmarks/differences.py --what size       # 100,000 rows of 30 columns

"""

import argparse
import contextlib
import csv
import io
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SAMPLES = Path(__file__).parents[2] / "sample_data"


def xplain(*words, cwd):
    """Run the tool; return the processor seconds and the peak megabytes of its process."""
    command = [sys.executable, "-m", "xplain_cli", *map(str, words)]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"xplain {' '.join(map(str, words))}\n{said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def inside(*words, cwd):
    """Run the tool in this process, which need not start for every seed."""
    from xplain_cli.main import main

    os.chdir(cwd)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as said,
    ):
        try:
            main([*map(str, words)])
        except SystemExit as ending:
            code = ending.code
    if code:
        raise SystemExit(f"xplain {' '.join(map(str, words))}\n{said.getvalue()}")


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def changed_share(folder):
    lines = rows_of(folder / "diff.csv")
    return sum(line["changed"] == "1" for line in lines), len(lines)


def noise(folder, pairs):
    """Compare runs that differ in nothing but the seed; some sampled, some exact."""
    jobs = {
        "lime": ("tabular", SAMPLES / "wine.joblib", SAMPLES / "wine.csv", "-t", "class_1"),
        "lime loans": ("tabular", SAMPLES / "loans.pkl", SAMPLES / "loans.csv", "--rows", "0:100"),
        "kernel-shap": (
            *("tabular", SAMPLES / "wine.joblib", SAMPLES / "wine.csv", "-m", "kernel-shap"),
            *("--rows", "0:40"),
        ),
        "permutation": (
            *("tabular", SAMPLES / "wine.joblib", SAMPLES / "wine.csv", "-m", "permutation"),
            *("--rows", "0:40", "-n", "256"),
        ),
        "text": (
            *("text", SAMPLES / "comments.pkl", SAMPLES / "comments.csv", "--text-column"),
            *("CONTENT", "--rows", "0:60", "-n", "64"),
        ),
        "lime:exact": (
            *("tabular", SAMPLES / "model.pkl", SAMPLES / "data.csv", "-m", "lime:exact=yes"),
            *("--rows", "0:40"),
        ),
        "tree-shap": (
            *("tabular", SAMPLES / "model.pkl", SAMPLES / "data.csv", "-m", "tree-shap"),
            *("--rows", "0:40"),
        ),
        "occlusion": (
            *("tabular", SAMPLES / "model.pkl", SAMPLES / "data.csv", "-m", "occlusion"),
            *("--rows", "0:40"),
        ),
    }
    for name, words in jobs.items():
        wrong = total = firsts = 0
        for pair in range(pairs):
            for side in (0, 1):
                seed = 1000 + 2 * pair + side
                inside(*words, "-s", seed, "-o", f"run{side}", "--force", "-q", cwd=folder)
            inside("diff", "run0", "run1", "-q", cwd=folder)
            own = changed_share(folder / "xplain-diff")
            wrong, total = wrong + own[0], total + own[1]
            rows = rows_of(folder / "xplain-diff" / "diff_rows.csv")
            firsts += sum(line["first_reason_changed"] == "1" for line in rows)
        print(
            f"{name:<12} {wrong} of {total} weights called changed ({wrong / total:.4%}) in {pairs}"
            f" pairs of seeds; first reasons: {firsts}",
            flush=True,
        )


def linear(folder, name, slopes, columns):
    """Store a logistic regression with a margin that is linear in the columns."""
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(8, len(columns))), columns=columns)
    model = LogisticRegression().fit(frame, [0, 1] * 4)
    model.coef_, model.intercept_ = np.array([slopes]), np.array([0.0])
    (folder / name).write_bytes(pickle.dumps(model))


def planted(folder, seeds):
    """Double a coefficient of a linear model, or change some rows, and count what is found."""
    columns = [f"c{i:02}" for i in range(12)]
    slopes = np.random.default_rng(1).uniform(0.5, 2, 12)
    table = pd.DataFrame(np.random.default_rng(2).normal(size=(300, 12)), columns=columns)
    table.insert(0, "id", [f"p{i}" for i in range(300)])
    table.to_csv(folder / "d.csv", index=False)
    other = table.copy()
    other.loc[:19, "c05"] += 3.0
    other.to_csv(folder / "d2.csv", index=False)
    linear(folder, "m.pkl", slopes, columns)
    base = ("--id-column", "id", "--output-scale", "raw", "-q", "--background", "d.csv", "--force")
    for method in ("lime", "kernel-shap", "permutation", "occlusion"):
        found = wrong = 0
        for seed in range(seeds):
            column = seed % 12
            doubled = slopes * np.where(np.arange(12) == column, 2, 1)
            linear(folder, "m2.pkl", doubled, columns)
            for side, model in (("run0", "m.pkl"), ("run1", "m2.pkl")):
                words = ("tabular", model, "d.csv", "-m", method, "-o", side, "-s")
                inside(*words, seed if side == "run0" else 500 + seed, *base, cwd=folder)
            inside("diff", "run0", "run1", "-q", cwd=folder)
            lines = rows_of(folder / "xplain-diff" / "diff.csv")
            own = [line for line in lines if line["feature"] == columns[column]]
            found += sum(line["changed"] == "1" for line in own) / len(own)
            named = {
                line["feature"]
                for line in rows_of(folder / "xplain-diff" / "diff_features.csv")
                if line["changed"] == "1"
            }
            wrong += len(named - {columns[column]})
        print(
            f"{method:<12} doubled coefficient: found in {found / seeds:.2%} of the rows, other"
            f" features named {wrong} times in {seeds} pairs",
            flush=True,
        )
        for side, data in (("run0", "d.csv"), ("run1", "d2.csv")):
            inside("tabular", "m.pkl", data, "-m", method, "-o", side, *base, cwd=folder)
        inside("diff", "run0", "run1", "-q", cwd=folder)
        rows = rows_of(folder / "xplain-diff" / "diff_rows.csv")
        counts = pd.Series([line["verdict"] for line in rows]).value_counts().to_dict()
        print(f"{method:<12} 20 changed rows of 300: {counts}", flush=True)


def made_run(folder, name, rows, seed, step=2000):
    """Make a finished run of 30 columns without asking any model: its parts are drawn."""
    from xplain_cli.engine.records import _blank
    from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS, Records
    from xplain_cli.plan import Plan
    from xplain_cli.runs.folder import open_run
    from xplain_cli.runs.paths import RunPlace

    numbers = {
        "modality": "tabular",
        "model": name * 8,
        "data": "d",
        "background": "d",
        "outputs": ["y"],
        "target": "y",
        "output_scale": "raw",
        "baseline": "background",
        "method": {"name": "lime", "features": None},
        "samples": 1024,
        "repeats": 8,
        "seed": seed,
        "stability_k": 5,
    }
    plan = Plan(numbers, {"rows": [0, rows], "id_column": "id", "values": True}, {"top_k": 10})
    run = open_run(RunPlace(folder / name, "csv"), plan, explicit=True, force=True, chunk_rows=step)
    rng = np.random.default_rng(seed)
    columns = np.array([f"c{i:02}" for i in range(30)], dtype=object)
    centre = np.random.default_rng(99).normal(size=(rows, 30))
    for start in range(0, rows, step):
        own = centre[start : start + step] + rng.normal(size=(step, 30)) * 0.05
        order = np.argsort(-np.abs(own), axis=1)
        ids = np.array([f"p{i}" for i in range(start, start + step)], dtype=object)
        weights = pd.DataFrame({column: _blank(column, step * 30) for column in WEIGHT_COLUMNS})
        weights["row_id"], weights["target"] = np.repeat(ids, 30), "y"
        weights["feature"] = columns[order].ravel()
        weights["feature_index"] = order.ravel()
        weights["rank"] = np.tile(np.arange(1, 31), step)
        weights["feature_value"] = np.take_along_axis(
            centre[start : start + step], order, axis=1
        ).ravel()
        weights["weight"] = np.take_along_axis(own, order, axis=1).ravel()
        weights["std_error"] = 0.05
        said = pd.DataFrame({column: _blank(column, step) for column in STABILITY_COLUMNS})
        said["row_id"], said["target"], said["status"] = ids, "y", "ok"
        said["row"], said["n_repeats"] = np.arange(start, start + step), 8
        said["prediction"], said["precision"] = own.sum(axis=1), "stable"
        run.write_part(start, start + step, Records(weights, said, np.full(step, 30), {}))
    for path in run.files:
        path.write_bytes(b"")
    run.finish({}, {}, n_parts=rows // step)


def size(folder, rows):
    """Compare two made runs of many rows; say seconds and memory."""
    for seed, name in enumerate(("a", "b")):
        made_run(folder, name, rows, seed)
    began = time.perf_counter()
    spent, peak = xplain("diff", "a", "b", "-q", cwd=folder)
    print(
        f"diff of {rows:,} x 30: {spent:.1f} s of processor time, {time.perf_counter() - began:.1f}"
        f" s, peak {peak:.0f} MB"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", choices=("noise", "planted", "size"), required=True)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.what == "noise":
            noise(folder, asked.pairs)
        elif asked.what == "planted":
            planted(folder, asked.pairs)
        else:
            size(folder, asked.rows)


if __name__ == "__main__":
    main()
