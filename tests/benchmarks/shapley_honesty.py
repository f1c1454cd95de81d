"""Whether errors of Shapley values are true: stated over true error, coverage, bias, over seeds.

    OMP_NUM_THREADS=1 python tests/benchmarks/shapley_honesty.py [--seeds 60] [CASE ...]

13 or 14 features, so that all 2^n coalitions on all baselines are asked once, the exact values
follow from them, and every further run looks its answers up: the model costs nothing then.
Prints for each case and model the stated over the true error (root mean squares), how many of the
95 % intervals hold the exact value, and the mean error over its own standard error (about 1 where
there is no bias); of a precision target also how many rows took how many repeats.
"""

import argparse
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import logit
from sklearn.datasets import load_breast_cancer, load_wine, make_friedman1
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.methods.kernel_shap import KernelShap
from xplain_cli.methods.permutation import Permutation
from xplain_cli.quality.precision import PrecisionTarget
from xplain_cli.quality.stability import assess
from xplain_cli.samples import DEALT_BUDGET, DEALT_GOAL, SHAPLEY_BUDGET, default_most

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from games import Games, every_coalition, play

ROWS = 4


def scaled(model):
    return make_pipeline(StandardScaler(), model)


CLASSIFIERS = {
    "forest": RandomForestClassifier(30, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=40, random_state=0),
    "MLP": scaled(MLPClassifier((32, 16), max_iter=400, random_state=0)),
    "logistic": scaled(LogisticRegression()),
}
REGRESSORS = {
    "forest": RandomForestRegressor(30, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=40, random_state=0),
    "MLP": scaled(MLPRegressor(hidden_layer_sizes=(32, 16), max_iter=400, random_state=0)),
}


@dataclass(frozen=True)
class Case:
    """What is explained, and how."""

    data: str = "cancer"
    baselines: int = 20
    features: int = 14
    columns: int = 1  # of each feature
    answer: str = "probability"
    method: object = KernelShap()
    budget: tuple = DEALT_BUDGET
    adaptive: bool = False
    goal: float = DEALT_GOAL


CASES = {
    "fixed budget": Case(),
    "a few repeats": Case(budget=(1024, 4)),
    "one repeat": Case(budget=(4096, 1)),
    "adaptive": Case(adaptive=True),
    "adaptive, .02": Case(adaptive=True, goal=0.02),
    "rows=all": Case(method=KernelShap(rows="all"), budget=SHAPLEY_BUDGET, baselines=5),
    "groups of two": Case(columns=2),
    "A:vs:B": Case(data="wine", features=13, answer="margin"),
    "log-odds": Case(answer="log-odds"),
    "regression": Case(data="friedman"),
    "1 baseline": Case(baselines=1, budget=SHAPLEY_BUDGET),
    "2 baselines": Case(baselines=2),
    "7 baselines": Case(baselines=7),
    "300 baselines": Case(baselines=300, features=13),
    "permutation": Case(method=Permutation(), budget=SHAPLEY_BUDGET, baselines=5),
    "permutation, one repeat": Case(method=Permutation(), budget=(2048, 1), baselines=5),
}


@cache
def data_of(name):
    if name == "friedman":
        return make_friedman1(600, 14, random_state=0)
    return (load_wine if name == "wine" else load_breast_cancer)(return_X_y=True)


def explained(case, model, inputs):
    if case.data == "friedman":
        return model.predict(inputs)
    found = model.predict_proba(inputs)
    if case.answer == "margin":
        return found[:, 0] - found[:, 1]
    if case.answer == "log-odds":
        return logit(np.clip(found[:, 1], 1e-6, 1 - 1e-6))
    return found[:, 1]


def tabulate(case, model, rows, background):
    """Ask the model on every coalition of every row on every baseline."""
    owners = np.repeat(np.arange(case.features), case.columns)
    masks = every_coalition(case.features)[:, owners]
    values = np.empty((len(rows), len(masks), case.baselines))
    step = max(1, 400_000 // case.baselines)
    for i, row in enumerate(rows):
        for at in range(0, len(masks), step):
            part = masks[at : at + step]
            inputs = np.where(part[:, None], row, background[None]).reshape(-1, len(row))
            found = explained(case, model, inputs)
            values[i, at : at + step] = found.reshape(len(part), -1)
    return Games(values, background, owners)


def run(case, games, seed):
    """Return weights, their errors and bounds, and the repeats that each row took."""
    if not case.adaptive:
        found = play(case.method, games, case.budget, seed)
        sure = assess(found, 10, seed)
        taken = np.full(len(games), case.budget[1])
        return found.weights[:, 0], *bounds(sure), taken
    samples, repeats = case.budget
    goal = PrecisionTarget(case.goal, repeats, samples, default_most(samples, repeats))
    parts = [np.full((len(games), games.n), np.nan) for _ in range(4)]
    taken = np.zeros(len(games), dtype=int)
    for stage in goal.stages:
        found = play(case.method, games, (samples, stage), seed)
        sure = assess(found, 10, seed)
        ready = (taken == 0) & (
            goal.reached(sure.max_rel_se, stage).all(axis=1) | (stage == goal.stages[-1])
        )
        for part, new in zip(parts, (found.weights[:, 0], *bounds(sure)), strict=True):
            part[ready] = new[ready]
        taken[ready] = stage
        if taken.all():
            break
    return *parts, taken


def bounds(sure):
    return sure.std_error[:, 0], sure.ci_low[:, 0], sure.ci_high[:, 0]


def measure(case, name, model, seeds):
    X, y = data_of(case.data)
    X = X[:, : case.features * case.columns]
    source = np.random.default_rng(1)
    order = source.permutation(len(X))
    model.fit(X[order[ROWS:]], y[order[ROWS:]])
    background = X[source.choice(order[ROWS:], case.baselines, replace=case.baselines > len(X))]
    games = tabulate(case, model, X[order[:ROWS]], background)
    exact = games.exact
    gaps, stated, inside, taken = [], [], [], []
    for seed in range(seeds):
        weights, error, low, high, repeats = run(case, games, 500 + seed)
        gaps.append(weights - exact)
        stated.append(error)
        slack = 1e-12  # rounding, of a weight without error
        inside.append((low - slack <= exact) & (exact <= high + slack))
        taken.append(repeats)
    gaps, stated = np.array(gaps), np.array(stated)
    unit = np.abs(exact).max(axis=1)[:, None]
    ratio = np.sqrt(np.square(stated / unit).mean() / np.square(gaps / unit).mean())
    means = gaps.mean(axis=0)
    spread = gaps.std(axis=0, ddof=1) / np.sqrt(seeds)
    bias = np.sqrt(np.mean((means / np.where(spread > 0, spread, 1)) ** 2))
    told = ""
    if case.adaptive:
        found, count = np.unique(np.array(taken), return_counts=True)
        told = "  repeats " + ", ".join(f"{r}: {c}" for r, c in zip(found, count, strict=True))
    error = np.sqrt(np.square(gaps / unit).mean())
    return (
        f"{name:9} stated / true {ratio:.3f}  coverage {100 * np.mean(inside):5.1f} %"
        f"  bias {bias:.2f}  error {error:.4f} of the largest{told}"
    )


def main():
    warnings.filterwarnings("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=60)
    words.add_argument("--models", default="")
    words.add_argument("cases", nargs="*", default=list(CASES))
    typed = words.parse_args()
    for case in typed.cases:
        models = REGRESSORS if CASES[case].data == "friedman" else CLASSIFIERS
        for name, model in models.items():
            if typed.models in name:
                said = measure(CASES[case], name, model, typed.seeds)
                print(f"{case:24} {said}", flush=True)


if __name__ == "__main__":
    main()
