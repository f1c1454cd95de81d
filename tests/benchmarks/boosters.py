"""Tree SHAP of boosters against the package shap: values and seconds a row; needs shap.

    python tests/benchmarks/boosters.py

Breast cancer, 50 background rows, the raw margin. The peer is interventional TreeExplainer; ours is
also held against the model's own answers: base and weights add up to the margin.
"""

import pickle
import tempfile
import time
import warnings
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pandas as pd
import shap
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from xplain_cli.methods.tree_shap import shapley_of_leaves, sort_leaves
from xplain_cli.models import ModelRecipe, load_model

ROWS, K = 20, 50


def models(X, y):
    quiet = {"verbose": 0, "allow_writing_files": False, "iterations": 300}
    yield xgboost.XGBClassifier(n_estimators=300, n_jobs=1).fit(X, y)
    yield lightgbm.LGBMClassifier(n_estimators=300, n_jobs=1, verbose=-1).fit(X, y)
    yield catboost.CatBoostClassifier(**quiet).fit(X, y)
    yield catboost.CatBoostClassifier(grow_policy="Lossguide", **quiet).fit(X, y)


def main():
    warnings.filterwarnings("ignore")
    X, y = load_breast_cancer(return_X_y=True)
    fitted, held, labels, _ = train_test_split(X, y, random_state=0)
    background, rows = fitted[:K], held[:ROWS]
    for model in models(fitted, labels):
        name = type(model).__name__
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.pkl"
            path.write_bytes(pickle.dumps(model))
            loaded = load_model(ModelRecipe(str(path), raw=True))
        bound = loaded.bind(loaded.settle(pd.DataFrame(rows)))
        began = time.perf_counter()
        leaves = sort_leaves(bound.capabilities.leaves(), np.array([1]))
        opened = time.perf_counter() - began
        began = time.perf_counter()
        owners = np.arange(X.shape[1])
        found = [shapley_of_leaves(leaves, row, background, owners) for row in rows]
        ours = (time.perf_counter() - began) / ROWS
        phi = np.stack([one[0][:, 0] for one in found])
        total = phi.sum(axis=1) + np.array([one[1][0] for one in found])
        missed = np.abs(total - bound.predict(pd.DataFrame(rows))[:, 1]).max()
        print(f"{name:20} leaves {len(leaves.values)}, read in {opened:.2f} s, {ours:.4f} s a row")
        print(f"{'':20} base + weights - margin: {missed:.1e}")
        began = time.perf_counter()
        try:
            peer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
            theirs = peer.shap_values(rows, check_additivity=False)
        except Exception as error:  # noqa: BLE001 - what it cannot do is a finding
            print(f"{'':20} shap: {type(error).__name__}: {str(error).splitlines()[0][:90]}")
            continue
        seconds = (time.perf_counter() - began) / ROWS
        apart = np.abs(theirs - phi).max()
        print(f"{'':20} shap: {seconds:.4f} s a row, apart by at most {apart:.1e}")


if __name__ == "__main__":
    main()
