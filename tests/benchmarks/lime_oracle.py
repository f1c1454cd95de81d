"""Same estimand as lime, at less variance; and the pool against the closed form.

python tests/benchmarks/lime_oracle.py [--runs 30] [--seeds 30]
"""

import argparse
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from inside import explain, open_case
from peers import LimePeer, mend_zero_width_bins

SAMPLE = Path(__file__).parents[2] / "sample_data"
ROWS = (0, 20, 40, 60, 80, 100)


def forest(folder):
    """Breast cancer and a forest of 100 trees, as in sampling experiments everywhere."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = folder / "forest.pkl"
    model.write_bytes(pickle.dumps(RandomForestClassifier(100, random_state=0).fit(X, y)))
    data = folder / "cancer.csv"
    X.to_csv(data, index=False)
    return model, data


def complete(folder, name, model):
    """The rows of a sample table without missing values: lime cannot take any."""
    data = folder / name
    pd.read_csv(SAMPLE / name).dropna().to_csv(data, index=False)
    return SAMPLE / model, data


def cases(folder):
    """Yield (name, opened case) of the four tables."""
    yield "breast cancer, forest", open_case(*forest(folder), ROWS)
    yield (
        "wine, MLP",
        open_case(SAMPLE / "wine.joblib", SAMPLE / "wine.csv", ROWS, target="class_1"),
    )
    yield "diabetes, boosting", open_case(SAMPLE / "diabetes.pkl", SAMPLE / "diabetes.csv", ROWS)
    yield "loans, mixed", open_case(*complete(folder, "loans.csv", "loans.pkl"), ROWS)


def compare(name, case, runs, seeds):
    """Print how ours stands to lime on one table."""
    peer = LimePeer(case, case.opened.modality.background)
    positive = case.opened.signature.positive
    label = case.chosen.target.pairs[0][0] if positive is None else positive
    if case.opened.signature.task == "regression":
        label = 1
    theirs = np.array([[peer.weights(i, label) for i in range(len(ROWS))] for _ in range(runs)])
    found = [explain(case, seed) for seed in range(seeds)]
    again = np.array([got.weights[:, 0] for got, _ in found])
    own = np.array([sure.std_error[:, 0] for _, sure in found])
    z = (theirs.mean(axis=0) - again) / np.sqrt(theirs.var(axis=0, ddof=1) / runs + own**2)
    near = np.mean(np.abs(z) <= 3, axis=(1, 2))
    per_row = theirs.var(axis=0, ddof=1).sum(axis=1) / again.var(axis=0, ddof=1).sum(axis=1)
    ratio = theirs.var(axis=0, ddof=1).sum() / again.var(axis=0, ddof=1).sum()
    print(
        f"{name:<24} within 3 se: mean over seeds {near.mean():6.1%}, seed 0 {near[0]:6.1%},"
        f" share of seeds at 95 % {np.mean(near >= 0.95):4.0%}"
        f"  variance lime/ours {ratio:5.1f} (rows {per_row.min():.1f}-{per_row.max():.1f})",
        flush=True,
    )


def main():
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=30)
    given = parser.parse_args()
    mend_zero_width_bins()
    with tempfile.TemporaryDirectory() as folder:
        for name, case in cases(Path(folder)):
            compare(name, case, given.runs, given.seeds)


if __name__ == "__main__":
    main()
