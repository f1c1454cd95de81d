"""Process time to an error: Kernel SHAP against the package shap; needs it.

    OMP_NUM_THREADS=1 python tests/benchmarks/shapley_time.py

Breast cancer, 30 columns, 50 background rows; a forest, an MLP, a logistic regression and boosting,
explained as probabilities. The truth is Tree SHAP's closed form for the forest, for the others long
walks in antithetic pairs over all background rows.
Prints for shap (2048 coalitions; at its defaults, and with its selection of features off) seconds a
row and error, the root mean squared error over the largest |weight|; then the seconds that xplain
takes to the same errors, read off between budgets; and both at equal calls. --honesty prints
stated over true error and the coverage of 95 % intervals over seeds instead; it needs no shap.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.baselines.fixed import Fixed
from xplain_cli.baselines.tables import measure_distance
from xplain_cli.engine.model_calls import ModelCalls, run_together
from xplain_cli.methods import Task
from xplain_cli.methods.kernel_shap import KernelShap
from xplain_cli.methods.tree_shap import shapley_of_leaves, sort_leaves
from xplain_cli.modalities.tabular.masks import TableMasker
from xplain_cli.models import Capabilities
from xplain_cli.models.contract import Signature
from xplain_cli.models.estimators.trees import leaf_boxes
from xplain_cli.quality.stability import assess
from xplain_cli.scales import Scale
from xplain_cli.targets import Target

K, ROWS, SEEDS, COALITIONS, WALKS = 50, 4, 3, 2048, 300
REPEATS, TIMES = (2, 4, 8, 16, 32, 64, 128), 8
MODELS = {
    "forest": RandomForestClassifier(100, random_state=0),
    "MLP": make_pipeline(StandardScaler(), MLPClassifier((64, 32), max_iter=500, random_state=0)),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "boosting": GradientBoostingClassifier(random_state=0),
}


class Asked:
    """A classifier as xplain asks it."""

    capabilities = Capabilities(row_by_row=True)

    def __init__(self, model):
        self.model = model

    def predict(self, batch):
        return self.model.predict_proba(batch.to_numpy())[:, 1:]


def task_of(model, rows, background, seed, samples, repeats):
    names = tuple(f"f{i}" for i in range(rows.shape[1]))
    frames = [pd.DataFrame(part, columns=list(names)) for part in (rows, background)]
    masker = TableMasker(
        names,
        tuple((name,) for name in names),
        names,
        ("number",) * len(names),
        Fixed(frames[1], "background"),
        measure_distance(frames[1], frozenset()),
        ("yes",),
    )
    pairs = np.tile([[0, -1]], (len(rows), 1, 1))
    own = model.predict(frames[0])
    block, _ = masker.split(frames[0]).with_baselines(
        pairs, np.zeros((len(rows), 1)), model.predict
    )
    return Task(masker, block, pairs, own, False, seed, samples, repeats)  # noqa: FBT003 - margin


def ours(model, rows, background, *, seed=0, samples=256, repeats=16, dealt="one"):
    asked = ModelCalls(model, Target("yes", "fixed", ((0, -1),)), Scale("raw"), np.array([0]), 512)
    task = task_of(model, rows, background, seed, samples, repeats)
    method = KernelShap(rows=dealt)
    return run_together(asked, [(task.block, method.explain(task))])[0]


def truth(model, row, background, source):
    """Walk from background to row and back in as many orders as WALKS, on all rows together."""
    n = len(row)
    total = np.zeros(n)
    for _ in range(WALKS):
        order = source.permutation(n)
        steps = np.arange(n + 1)[:, None] > order.argsort()[None]
        for masks in (steps, ~steps[::-1]):
            inputs = np.where(masks[:, None], row, background[None]).reshape(-1, n)
            values = model.model.predict_proba(inputs)[:, 1].reshape(n + 1, K).mean(axis=1)
            entered = (masks[1:] & ~masks[:-1]).argmax(axis=1)
            total[entered] += np.diff(values)
    return total / (2 * WALKS)


def by_leaves(forest, rows, background):
    """Return the exact Shapley values of a forest's probability."""
    outputs = ("a", "b")
    signature = Signature("predict_proba", "classification", "probability", outputs, 1, False, "")  # noqa: FBT003 - margin
    leaves = sort_leaves(leaf_boxes(forest, signature), np.array([1]))
    owners = np.arange(rows.shape[1])
    return np.stack([shapley_of_leaves(leaves, row, background, owners)[0][:, 0] for row in rows])


def timed(explain, wanted):
    """Return process seconds a row and the error, over seeds; what a job does once is left out."""
    errors, seconds = [], []
    for seed in range(SEEDS):
        explain(seed)
        began = time.process_time()
        weights = explain(seed)
        seconds.append((time.process_time() - began) / len(wanted))
        errors.append(np.square(weights - wanted).mean(axis=1))
    scale = np.abs(wanted).max(axis=1)
    return np.median(seconds), float(np.sqrt((np.mean(errors, axis=0) / scale**2).mean()))


def at_error(error, curve):
    """Return the seconds to an error, between measured budgets, or beyond by its square."""
    seconds, errors = np.log([point[0] for point in curve]), np.log([point[1] for point in curve])
    if np.log(error) < errors[-1]:
        return float(np.exp(seconds[-1] + 2 * (errors[-1] - np.log(error))))
    return float(np.exp(np.interp(np.log(error), errors[::-1], seconds[::-1])))


def speed(name, model, rows, background, wanted):
    import shap

    def by_shap(seed, **options):
        np.random.seed(seed)  # noqa: NPY002 - what shap draws from
        peer = shap.KernelExplainer(lambda z: model.model.predict_proba(z)[:, 1], background)
        return np.stack([
            peer.shap_values(row, nsamples=COALITIONS, silent=True, **options) for row in rows
        ])

    many = np.tile(rows, (TIMES, 1))  # a job has many rows

    def by_us(repeats):
        return lambda seed: ours(model, many, background, seed=seed, repeats=repeats).weights[:, 0]

    curve = [timed(by_us(repeats), np.tile(wanted, (TIMES, 1))) for repeats in REPEATS]
    print(name, *(f"{s * 1e3:.1f} ms {e:.4f}" for s, e in curve), sep="  ", flush=True)
    for label, options in (("defaults", {}), ("l1_reg=False", {"l1_reg": False})):
        seconds, error = timed(lambda seed, o=options: by_shap(seed, **o), wanted)
        own = at_error(error, curve)
        print(
            f"{name:9} shap, {label:12} {seconds * 1e3:7.1f} ms a row, error {error:.4f}; xplain"
            f" {own * 1e3:6.1f} ms: {seconds / own:.1f} times less",
            flush=True,
        )
    equal = timed(
        lambda seed: ours(
            model, rows, background, seed=seed, samples=512, repeats=4, dealt="all"
        ).weights[:, 0],
        wanted,
    )
    print(
        f"{name:9} equal calls: xplain {equal[0] * 1e3:.1f} ms, error {equal[1]:.4f};"
        f" shap {seconds * 1e3:.1f} ms, error {error:.4f}",
        flush=True,
    )


def honesty(name, model, rows, background, wanted, seeds):
    gaps, stated, inside = [], [], []
    for seed in range(seeds):
        found = ours(model, rows, background, seed=1000 + seed)
        sure = assess(found, 10, seed)
        gaps.append(found.weights[:, 0] - wanted)
        stated.append(sure.std_error[:, 0])
        inside.append((sure.ci_low[:, 0] <= wanted) & (wanted <= sure.ci_high[:, 0]))
    ratio = np.sqrt(np.square(stated).mean()) / np.sqrt(np.square(gaps).mean())
    print(
        f"{name:9} stated over true error {ratio:.3f}, coverage {100 * np.mean(inside):.1f} %,"
        f" bias over its error {np.mean(gaps) / np.std(gaps) * np.sqrt(np.size(gaps)):.2f}",
        flush=True,
    )


def main():
    warnings.filterwarnings("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--honesty", type=int, default=0, metavar="SEEDS")
    words.add_argument("models", nargs="*", default=list(MODELS))
    typed = words.parse_args()
    X, y = load_breast_cancer(return_X_y=True)
    fitted, held, labels, _ = train_test_split(X, y, random_state=0)
    background = fitted[np.random.default_rng(0).choice(len(fitted), K, replace=False)]
    rows = held[:ROWS]
    for name in typed.models:
        model = Asked(MODELS[name].fit(fitted, labels))
        source = np.random.default_rng(7)
        if name == "forest":
            wanted = by_leaves(model.model, rows, background)
        else:
            wanted = np.stack([truth(model, row, background, source) for row in rows])
        if typed.honesty:
            honesty(name, model, rows, background, wanted, typed.honesty)
        else:
            speed(name, model, rows, background, wanted)


if __name__ == "__main__":
    main()
