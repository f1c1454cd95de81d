"""Many rows through the pool: rows a second, peak memory of parent and workers."""

import argparse
import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
COLUMNS = 30
BLOCK = 50_000


def make_model(folder):
    from sklearn.ensemble import RandomForestClassifier

    stream = np.random.default_rng(1)
    X = stream.normal(size=(5000, COLUMNS))
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(COLUMNS)])
    truth = X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * X[:, 3] > 0
    model = RandomForestClassifier(50, max_depth=8, random_state=0).fit(table, truth)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))


def make_data(path, rows):
    stream = np.random.default_rng(2)
    with path.open("w") as file:
        for start in range(0, rows, BLOCK):
            X = stream.normal(size=(min(BLOCK, rows - start), COLUMNS)).round(4)
            table = pd.DataFrame(X, columns=[f"c{j}" for j in range(COLUMNS)])
            table.to_csv(file, index=False, header=start == 0)


def family(pid):
    """Return a process and all processes under it: rooms are children of a child."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            listed = Path(f"/proc/{one}/task/{one}/children").read_text().split()
            found.extend(map(int, listed))
    return found


def processor_seconds(pid):
    """Return the seconds of a processor that a process has taken so far."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1000
    return 0.0


def measure(folder, rows, options, jobs):
    """Run once; return what it took, of the clock, of processors and of memory."""
    data = folder / f"{rows}.csv"
    if not data.exists():
        make_data(data, rows)
    command = [sys.executable, "-m", "xplain_cli", "tabular", "model.pkl", data.name]
    spread = ["-j", str(jobs), "--backend", "loky" if jobs > 1 else "serial"]
    quiet = ["-q", "-o", "out", "--force"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    began, before = time.monotonic(), os.times()
    process = subprocess.Popen(
        [*command, *options, *spread, *quiet], cwd=folder, env=env, stdout=subprocess.DEVNULL
    )
    parent = worker = parent_took = 0.0
    while process.poll() is None:
        time.sleep(0.25)
        for pid in family(process.pid):
            with contextlib.suppress(OSError):
                found = megabytes(pid)
                parent = max(parent, found if pid == process.pid else 0.0)
                worker = max(worker, found if pid != process.pid else 0.0)
                if pid == process.pid:
                    parent_took = max(parent_took, processor_seconds(pid))
    seconds, after = time.monotonic() - began, os.times()
    took = after.children_user + after.children_system
    took -= before.children_user + before.children_system
    if process.returncode != 0:
        raise SystemExit(f"exit {process.returncode}")
    results = json.loads((folder / "out" / "run_results.json").read_text())
    size = sum(path.stat().st_size for path in (folder / "out").glob("*.*")) / 1e6
    shutil.rmtree(folder / "out")
    work = {name: round(some, 1) for name, some in results["work_seconds"].items()}
    print(
        f"{rows:>9,} rows {' '.join(options) or '(all weights, csv)'}: {seconds:.0f} s;"
        f" of processors {took:.1f} s, {rows / took:.0f} rows a second of one"
        f" (the parent {parent_took:.1f} s); peak MB parent {parent:.0f}, worker {worker:.0f};"
        f" output {size:.0f} MB; by the clock {results['seconds']}, of workers {work}",
        flush=True,
    )
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the data here")
    asked, options = parser.parse_known_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    if not (folder / "model.pkl").exists():
        make_model(folder)
    took = {rows: measure(folder, rows, options, asked.jobs) for rows in asked.rows}
    least, most = min(took), max(took)
    print(f"{most / least:g} times the rows: {took[most] / took[least]:.2f} times the time")
    if asked.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
