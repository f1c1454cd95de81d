"""A linear model of a table with ids, its variants, and runs on them."""

import pickle

import numpy as np
import pandas as pd

NAMES = ("age", "income", "loans", "rent", "years", "zone")
SLOPES = np.array([1.0, -2.0, 0.5, 1.5, -1.0, 0.8])


def table(rows=60, seed=0):
    found = pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, len(NAMES))), columns=NAMES)
    found.insert(0, "id", [f"p{i}" for i in range(rows)])
    return found


def store(path, slopes=SLOPES):
    """Write a logistic regression whose margin is linear in the columns."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression()
    frame = table(8)[list(NAMES)]
    model.fit(frame, [0, 1] * 4)
    model.coef_, model.intercept_ = np.array([slopes], dtype=float), np.array([0.1])
    path.write_bytes(pickle.dumps(model))
    return path


def doubled(name):
    """Return the slopes with that of one column doubled."""
    return np.where(np.array(NAMES) == name, 2.0, 1.0) * SLOPES


def words(model, data, output, *options):
    """Return the command line that explains a margin."""
    base = ("tabular", model, data, "--id-column", "id", "--output-scale", "raw", "-q", "-j", "1")
    return (*base, "-o", output, *options)
