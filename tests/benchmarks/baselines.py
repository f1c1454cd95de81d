"""How near, how realistic and how telling the baselines of a class are, on wine and digits.

    python tests/benchmarks/baselines.py

Prints for each baseline: how often the model puts it in the class, how many features it changes,
its scaled L1 to the row, and the share of inliers by the local outlier factor. Then, on pictures
of which one half is shared by two classes, the share of |weight| on the other half.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPClassifier

from xplain_cli.baselines import open_baseline
from xplain_cli.baselines.assignment import foils
from xplain_cli.baselines.tables import TableReference
from xplain_cli.engine.baseline_rows import widened
from xplain_cli.engine.model_calls import ModelCalls, run_together
from xplain_cli.methods import Task
from xplain_cli.methods.kernel_shap import KernelShap
from xplain_cli.modalities.tabular.masks import TableMasker
from xplain_cli.models import Capabilities
from xplain_cli.scales import Scale
from xplain_cli.targets import Target


class Model:
    """A classifier as xplain asks it."""

    capabilities = Capabilities()

    def __init__(self, model):
        self.model = model

    def predict(self, batch):
        return np.ascontiguousarray(self.model.predict_proba(batch.to_numpy()))


def reference(model, rows, members, classes):
    return TableReference(
        rows=rows,
        names=tuple(map(str, range(len(rows)))),
        predicted=model.predict(rows).argmax(axis=1),
        labelled=np.full(len(rows), -1),
        outputs=tuple(map(str, range(classes))),
        discrete=frozenset(),
        members=members,
        seed=0,
        files=None,  # no baseline here names one
    )


def law_of(text, ref):
    return TableMasker(
        tuple(map(str, range(len(ref.members)))),
        ref.members,
        tuple(ref.rows.columns),
        ("number",) * len(ref.rows.columns),
        open_baseline("tabular", text).fit(ref),
        ref.distance,
        ref.outputs,
    )


def quality(name, X, y):
    columns = [f"f{i}" for i in range(X.shape[1])]
    fitted, held, labels, _ = train_test_split(X, y, random_state=0)
    fitted, held = pd.DataFrame(fitted, columns=columns), pd.DataFrame(held, columns=columns)
    model = Model(RandomForestClassifier(200, random_state=0).fit(fitted.to_numpy(), labels))
    ref = reference(model, fitted, tuple((c,) for c in columns), len(np.unique(y)))
    held = held.head(60)
    outputs = model.predict(held)
    pairs = np.tile([[0, -1]], (len(held), 1, 1))
    pairs[:, 0, 0] = outputs.argmax(axis=1)
    wanted = foils(pairs, outputs)
    scaled = fitted.to_numpy() / ref.distance.spreads
    outliers = LocalOutlierFactor(novelty=True).fit(scaled)
    for text in ("mean", "zero", "medoid", "nearest", "revert"):
        perturbation = law_of(text, ref)
        split, asked = perturbation.split(held).with_baselines(pairs, outputs, model.predict)
        base, facts = split.ground.table, split.ground.row_columns
        reached = (model.predict(base).argmax(axis=1) == wanted).mean()
        inliers = (outliers.predict(base.to_numpy() / ref.distance.spreads) == 1).mean()
        print(
            f"{name:7} {text:8} class {reached:.2f}  changed {facts['n_changed'].mean():5.1f}"
            f"  L1 {facts['baseline_distance'].mean():5.1f}  inliers {inliers:.2f}"
            f"  model inputs {asked.mean():.0f}"
        )


def pictures(count, stream):
    """Return 12 x 12 pictures of a body (disc or ring) and a mark (bar), and their 4 classes."""
    X, y = np.full((count, 12, 12), -0.8), stream.integers(0, 4, count)
    rows, columns = np.mgrid[:12, :12]
    for picture, kind in zip(X, y, strict=True):
        at, size = stream.integers([3, 3], [9, 4]), 2.6
        far = np.hypot(rows - at[0], columns - at[1])
        body = far < size if kind < 2 else (far < size) & (far > 1.4)
        picture[body] = stream.uniform(0.2, 1.0)
        light = stream.uniform(0.2, 1.0)
        if kind % 2:
            picture[9, 7:12] = light
        else:
            picture[7:12, 9] = light
    X += 0.1 * stream.normal(size=X.shape)
    return X.reshape(count, -1), y


def shared():
    """Explain why a picture is not the one with the other mark, by 16 squares of 9 pixels."""
    X, y = pictures(800, np.random.default_rng(0))
    columns = [f"p{i:03}" for i in range(144)]
    network = MLPClassifier((64, 64), max_iter=150, random_state=0).fit(X[:600], y[:600])
    model = Model(network)
    cell = (np.arange(12)[:, None] // 3 * 4 + np.arange(12)[None] // 3).ravel()
    members = tuple(tuple(np.array(columns)[cell == j]) for j in range(16))
    ref = reference(model, pd.DataFrame(X[:600], columns=columns), members, 4)
    held = pd.DataFrame(X[600:], columns=columns)
    outputs = model.predict(held)
    own = outputs.argmax(axis=1)
    pairs = np.stack([own, own ^ 1], axis=1)[:, None]
    inside = [j for j in range(16) if j // 4 >= 2 and j % 4 >= 2]
    print(f"pictures: accuracy {(own == y[600:]).mean():.2f}")
    for text in ("zero", "mean", "nearest", "revert"):
        for target in (pairs, np.where([False, True], -1, pairs)):
            perturbation = law_of(text, ref)
            block, _ = perturbation.split(held).with_baselines(pairs, outputs, model.predict)
            shares = []
            for n in np.unique(block.counts).tolist():
                rows = np.flatnonzero(block.counts == n)
                if n:
                    shares.append(
                        explain(model, perturbation, block.take(rows), outputs[rows], target[rows])
                    )
            weights = np.abs(np.concatenate(shares))
            weights = weights[weights.sum(axis=1) > 0]
            share = (weights[:, inside].sum(axis=1) / weights.sum(axis=1)).mean()
            kind = "a class" if target[0, 0, 1] < 0 else "one against another"
            print(f"shared body, {kind:20} {text:8} share of |weight| on the mark {share:.2f}")


def explain(model, perturbation, block, outputs, pairs):
    spec = Target("all", "runner-up")
    asked = ModelCalls(model, spec, Scale("raw"), np.arange(4), 8192)
    at = np.arange(len(outputs))
    own = outputs[at, pairs[:, 0, 0]]
    minus = np.where(pairs[:, 0, 1] >= 0, outputs[at, pairs[:, 0, 1]], 0)
    task = Task(
        perturbation,
        block,
        pairs,
        (own - minus)[:, None],
        margin=False,
        seed=0,
        samples=256,
        repeats=4,
    )
    return widened(run_together(asked, [(block, KernelShap().explain(task))])[0], block).weights[
        :, 0
    ]


if __name__ == "__main__":
    quality("wine", *load_wine(return_X_y=True))
    quality("digits", *load_digits(return_X_y=True))
    shared()
