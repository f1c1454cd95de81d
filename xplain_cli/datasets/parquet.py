"""Parquet and other columns of Arrow, read batch by batch through pyarrow."""

import struct
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.bounds import Ration
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.pages import batch_size
from xplain_cli.datasets.sources import (
    CellBlock,
    CellQuery,
    DataFile,
    NoRowsError,
    ReadOptions,
    block_rows,
)
from xplain_cli.errors import RefusedError, counted, require

Batches: TypeAlias = Callable[[DataFile, Sequence[str], int], Iterator[Any]]
"""Takes a file, columns and a number of rows; yields record batches of at most so many rows that
hold these columns, and perhaps others."""

_BROKEN = (OSError, EOFError, ValueError, OverflowError, struct.error)


@contextmanager
def refusing(file: DataFile, what: str) -> Iterator[None]:
    """Turn what pyarrow says of a broken file into a refusal."""
    arrow = require("pyarrow", "parquet")
    try:
        yield
    except (arrow.ArrowException, *_BROKEN) as error:
        reason = " ".join(str(error).split())[:200]
        raise RefusedError(
            f"{file.name}: cannot be read as {what}: {reason}; write it again,"
            " or say what it is with --input-format"
        ) from error


def _form(arrow_type: Any) -> str:
    """Return the form of a column's cells; "text" may turn out to be dates."""
    t = require("pyarrow", "parquet").types
    tests = (
        ("category", (t.is_dictionary,)),
        ("bool", (t.is_boolean,)),
        ("integer", (t.is_integer,)),
        ("number", (t.is_floating, t.is_decimal)),
        ("date", (t.is_temporal,)),
        ("text", (t.is_string, t.is_large_string, t.is_null)),
        ("text", (getattr(t, "is_string_view", t.is_string),)),
    )
    return next(
        (form for form, group in tests if any(test(arrow_type) for test in group)), cell.NESTED
    )


def _count_long(values: Any) -> int:
    """Return how many cells are whole numbers that no float holds."""
    t = require("pyarrow", "parquet").types
    known = values.drop_null()
    if t.is_integer(values.type):
        return cell.count_long(known.to_numpy(zero_copy_only=False))
    if t.is_decimal(values.type) and values.type.scale <= 0:  # how databases store ids
        return sum(cell.form_of_whole(int(one)) == cell.LONG for one in known.to_pylist())
    return 0


@dataclass(frozen=True)
class ArrowColumns:
    """
    A checked file of columns that pyarrow reads.

    Attributes
    ----------
    file, columns, rows
        The file, the names of its columns, and how many rows it has.
    missing
        How missing cells are written.
    what
        What such files are called.
    read
        How batches are read from it.
    """

    keeps_types: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    file: DataFile
    columns: tuple[str, ...]
    rows: int
    missing: Missing
    what: str
    read: Batches

    def _refusing(self) -> AbstractContextManager[None]:
        return refusing(self.file, self.what)

    def _batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield record batches that hold the columns (and perhaps others)."""
        ration = Ration(self.file)
        with self._refusing():
            for batch in self.read(self.file, columns, block_rows(len(columns))):
                yield from ration.pieces(batch, columns)

    @property
    def flaws(self) -> Mapping[int, str]:
        """No row: a broken file is refused."""
        return {}

    def survey(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Take the stored types; look at the cells for missing ones and for ISO dates."""
        facts = dict.fromkeys(columns, Facts())
        for batch in self._batches(columns):
            with self._refusing():
                for column in columns:
                    facts[column] += self._look(batch.column(column))
        return facts

    def _look(self, values: Any) -> Facts:
        form = _form(values.type)
        if form in {"integer", "number"}:
            missing = int(np.isnan(self._floats(values)).sum())
            if long := _count_long(values):
                known = max(len(values) - missing, long)
                return Facts({"integer": known - long, cell.LONG: long}, missing)
        elif form == "text" or (form not in {"bool", cell.NESTED} and self.missing.words):
            kept = [v for v in values.to_pylist() if not self.missing.has(v)]
            forms = Counter(map(cell.form_of_word, kept)) if form == "text" else {form: len(kept)}
            return Facts({f: n for f, n in forms.items() if n}, len(values) - len(kept))
        else:
            missing = values.null_count
        known = len(values) - missing
        return Facts({form: known} if known else {}, missing)

    def _floats(self, values: Any) -> Cells:
        """Return a number column as float64, missing NaN."""
        arrow = require("pyarrow", "parquet")
        if arrow.types.is_decimal(values.type):  # as a quotient the last digit may be wrong
            values = values.cast(arrow.string())
        floats: Cells = values.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False)
        gaps = np.isin(floats, sorted(self.missing.numbers))
        return np.where(gaps, np.nan, floats)

    def blocks(self, wanted: CellQuery) -> Generator[CellBlock, None, None]:
        """Yield all rows in order."""
        names = [c for c in self.columns if c in wanted.kinds or c in wanted.carried]
        if not names:
            yield CellBlock(self.rows, {}, {})
            return
        row = wanted.first
        for batch in self._batches(names):
            with self._refusing():
                block = self._block(batch, wanted, row)
            yield block
            row += batch.num_rows

    def _block(self, batch: Any, wanted: CellQuery, row: int) -> CellBlock:
        reasons: dict[int, str] = {}

        def typed(column: str, kind: str) -> Cells:
            values = batch.column(column)
            if kind == "number" and _form(values.type) in {"integer", "number"}:
                return self._floats(values)
            return cell.convert(
                values.to_pylist(),
                kind,
                missing=self.missing,
                column=column,
                where=lambda i: f"{self.file.name}: row {row + i}",
                reasons=reasons,
                shown=wanted.show_cells,
            )

        return CellBlock(
            batch.num_rows,
            {column: typed(column, kind) for column, kind in wanted.kinds.items()},
            {c: cell.as_text(batch.column(c).to_pylist()) for c in wanted.carried},
            reasons,
        )


def checked_columns(
    file: DataFile, options: ReadOptions, names: Sequence[str], rows: int, read: Batches, what: str
) -> ArrowColumns:
    """
    Return a file of columns once its schema is known.

    Raises
    ------
    RefusedError
        There are no rows or no columns, or two columns of one name.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RefusedError(f"{file.name}: column {twice[0]!r} stands more than once; rename one")
    if not rows or not names:
        kind = NoRowsError if names else RefusedError
        raise kind(
            f"{file.name}: {counted(rows)} and {counted(len(names), 'column')}; there is no table,"
            " name a file with rows"
        )
    missing = cell.missing_words(options.na_values)
    return ArrowColumns(file, tuple(names), rows, missing, what, read)


def _parquet_batches(file: DataFile, columns: Sequence[str], size: int) -> Iterator[Any]:
    parquet = require("pyarrow.parquet", "parquet")
    with parquet.ParquetFile(file.path) as handle:
        rows = batch_size(file, handle, columns, size)
        yield from handle.iter_batches(batch_size=rows, columns=list(columns))


def open_parquet(file: DataFile, options: ReadOptions) -> ArrowColumns:
    """
    Check the schema of a parquet file.

    Raises
    ------
    RefusedError
        Not a parquet file, no rows or no columns, or two columns of one name.
    UsageError
        The package pyarrow is not installed.
    """
    parquet = require("pyarrow.parquet", "parquet")
    with refusing(file, "parquet"), parquet.ParquetFile(file.path) as handle:
        columns, rows = tuple(handle.schema_arrow.names), handle.metadata.num_rows
    return checked_columns(file, options, columns, rows, _parquet_batches, "parquet")
