"""A background, a model of it, and the baselines that are taken from it."""

import numpy as np
import pandas as pd

from xplain_cli.baselines import open_baseline
from xplain_cli.baselines.tables import TableReference


def table(rng, rows=40):
    return pd.DataFrame({
        "a": rng.normal(size=rows),
        "b": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(5, 2, rows)),
        "c": rng.choice(["red", "green", "blue"], rows).astype(object),
    })


def answers(rows):
    """A model of two classes, by one number and one category."""
    score = rows["a"].to_numpy(dtype=float) + (rows["c"] == "red").to_numpy() - 0.5
    p = 1 / (1 + np.exp(-3 * score))
    return np.column_stack([1 - p, p])


def reference(rows):
    return TableReference(
        rows=rows,
        names=tuple(f"row {i}" for i in range(len(rows))),
        predicted=answers(rows).argmax(axis=1),
        labelled=np.full(len(rows), -1),
        outputs=("no", "yes"),
        discrete=frozenset({"c"}),
        members=(("a",), ("b",), ("c",)),
        seed=0,
        files=Files(rows),
    )


class Files:
    def __init__(self, rows):
        self.rows = rows

    def row(self, name):
        return self.rows.iloc[[int(name)]].reset_index(drop=True)

    def table(self, path):
        return self.rows.head(len(path))


def fitted(text, rows):
    return open_baseline("tabular", text).fit(reference(rows))


def given(text, rows, some):
    giver = fitted(text, rows)
    wanted = np.array([1 - answers(some).argmax(axis=1)])[0]
    if giver.wanted is not None:
        wanted = np.full(len(some), giver.wanted)
    return giver, giver.assign(some, wanted, answers), wanted
