"""Parquet, through pyarrow: a row group per chunk, missing numbers as null."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import pandas as pd

from xplain_cli.errors import RefusedError, require
from xplain_cli.explanation import Records
from xplain_cli.output.cells import INTEGERS, texts
from xplain_cli.output.rendering import RenderedPiece, Rendering, check_head, prune, widen


def _array(pa: Any, column: "pd.Series[Any]", *, is_integer: bool) -> Any:
    """Return a column as int64, float64, bool, timestamp or text."""
    kind = column.dtype.kind
    if is_integer or kind in "iu":
        return pa.array(column.astype("Int64"), pa.int64())
    if kind == "f":
        return pa.array(column.astype("float64"), pa.float64(), from_pandas=True)
    if kind in "bM":
        return pa.array(column, from_pandas=True)
    words = [
        None if is_null else text.encode("utf-8", "backslashreplace").decode()
        for text, is_null in zip(texts(column), pd.isna(column), strict=True)
    ]
    return pa.array(words, pa.string())


def _table(pa: Any, frame: pd.DataFrame, integers: frozenset[str] = INTEGERS) -> Any:
    arrays = [
        _array(pa, frame.iloc[:, at], is_integer=name in integers)
        for at, name in enumerate(frame.columns)
    ]
    return pa.Table.from_arrays(arrays, names=[str(name) for name in frame.columns])


def _packed(pa: Any, table: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


class _File:
    """A parquet file that gets its schema from the first table with lines in it."""

    def __init__(self, file: BinaryIO) -> None:
        self.pa, self.pq = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
        self.file = file
        self.writer: Any = None
        self.first: Any = None

    def write(self, data: bytes) -> None:
        """Append a table as a row group."""
        table = self.pa.ipc.open_stream(data).read_all()
        self.first = table if self.first is None else self.first
        if len(table) == 0:
            return
        if self.writer is None:
            self.writer = self.pq.ParquetWriter(self.file, table.schema)
        check_head(repr(table.column_names).encode(), repr(self.writer.schema.names).encode())
        try:
            table = table.cast(self.writer.schema)
        except self.pa.ArrowInvalid as error:
            raise RefusedError(
                f"a kept column changes its type between rows ({error});"
                " give it one with --dtype COLUMN=TYPE"
            ) from error
        self.writer.write_table(table)

    def close(self) -> None:
        """Write the footer."""
        if self.writer is None and self.first is not None:
            self.writer = self.pq.ParquetWriter(self.file, self.first.schema)
        if self.writer is not None:
            self.writer.close()


class ParquetWriter:
    """Two parquet files."""

    def __init__(self) -> None:
        require("pyarrow.parquet", "parquet")

    def piece(self, records: Records, rendering: Rendering) -> RenderedPiece:
        """Return a chunk as two tables in Arrow's stream form."""
        pa = require("pyarrow", "parquet")
        pruned = prune(records, rendering.top_k)
        if rendering.wide:
            table = _table(pa, widen(records, rendering.top_k), frozenset())
        else:
            table = _table(pa, pruned.weights)
        return RenderedPiece(_packed(pa, table), _packed(pa, _table(pa, pruned.stability)))

    def join(
        self,
        pieces: Iterable[RenderedPiece],
        weights: BinaryIO,
        stability: BinaryIO | None,
        manifest: Mapping[str, Any],
    ) -> None:
        """Write the tables of all pieces as row groups."""
        if not weights.seekable():
            # A parquet writer asks where it is, and a pipe does not know.
            with tempfile.TemporaryFile() as spool:
                self.join(pieces, spool, stability, manifest)
                spool.seek(0)
                shutil.copyfileobj(spool, weights)
            return
        files = [_File(weights)] + ([_File(stability)] if stability is not None else [])
        for piece in pieces:
            for file, data in zip(files, (piece.weights, piece.stability), strict=False):
                file.write(data)
        for file in files:
            file.close()
