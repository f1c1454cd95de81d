"""Small tables of numbers, and models stored beside their tables."""

import pickle

import pandas as pd


def stored(tmp_path, model, table, name):
    path, data = tmp_path / f"{name}.pkl", tmp_path / f"{name}.csv"
    path.write_bytes(pickle.dumps(model))
    table.to_csv(data, index=False)
    return path, data


def numbers(rng, rows, columns):
    return pd.DataFrame(rng.normal(size=(rows, columns)), columns=list("abcdefg")[:columns])
