"""Parquet files."""

from decimal import Decimal

import pandas as pd
import pytest
from small_tables import PLAIN, refused, values, whole

from xplain_cli.datasets import (
    ReadOptions,
    kinds,
    open_table,
)
from xplain_cli.errors import RefusedError


def test_parquet_types_decide_kinds(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({
        "c": pd.Categorical(["x", None, "y"]),
        "d": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
        "z": ["007", "NA", None],
        "e": pd.Series([None] * 3, dtype="float64"),
        "n": pd.Series([1, -9, 3], dtype="int32"),
    })
    frame.to_parquet(tmp_path / "d.parquet")
    opened = open_table([str(tmp_path / "d.parquet")], ReadOptions(na_values=("-9",)))
    found = kinds(opened, opened.columns)
    assert found == {"c": "category", "d": "date", "z": "text", "e": "empty", "n": "integer"}
    read = whole(opened)
    assert [values(read, c) for c in "czn"] == [["x", None, "y"], ["007", "NA", None], [1, None, 3]]


@pytest.mark.parametrize("size", [(9, 2), (38, 20), (30, -3)])
def test_decimals_are_the_floats_next_to_them(tmp_path, size):
    pa = pytest.importorskip("pyarrow")
    digits, scale = size
    cells = [None if i % 7 == 0 else Decimal(i * 997).scaleb(-scale) for i in range(-90, 900)]
    table = pa.table({"d": pa.array(cells, type=pa.decimal128(digits, scale))})
    with (
        pa.OSFile(str(tmp_path / "d.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)
    read = whole(open_table([str(tmp_path / "d.arrow")], PLAIN))
    assert values(read, "d") == [None if one is None else float(one) for one in cells]


def test_broken_parquet_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    assert "cannot be read as parquet" in refused(tmp_path, b"PAR1" + b"x" * 50, "d.parquet")
    pd.DataFrame({"a": [[1], [2]]}).to_parquet(tmp_path / "n.parquet")
    with pytest.raises(RefusedError, match="column 'a' holds an object or a list"):
        whole(open_table([str(tmp_path / "n.parquet")], PLAIN))
