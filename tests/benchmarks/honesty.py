"""Are the errors honest? Coverage, stated over true error, predicted against real reruns.

Against the closed form on forests (the exact answer), and of masks on models that count how many
of six words, superpixels or columns are there, over many seeds:
python tests/benchmarks/honesty.py [--seeds 100] [--what forests masks columns]
"""

import argparse
import itertools
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from inside import explain, open_case
from lime_oracle import ROWS, SAMPLE, forest

from xplain_cli.methods import METHODS
from xplain_cli.methods.designs import kernel_weights
from xplain_cli.quality.stability import assess
from xplain_cli.specs import build

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import mask_laws
import oracles

KINDS = 6
ANSWERS = {
    "any of six": lambda i, _: float(i > 0),
    "any of six, .01 or .99": lambda i, _: 0.01 + 0.98 * (i > 0),
    "any of six, .1 or .9": lambda i, _: 0.1 + 0.8 * (i > 0),
    "all of six": lambda i, _: float(i == KINDS),
    "three of six": lambda i, _: float(i >= 3),
    "smooth": lambda i, j: 1 / (1 + np.exp(2 - i - 0.05 * j)),
    "tiny": lambda i, j: 1e-12 * np.exp(4 * i + 0.1 * j),
}


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


def judge_masks(name, law, n, seeds, text="lime", **budget):
    """Print the calibration of LIME on masks, where the model counts features of two kinds."""
    answers = [[ANSWERS[name](i, j) for j in range(n - KINDS + 1)] for i in range(KINDS + 1)]
    values = np.array(answers, dtype=float)

    def model(_, masks):
        return values[masks[:, :KINDS].sum(axis=1), masks[:, KINDS:].sum(axis=1)][:, None]

    kernel = kernel_weights("cosine", 0.25, n)
    truth = oracles.two_kinds_limit(law, kernel, n, KINDS, lambda i, j: values[i, j])
    method, missed, stated, inside = build(text, METHODS["masks"]), [], [], []
    for seed in range(seeds):
        bounded = name != "tiny"
        got = mask_laws.explain(method, law, n, model, seed=seed, bounded=bounded, **budget)
        sure = assess(got, 5, 0)
        missed.append(got.weights[0, 0] - truth)
        stated.append(sure.std_error[0, 0])
        inside.append((sure.ci_low[0, 0] <= truth) & (truth <= sure.ci_high[0, 0]))
    error, size = np.array(missed), np.sqrt(np.mean(np.square(missed)))
    bias = np.abs(error.mean(axis=0)).mean() / error.std(axis=0).mean()
    print(
        f"{name:<22} {law:<12} {n:>2} {' '.join(f'{k}={v}' for k, v in budget.items()):<24}"
        f" coverage {np.mean(inside):6.1%}"
        f"  stated/true error {np.sqrt(np.mean(np.square(stated))) / size:.2f}"
        f"  |bias|/sd {bias:.2f}  error/largest {size / np.abs(truth).max():.4f}",
        flush=True,
    )


def masks(seeds):
    """Judge texts and pictures."""
    for name in ANSWERS:
        for n in (13, 15, 20, 30, 50) if name == "any of six" else (20, 30):
            judge_masks(name, "uniform-size", n, seeds)
    for budget in ({"samples": 128}, {"samples": 128, "repeats": 8}, {"repeats": 1}):
        judge_masks("any of six", "uniform-size", 20, seeds, **budget)
    for budget in ({"repeats": 2}, {"repeats": 1}):
        judge_masks("any of six", "bernoulli", 20, seeds, **budget)


class AnyAbove:
    """A 0/1 regression: whether one of the first six columns is above its limit."""

    n_features_in_ = 12

    def predict(self, X):
        return (np.asarray(X)[:, :KINDS] > 1).any(axis=1).astype(float)


def columns(seeds):
    """Judge tables whose answer is a forest that has learnt "any of six columns is above"."""
    from sklearn.ensemble import RandomForestClassifier

    source = np.random.default_rng(0)
    table = pd.DataFrame(source.normal(size=(2000, 12)), columns=[f"c{i}" for i in range(12)])
    grown = RandomForestClassifier(20, random_state=0).fit(table, AnyAbove().predict(table))
    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder, "model.pkl"), Path(folder, "data.csv")
        model.write_bytes(pickle.dumps(grown))
        table.to_csv(data, index=False)
        exact = open_case(model, data, ROWS, method="lime:exact=yes")
        for settings in ({}, {"samples": 128}, {"samples": 128, "repeats": 4}, {"repeats": 1}):
            name = f"any of six columns {settings}"
            judge(name, open_case(model, data, ROWS, **settings), exact, seeds)


def forests(seeds):
    """Judge forests and boosting."""
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


JUDGED = {"forests": forests, "masks": masks, "columns": columns}


def main():
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--what", nargs="+", choices=JUDGED, default=list(JUDGED))
    asked = parser.parse_args()
    for name in asked.what:
        JUDGED[name](asked.seeds)


if __name__ == "__main__":
    main()
