"""How much the cells of a file of columns may take: small files can hold huge tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.datasets.grid import LONGEST
from xplain_cli.datasets.packed import FEW_BYTES, MOST_RATIO
from xplain_cli.datasets.sources import DataFile
from xplain_cli.errors import RefusedError, naming, require

BATCH_BYTES = 1 << 26
"""What the texts of one batch may take; one that holds more is cut into pieces."""

_HELD_RATIO = 20
_SHORT = 4096  # rows of cells up to this length are bounded by how many rows are read at a time


def check_held(file: DataFile, held: int, what: str, way_out: str) -> None:
    """
    Refuse what has to be in memory at one time, and is far larger than the file that holds it.

    Parameters
    ----------
    held
        Bytes that reading takes at one time, once unpacked.
    what, way_out
        What takes them; how such a file is written again.

    Raises
    ------
    RefusedError
        These are more than 1 GiB, and more than 20 times the file.
    """
    most = max(FEW_BYTES, _HELD_RATIO * Path(file.path).stat().st_size)
    if held > most:
        raise RefusedError(
            f"{file.name}: {what} unpack to {held} bytes, and all have to be in memory at one"
            f" time; at most {most} are read: {way_out}"
        )


def _view_lengths(views: Any) -> Any:
    """Return the bytes of each text (n,) of an array of views; pyarrow counts no such texts."""
    _, places, *_ = views.buffers()
    lengths = np.frombuffer(places, dtype=np.int32)[::4]
    own = lengths[views.offset : views.offset + len(views)].astype(np.int64)
    return np.where(views.is_valid().to_numpy(zero_copy_only=False), own, 0)


def _nested_lengths(values: Any) -> Any:
    """Return the bytes of each cell (n,) of lists, maps and structs: those of all it holds."""
    arrow = require("pyarrow", "parquet")
    t = arrow.types
    if t.is_struct(values.type):
        parts = map(_lengths, values.flatten())
        return sum(parts, np.zeros(len(values), dtype=np.int64))
    if t.is_map(values.type):
        inner = _lengths(values.keys) + _lengths(values.items)
    else:
        inner = _lengths(values.values)
    ends = np.concatenate([[0], np.cumsum(inner)])
    if t.is_fixed_size_list(values.type):
        stops = (values.offset + np.arange(len(values) + 1)) * values.type.list_size
    else:
        stops = values.offsets.to_numpy()
    return np.diff(ends[stops])


def _word_lengths(words: Any) -> Any:
    """Return the bytes of each text (n,) of a dictionary column."""
    held = np.append(_lengths(words.dictionary), 0)  # where there is no cell, its number is -1
    places = words.indices.cast("int64")  # numbers without a sign have no -1
    return held[places.fill_null(-1).to_numpy(zero_copy_only=False)]


def _text_lengths(texts: Any) -> Any:
    """Return the bytes of each text (n,)."""
    import pyarrow.compute as count

    return count.fill_null(count.binary_length(texts), 0).to_numpy(zero_copy_only=False)


def _lengths(values: Any) -> Any:
    """
    Return how many bytes each cell (n,) of a column takes, those of a text as it is written.

    Raises
    ------
    ValueError
        Its type may stand for any number of cells, or for the same ones many times.
    """
    arrow = require("pyarrow", "parquet")
    if isinstance(values, arrow.ExtensionArray):
        return _lengths(values.storage)
    t, kind = arrow.types, values.type
    ways = (
        (_word_lengths, (t.is_dictionary,)),
        (_text_lengths, (t.is_string, t.is_large_string, t.is_binary, t.is_large_binary)),
        (_view_lengths, (t.is_string_view, t.is_binary_view)),
        (_nested_lengths, (t.is_list, t.is_large_list, t.is_fixed_size_list, t.is_map)),
        (_nested_lengths, (t.is_struct,)),
    )
    way = next((act for act, tests in ways if any(test(kind) for test in tests)), None)
    if way is not None:
        return way(values)
    if t.is_nested(kind) or t.is_run_end_encoded(kind):
        raise ValueError(f"columns of type {kind} are not read; store plain values")
    return np.full(len(values), 8 if t.is_null(kind) else max(1, kind.bit_width // 8))


class Ration:
    """
    Counts what the cells of a file take, so that a small file cannot give out texts without end.

    Parameters
    ----------
    file
        The file they come from.
    """

    def __init__(self, file: DataFile) -> None:
        self._file = file
        self._most = max(FEW_BYTES, MOST_RATIO * Path(file.path).stat().st_size)
        self._cells = self._given = self._rows = 0

    def pieces(self, batch: Any, columns: Sequence[str]) -> Iterator[Any]:
        """
        Yield a record batch in pieces of rows, whose texts are few enough to be held.

        Raises
        ------
        RefusedError
            A cell is longer than a line of a delimited file may be, or all cells so far take more
            than 1 GiB and 200 times the file, and are long ones.
        """
        is_plain = require("pyarrow", "parquet").types.is_primitive
        if all(is_plain(batch.column(column).type) for column in columns):
            self._cells += batch.num_rows * len(columns)
            self._rows += batch.num_rows
            yield batch  # numbers take what they take: how many rows there are bounds them
            return
        total = np.zeros(batch.num_rows, dtype=np.int64)
        for column in columns:
            lengths = _lengths(batch.column(column))
            self._check_cells(lengths, column)
            total += lengths
        self._check_all(total, len(columns))
        start = 0
        ends = np.cumsum(total)
        while start < batch.num_rows:
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + BATCH_BYTES, "right")))
            yield batch.slice(start, stop - start)
            start = stop
        self._rows += batch.num_rows

    def _check_cells(self, lengths: Any, column: str) -> None:
        if len(lengths) and lengths.max() > LONGEST:
            row = int(lengths.argmax())
            raise RefusedError(
                f"{self._file.name}: row {self._rows + row}, column {column!r} holds"
                f" {lengths[row]} bytes, and a cell may hold {LONGEST}; break it into rows, or"
                f" leave the column out with {naming('--drop-columns', column)}"
            )

    def _check_all(self, total: Any, width: int) -> None:
        self._given += int(total.sum())
        self._cells += len(total) * width
        if self._given > max(self._most, _SHORT * self._cells):
            raise RefusedError(
                f"{self._file.name}: its cells take more than {self._most} bytes by row"
                f" {self._rows + len(total) - 1}, which is {MOST_RATIO} times the file or more;"
                " name parts of it"
            )
