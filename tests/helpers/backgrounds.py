"""A background, a model of it, and the baselines that are taken from it."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from learned import random_learned

from xplain_cli.baselines import open_baseline
from xplain_cli.baselines.learned_file import learned_bytes
from xplain_cli.baselines.tables import TableReference
from xplain_cli.baselines.vectors import measured_space


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
    model_id = ""

    def __init__(self, rows):
        self.rows = rows

    def row(self, name):
        return self.rows.iloc[[int(name)]].reset_index(drop=True)

    def table(self, path):
        return self.rows.head(len(path))


def fitted(text, rows):
    if "G.xplain" in text:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "G.xplain")
            space = measured_space(rows, frozenset({"c"}))
            path.write_bytes(learned_bytes(random_learned(space, ("no", "yes"))))
            return open_baseline("tabular", text.replace("G.xplain", str(path))).fit(
                reference(rows)
            )
    return open_baseline("tabular", text).fit(reference(rows))


def given(text, rows, some):
    giver = fitted(text, rows)
    wanted = np.array([1 - answers(some).argmax(axis=1)])[0]
    if giver.wanted is not None:
        wanted = np.full(len(some), giver.wanted)
    return giver, giver.assign(some, wanted, answers), wanted
