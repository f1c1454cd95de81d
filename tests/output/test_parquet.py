"""Parquet files."""

import io

import pytest
from written import files, records

from xplain_cli.explanation import WEIGHT_COLUMNS
from xplain_cli.output import (
    Rendering,
    join_pieces,
    render_piece,
)


def read_parquet(data):
    parquet = pytest.importorskip("pyarrow.parquet")
    return parquet.ParquetFile(io.BytesIO(data))


def test_parquet_has_a_row_group_per_chunk_and_text_values():
    weights, stability = files([records(0), records(2, (False,)), records(3)], "parquet")
    file = read_parquet(weights)
    table = file.read().to_pydict()
    assert file.num_row_groups == 2
    assert table["feature_value"][:3] == ["=1+1", "3", "-2.5"]
    assert table["ci_low"] == [None] * 12
    assert table["rank"][:3] == [1, 2, 3]
    assert read_parquet(stability).read().to_pydict()["n_repeats"] == [0, 0, None, 0, 0]


def test_parquet_of_failed_rows_only_has_its_columns():
    weights, _ = files([records(ok=(False,))], "parquet")
    assert read_parquet(weights).schema_arrow.names == [*WEIGHT_COLUMNS, "kept"]


def test_parquet_goes_through_a_pipe():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError("no place in a pipe")

    pipe = Pipe()
    pytest.importorskip("pyarrow")
    join_pieces([render_piece(records(), Rendering(), "parquet")], "parquet", pipe)
    assert read_parquet(pipe.getvalue()).metadata.num_rows == 6
