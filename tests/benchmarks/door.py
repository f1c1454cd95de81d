"""What judging a pickle costs: scan and strict load of a 60 MB forest over the plain load.

python tests/benchmarks/door.py [--runs 9]
"""

import argparse
import pickle
import statistics
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from xplain_cli.models.allowlist import judge
from xplain_cli.models.dry_run import dry_run
from xplain_cli.models.pickled import _strict_load
from xplain_cli.models.stored import read_stored


def judged(path):
    """Load as the tool does."""
    stored = read_stored(str(path))
    judge(str(path), dry_run(stored.data))
    return _strict_load(stored.data, ())


def plain(path):
    """Load as everybody does."""
    return joblib.load(path) if path.suffix == ".joblib" else pickle.loads(path.read_bytes())


def main():
    """Time both in turns."""
    from sklearn.ensemble import RandomForestClassifier

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    stream = np.random.default_rng(0)
    X = stream.normal(size=(9500, 20))
    y = X[:, 0] + stream.normal(size=9500) > 0
    forest = RandomForestClassifier(300, n_jobs=2, random_state=0).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (("forest.joblib", joblib.dump), ("forest.pkl", None)):
            path = Path(folder) / name
            if store is None:
                path.write_bytes(pickle.dumps(forest))
            else:
                store(forest, path)
            times = {plain: [], judged: []}
            for _ in range(runs):
                for load, spent in times.items():
                    began = time.perf_counter()
                    load(path)
                    spent.append(time.perf_counter() - began)
            bare, ours = (statistics.median(times[load]) * 1e3 for load in (plain, judged))
            size = path.stat().st_size / 1e6
            print(f"{name}: {size:.0f} MB, {bare:.0f} ms, judged {ours:.0f} ms: {ours / bare:.2f}")


if __name__ == "__main__":
    main()
