"""A model in which a column that users hold is in products, and what it was asked."""

from pathlib import Path

import numpy as np

NAMES = ["age", "sex", "income", "debt"]
LOG = Path(__file__).with_name("asked.npy")


def mixed(x, sex):
    """Return a score: the held column is in two products, one of them of the third order."""
    age, income, debt = (x[name].to_numpy(float) for name in ("age", "income", "debt"))
    return 0.3 * age + sex * income - age * debt * (1 + sex) + 5 * sex


def score(table):
    return mixed(table, table["sex"].to_numpy(float))


def men(table):
    return mixed(table, 1.0)


def classes(table):
    """Return two probabilities, and note what was asked beside this file."""
    with LOG.open("ab") as file:
        np.save(file, table[NAMES].to_numpy(float))
    p = 1 / (1 + np.exp(-(score(table) - 8) / 4))
    return np.stack([1 - p, p], axis=1)


def bound(table):
    """Return two probabilities: with a low held value all else says nothing."""
    rich = (table["sex"] > 1.2) & (table["income"] > 2)
    return np.stack([~rich, rich], axis=1).astype(float)
