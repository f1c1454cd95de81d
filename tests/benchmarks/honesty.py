"""Are the errors honest? Coverage, stated over true error, predicted against real reruns.

Against the closed form on forests (the exact answer), over many seeds:
python tests/benchmarks/honesty.py [--seeds 100]
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np
from inside import explain, open_case
from lime_oracle import ROWS, SAMPLE, forest


def overlap(first, second):
    """Jaccard index of two sets."""
    return len(first & second) / len(first | second)


def judge(name, sampled, exact, seeds, k=5):
    """Print the calibration of one case."""
    truth = explain(exact, 0)[0].weights
    inside, stated, missed, jaccard, taken = [], [], [], [], []
    for seed in range(seeds):
        got, sure = explain(sampled, seed, k)
        inside.append((sure.ci_low <= truth) & (truth <= sure.ci_high))
        stated.append(sure.std_error**2)
        missed.append(got.weights - truth)
        jaccard.append(sure.topk_jaccard[:, 0])
        taken.append([set(np.argsort(-np.abs(w[0]))[:k]) for w in got.weights])
    pairs = list(itertools.combinations(range(seeds), 2))
    real = [
        np.mean([overlap(taken[a][i], taken[b][i]) for a, b in pairs]) for i in range(len(truth))
    ]
    gap = np.abs(np.mean(jaccard, axis=0) - real)
    error = np.array(missed)
    print(
        f"{name:<34} coverage {np.mean(inside):6.1%}  stated/true error"
        f" {np.sqrt(np.mean(stated) / error.var(axis=0, ddof=1).mean()):.2f}"
        f"  |bias|/sd {np.abs(error.mean(axis=0)).mean() / error.std(axis=0).mean():.2f}"
        f"  Jaccard@{k} predicted {np.mean(jaccard):.3f} real {np.mean(real):.3f}"
        f" (largest gap of a row {gap.max():.3f})",
        flush=True,
    )


def main():
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as folder:
        cancer = forest(Path(folder))
        diabetes = (SAMPLE / "diabetes.pkl", SAMPLE / "diabetes.csv")
        for name, files, settings in (
            ("cancer, forest, 8 x 1024", cancer, {}),
            ("cancer, forest, 8 x 256", cancer, {"samples": 256}),
            ("cancer, forest, 8 x 128", cancer, {"samples": 128}),
            ("cancer, forest, 4 x 1024", cancer, {"repeats": 4}),
            ("cancer, forest, 1 x 1024 (sandwich)", cancer, {"repeats": 1}),
            ("diabetes, boosting, 8 x 1024", diabetes, {}),
            ("diabetes, boosting, 8 x 128", diabetes, {"samples": 128}),
        ):
            exact = open_case(*files, ROWS, method="lime:exact=yes")
            judge(name, open_case(*files, ROWS, **settings), exact, seeds)


if __name__ == "__main__":
    main()
