"""Arrow files and streams (Feather), read batch by batch through pyarrow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xplain_cli.datasets.messages import check_messages
from xplain_cli.datasets.parquet import ArrowColumns, checked_columns, refusing
from xplain_cli.datasets.sources import DataFile, ReadOptions
from xplain_cli.errors import RefusedError, require

_FILE, _OLD = b"ARROW1", b"FEA1"
_WHAT = "an Arrow file"


@contextmanager
def _opened(file: DataFile, *, checked: bool = True) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Yield the schema of a file or a stream, and its record batches, each checked as a whole.

    Batches hold places in memory as they stand in the file: a wrong one would be read outside of
    it, so that pyarrow asks to validate what nobody vouches for. What they unpack to is looked at
    before the first one is read, unless the file is *checked*.
    """
    ipc = require("pyarrow.ipc", "parquet")
    arrow = require("pyarrow", "parquet")
    with arrow.OSFile(str(file.path), "rb") as source:
        is_file = source.read(len(_FILE)) == _FILE
        source.seek(0)
        if not checked:
            check_messages(file, source, is_file=is_file)
            source.seek(0)
        reader = ipc.open_file(source) if is_file else ipc.open_stream(source)

        def batches() -> Iterator[Any]:
            count = reader.num_record_batches if is_file else None
            found = iter(reader) if count is None else map(reader.get_batch, range(count))
            for batch in found:
                batch.validate(full=True)
                yield batch

        yield reader.schema, batches()


def _arrow_batches(file: DataFile, columns: Sequence[str], size: int) -> Iterator[Any]:
    with _opened(file) as (_, batches):
        for batch in batches:
            own = batch.select(list(columns))
            for start in range(0, own.num_rows, size):
                yield own.slice(start, size)


def open_arrow(file: DataFile, options: ReadOptions) -> ArrowColumns:
    """
    Check the schema of an Arrow file or stream, as Feather writes them too.

    Raises
    ------
    RefusedError
        Not an Arrow file, no rows or no columns, two columns of one name, or the first form of
        Feather, which nothing writes any more.
    UsageError
        The package pyarrow is not installed.
    """
    with refusing(file, _WHAT):
        with Path(file.path).open("rb") as head:
            old = head.read(len(_OLD)) == _OLD
        if old:
            raise RefusedError(
                f"{file.name}: is Feather of version 1; write it again: df.to_feather(...)"
            )
        with _opened(file, checked=False) as (schema, batches):
            names, rows = tuple(schema.names), sum(batch.num_rows for batch in batches)
    return checked_columns(file, options, names, rows, _arrow_batches, _WHAT)
