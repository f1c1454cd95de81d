"""Small tables, written in any format and read again."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from xplain_cli.datasets import (
    ReadOptions,
    judge_columns,
    kinds,
    open_table,
    read_columns,
)
from xplain_cli.errors import RefusedError

PLAIN = ReadOptions()


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def table(tmp_path, text, name="data.csv", **options):
    return open_table([write(tmp_path / name, text)], ReadOptions(**options))


def refused(tmp_path, text, name="data.csv", **options):
    with pytest.raises(RefusedError) as caught:
        whole(table(tmp_path, text, name, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def whole(opened):
    found = kinds(opened, opened.columns)
    judge_columns(opened, found, ())
    return read_columns(opened, found).table


def flawed(opened, **columns):
    """Return the rows that cannot be read and why, and the columns of the others."""
    piece = read_columns(opened, columns or kinds(opened, opened.columns))
    return piece.reasons, piece.readable.values.tolist()


def kind(tmp_path, *cells, **options):
    text = "k,x\n" + "".join(f"1,{c}\n" for c in cells)
    return kinds(table(tmp_path, text, **options), ["x"])["x"]


def values(frame, column):
    return [None if pd.isna(v) else v for v in frame[column].tolist()]


MIXED = {"f": "number", "i": "integer", "b": "bool", "t": "text"}


ROWS = [
    {"id": f"{i:04d}", "f": i / 3, "i": None if i % 5 == 0 else i, "b": i % 2 == 0, "t": f"w{i}"}
    for i in range(25)
]


def mixed_csv(rows, sep=","):
    handle = io.StringIO()
    writer = csv.DictWriter(handle, list(ROWS[0]), delimiter=sep, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return handle.getvalue()


def make(tmp_path, form, rows, name="data"):
    path = tmp_path / f"{name}.{'json' if form == 'split' else form}"
    if form in {"parquet", "arrow"}:
        pytest.importorskip("pyarrow")
        frame = pd.DataFrame(rows)
        frame["i"] = frame["i"].astype("Int64")
        frame.to_parquet(path, index=False) if form == "parquet" else frame.to_feather(path)
    elif form in {"npy", "npz"}:
        fields = [("id", "U4"), ("f", "f8"), ("i", "f8"), ("b", "?"), ("t", "U4")]
        array = np.array([tuple(row.values()) for row in rows], dtype=fields)
        np.save(path, array) if form == "npy" else np.savez(path, array)
    elif form == "split":
        names = list(rows[0])
        write(
            path, json.dumps({"columns": names, "data": [[row[n] for n in names] for row in rows]})
        )
    elif form == "jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    else:
        write(path, mixed_csv(rows, "\t" if form == "tsv" else ","))
    return str(path)


QUICK = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
