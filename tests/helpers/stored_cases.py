"""Small tables of numbers, and models stored beside their tables."""

import pickle

import numpy as np
import pandas as pd


def stored(tmp_path, model, table, name):
    path, data = tmp_path / f"{name}.pkl", tmp_path / f"{name}.csv"
    path.write_bytes(pickle.dumps(model))
    table.to_csv(data, index=False)
    return path, data


def numbers(rng, rows, columns):
    return pd.DataFrame(rng.normal(size=(rows, columns)), columns=list("abcdefg")[:columns])


CITIES = ["Bergen", "Oslo", "Troms\u00f8"]


def people(rows=60):
    stream = np.random.default_rng(0)
    return pd.DataFrame({
        "age": stream.integers(18, 80, rows).astype(float),
        "city": np.resize(CITIES, rows),
        "zip": np.resize(["0150", "5003", "9008"], rows),
    })
