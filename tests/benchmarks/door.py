"""What judging a pickle costs: scan and strict load of a 60 MB forest over the plain load.

python tests/benchmarks/door.py [--runs 9]

Both begin with the path. The plain load opens the file and hands it to pickle.load or joblib.load;
ours reads, hashes, follows and loads the bytes, as ``xplain`` does. The two take turns, each load
in a process of its own after the imports, as a command meets the file; then again within one
process, where the memory of the load before serves the next.
"""

import argparse
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from xplain_cli.models.pickles.allowlist import judge
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.strict_unpickler import strict_load
from xplain_cli.models.stored import read_stored


def judged(path):
    """Load as the tool does, the hash included."""
    stored = read_stored(str(path))
    judge(str(path), dry_run(stored.data))
    return strict_load(stored.data, ()), stored.sha256


def plain(path):
    """Load as everybody does."""
    if path.suffix == ".joblib":
        return joblib.load(path)
    with path.open("rb") as file:
        return pickle.load(file)


def timed(load, path):
    """Return the seconds of one load; what it made is dropped before the next begins."""
    began = time.perf_counter()
    made = load(path)
    spent = time.perf_counter() - began
    del made
    return spent


def alone(load, path):
    """Return the seconds of one load in a process of its own."""
    command = [sys.executable, __file__, "--one", load.__name__, path]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def stored(folder):
    """Store a forest as joblib and as pickle do."""
    from sklearn.ensemble import RandomForestClassifier

    stream = np.random.default_rng(0)
    X = stream.normal(size=(9500, 20))
    y = X[:, 0] + stream.normal(size=9500) > 0
    forest = RandomForestClassifier(300, n_jobs=2, random_state=0).fit(X, y)
    paths = Path(folder) / "forest.joblib", Path(folder) / "forest.pkl"
    joblib.dump(forest, paths[0])
    paths[1].write_bytes(pickle.dumps(forest))
    return paths


def one(name, path):
    """Time one load after the imports that every load of a forest needs."""
    from sklearn.ensemble import RandomForestClassifier

    strict_load(pickle.dumps(RandomForestClassifier(1).fit([[0.0], [1.0]], [0, 1])), ())
    print(timed({"plain": plain, "judged": judged}[name], Path(path)))


def main():
    """Time both in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(*options.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        for path in stored(folder):
            for way, name in ((alone, "alone"), (timed, "again")):
                times = {plain: [], judged: []}
                for _ in range(options.runs):
                    for load, spent in times.items():
                        spent.append(way(load, path) * 1e3)
                bare, ours = (statistics.median(times[load]) for load in (plain, judged))
                size = path.stat().st_size / 1e6
                print(
                    f"{path.name}: {size:.0f} MB, {name}: {bare:.0f} ms, judged {ours:.0f} ms:"
                    f" {ours / bare:.2f}"
                )


if __name__ == "__main__":
    main()
