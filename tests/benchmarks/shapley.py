"""Kernel SHAP against the packages shap and shapiq, at equal calls; needs both.

    python tests/benchmarks/shapley.py

Breast cancer, a forest of 100 trees, 50 background rows, 2048 coalitions (102,400 model inputs) a
row; the truth is interventional Tree SHAP. Prints mean squared errors, and seconds a row in one
process, models included.
"""

import time
import warnings

import numpy as np
import pandas as pd
import shap
import shapiq
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from xplain_cli.baselines.fixed import Fixed
from xplain_cli.baselines.tables import measure_distance
from xplain_cli.engine.model_calls import ModelCalls, run_together
from xplain_cli.methods import Task
from xplain_cli.methods.kernel_shap import KernelShap
from xplain_cli.methods.permutation import Permutation
from xplain_cli.methods.tree_shap import shapley_of_leaves, sort_leaves
from xplain_cli.modalities.tabular.masks import TableMasker
from xplain_cli.models import Capabilities
from xplain_cli.models.contract import Signature
from xplain_cli.models.estimators.trees import leaf_boxes
from xplain_cli.scales import Scale
from xplain_cli.targets import Target

ROWS, COALITIONS, K = 8, 2048, 50


class Forest:
    """The forest as xplain asks it."""

    capabilities = Capabilities()

    def __init__(self, model):
        self.model = model

    def predict(self, batch):
        return self.model.predict_proba(batch.to_numpy())[:, 1:]


def ours(method, model, rows, background, seed):
    names = tuple(f"f{i}" for i in range(rows.shape[1]))
    frames = [pd.DataFrame(part, columns=list(names)) for part in (rows, background)]
    perturbation = TableMasker(
        names,
        tuple((name,) for name in names),
        names,
        ("number",) * len(names),
        Fixed(frames[1], "background"),
        measure_distance(frames[1], frozenset()),
        ("yes",),
    )
    pairs = np.tile([[0, -1]], (len(rows), 1, 1))
    asked = ModelCalls(model, Target("yes", "fixed", ((0, -1),)), Scale("raw"), np.array([0]), 8192)
    block, _ = perturbation.split(frames[0]).with_baselines(
        pairs, np.zeros((len(rows), 1)), model.predict
    )
    task = Task(
        perturbation,
        block,
        pairs,
        model.predict(frames[0]),
        margin=False,
        seed=seed,
        samples=COALITIONS // 4,
        repeats=4,
    )
    return run_together(asked, [(block, method.explain(task))])[0].weights[:, 0]


def by_leaves(forest, rows, background):
    signature = Signature(
        "predict_proba", "classification", "probability", ("a", "b"), 1, False, ""
    )  # noqa: FBT003 - margin
    leaves = sort_leaves(leaf_boxes(forest, signature), np.array([1]))
    owners = np.arange(rows.shape[1])
    return np.stack([shapley_of_leaves(leaves, row, background, owners)[0][:, 0] for row in rows])


def main():
    warnings.filterwarnings("ignore")
    X, y = load_breast_cancer(return_X_y=True)
    fitted, held, labels, _ = train_test_split(X, y, random_state=0)
    forest = RandomForestClassifier(100, random_state=0).fit(fitted, labels)
    background = fitted[np.random.default_rng(0).choice(len(fitted), K, replace=False)]
    rows = held[:ROWS]
    exact = shap.TreeExplainer(forest, background, feature_perturbation="interventional")
    truth = exact.shap_values(rows)[..., 1]
    model = Forest(forest)

    def game(row):
        def value(masks):
            inputs = np.where(np.asarray(masks, bool)[:, None], row, background[None])
            answers = forest.predict_proba(inputs.reshape(-1, X.shape[1]))[:, 1]
            return answers.reshape(len(masks), K).mean(axis=1)

        return value

    def by_shap(seed, **options):
        np.random.seed(seed)  # noqa: NPY002 - what shap draws from
        peer = shap.KernelExplainer(lambda z: forest.predict_proba(z)[:, 1], background)
        return np.stack([
            peer.shap_values(row, nsamples=COALITIONS, silent=True, **options) for row in rows
        ])

    def by_shapiq(kind, seed, **options):
        n = X.shape[1]
        peer = getattr(shapiq, kind)
        found = [
            peer(n, random_state=seed, **options).approximate(COALITIONS, game(row)) for row in rows
        ]
        return np.array([[one[(j,)] for j in range(n)] for one in found])

    peers = {
        "shap": by_shap,
        "shap, l1_reg=False": lambda seed: by_shap(seed, l1_reg=False),
        "shapiq KernelSHAP": lambda seed: by_shapiq("KernelSHAP", seed),
        "shapiq KernelSHAP, paired": lambda s: by_shapiq("KernelSHAP", s, pairing_trick=True),
        "shapiq UnbiasedKernelSHAP": lambda seed: by_shapiq("UnbiasedKernelSHAP", seed),
        "shapiq SVARM": lambda seed: by_shapiq("SVARM", seed),
        "xplain kernel-shap": lambda seed: ours(KernelShap(), model, rows, background, seed),
        "xplain tree-shap": lambda _: by_leaves(forest, rows, background),
        "xplain permutation": lambda seed: ours(Permutation(), model, rows, background, seed),
    }
    for name, explain in peers.items():
        errors, seconds = [], []
        for seed in range(3):
            began = time.perf_counter()
            weights = explain(seed)
            seconds.append((time.perf_counter() - began) / ROWS)
            errors.append(np.mean((weights - truth) ** 2))
        print(f"{name:28} mse {np.mean(errors):.2e}  {np.median(seconds):.2f} s a row")


if __name__ == "__main__":
    main()
