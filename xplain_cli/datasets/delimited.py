"""Delimited text (csv, tsv): cells are judged over the whole file, then read by pandas."""

import codecs
import io
import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.files import refuse_foreign
from xplain_cli.datasets.grid import LONGEST, Grid, measure
from xplain_cli.datasets.records import open_text, read_records, undecodable
from xplain_cli.datasets.sources import Block, File, ReadOptions, Wanted, block_rows
from xplain_cli.errors import RefusedError, UsageError

_PAD = re.compile(r"[ \t]?[+-]?0[0-9]|[ \t]{2}")
# pandas 3.1 always reads the nearest float and deprecates the option
_PRECISION: dict[str, Any] = (
    {"float_precision": "round_trip"}
    if tuple(int(p) for p in pd.__version__.split(".")[:2]) < (3, 1)
    else {}
)


@dataclass(frozen=True)
class Delimited:
    """A checked csv or tsv file."""

    file: File
    columns: tuple[str, ...]
    sep: str
    encoding: str
    header: bool
    missing: Missing
    grid: Grid

    @property
    def rows(self) -> int:
        """The number of data rows."""
        return self.grid.rows

    def _frames(
        self, columns: Sequence[str], dtypes: Mapping[str, Any], known: Sequence[str]
    ) -> Iterator[pd.DataFrame]:
        """Yield frames of some columns; cells of *known* columns may be missing."""
        words = sorted(self.missing.words)
        options: dict[str, Any] = {} if not dtypes else _PRECISION
        try:
            with (
                open_text(self.file, self.encoding) as handle,
                pd.read_csv(
                    handle,
                    sep=self.sep,
                    header=0 if self.header else None,
                    names=list(self.columns),
                    usecols=list(columns),
                    dtype=dict(dtypes) or None,
                    index_col=False,
                    na_values=dict.fromkeys(known, words),
                    keep_default_na=False,
                    skip_blank_lines=self.grid.has_blank_lines,
                    on_bad_lines="error",
                    low_memory=False,
                    chunksize=block_rows(len(columns)),
                    **options,
                ) as reader,
            ):
                yield from reader
        except (ValueError, OSError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise RefusedError(f"{self.file.name}: cannot be read: {reason}") from error

    def survey(self, columns: Sequence[str], first: int) -> dict[str, Facts]:  # noqa: ARG002 - no cell is refused here
        """Look at every cell; a second time, as text, where numbers may hide leading zeros."""
        facts = dict.fromkeys(columns, Facts())
        padded = {self.columns[i] for i in self.grid.padded}
        doubtful: set[str] = set()
        for frame in self._frames(columns, {}, columns):
            for column in columns:
                seen, gaps = _look(frame[column])
                facts[column] += seen
                if gaps or (column in padded and "text" not in facts[column].forms):
                    doubtful.add(column)
        again = [c for c in columns if c in doubtful and "text" not in facts[c].forms]
        if again:
            facts.update(dict.fromkeys(again, Facts()))
            for frame in self._frames(again, dict.fromkeys(again, object), again):
                for column in again:
                    facts[column] += _look(frame[column])[0]
        return facts

    def _misfit(self, columns: frozenset[str], first: int) -> None:
        """Refuse the first cell of some columns that is not a number, if there is one."""
        places = [(i, c) for i, c in enumerate(self.columns) if c in columns]
        with open_text(self.file, self.encoding) as handle:
            records = (r for r in read_records(self.file, handle, self.sep) if r[1])
            if self.header:
                next(records)
            for row, (line, record) in enumerate(records, start=first):
                for i, column in places:
                    if not self.missing.has(record[i]) and not cell.is_number(record[i]):
                        reason = cell.not_a("a number", record[i], column, f" (line {line})")
                        raise RefusedError(f"{self.file.name}: row {row}, {reason}")

    def blocks(self, wanted: Wanted) -> Generator[Block, None, None]:
        """Yield all rows in order."""
        if wanted.doubted:
            self._misfit(wanted.doubted, wanted.first)
        exact = set(wanted.carried)
        columns = [c for c in self.columns if c in wanted.kinds or c in exact]
        floats = {c for c, k in wanted.kinds.items() if k == "number" and c not in exact}
        dtypes = {c: np.float64 if c in floats else object for c in columns}
        known = [c for c in wanted.kinds if c not in exact]
        if not columns:  # pandas reads no rows where no column is asked for
            yield Block(self.rows, {}, {})
            return
        row = wanted.first
        for frame in self._frames(columns, dtypes, known):
            block = self._block(frame, wanted, floats, row)
            row += block.rows
            yield block

    def _block(self, frame: pd.DataFrame, wanted: Wanted, floats: set[str], row: int) -> Block:
        def typed(column: str, kind: str) -> Cells:
            values: Cells = frame[column].to_numpy()
            if column in floats or (kind == "text" and column not in wanted.carried):
                return values
            return cell.convert(
                values.tolist(),
                kind,
                missing=self.missing,
                column=column,
                where=lambda i: f"{self.file.name}: row {row + i}",
            )

        return Block(
            len(frame),
            {c: typed(c, kind) for c, kind in wanted.kinds.items()},
            {c: frame[c].to_numpy() for c in wanted.carried},
        )


def _look(series: "pd.Series[Any]") -> tuple[Facts, bool]:
    """Return the facts of a part of a column, and whether blanks made floats of its integers."""
    values = series.to_numpy() if series.dtype.kind in "iufb" else None
    if values is None:
        known = series.dropna()
        forms = {cell.form_of_text(str(v)) for v in known.unique().tolist()}
        return Facts(frozenset(forms), len(series) - len(known)), False
    if values.dtype.kind in "iu":
        return Facts(frozenset({"integer"})), False
    if values.dtype.kind == "b":
        return Facts(frozenset({"bool"})), False
    floats = values[~np.isnan(values)]
    missing = len(values) - len(floats)
    if not len(floats):
        return Facts(frozenset(), missing), False
    gaps = missing > 0 and bool((floats == np.floor(floats)).all())
    return Facts(frozenset({"number"}), missing), gaps


def _separator(sep: str) -> str:
    sep = "\t" if sep == "\\t" else sep
    if len(sep) != 1 or not sep.isascii() or sep.isalnum() or sep in '"\n\r\0':
        raise UsageError(f"--sep {sep!r}: one ASCII character, for example ';' or '\\t'")
    return sep


def codec_of(encoding: str) -> str:
    """Return the codec; a byte-order mark is never part of the first column's name."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding).close()  # refuses base64 and its like
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"--encoding {encoding!r}: unknown; for example utf-8, cp1252, utf-16, cp949"
        ) from error
    return "utf-8-sig" if name == "utf-8" else name


def _names(file: File, record: Sequence[str], options: ReadOptions, used: str) -> tuple[str, ...]:
    """Return the columns' names, as pandas would where the header leaves them empty."""
    if not options.header:
        return tuple(str(i) for i in range(len(record)))
    twice = [name for name, count in Counter(record).items() if count > 1 and name]
    if twice:
        raise RefusedError(
            f"{file.name}: the header names {', '.join(map(repr, twice[:5]))} more than once; "
            "rename or remove the copies"
        )
    if len(record) == 1 and options.sep is None:
        for sep, shown in ((";", ";"), ("\t", "\\t"), ("|", "|"), (",", ",")):
            if sep in record[0] and sep != used:
                raise RefusedError(
                    f"{file.name}: a single column {cell.shorten(record[0])}; "
                    f"is the separator another one? try --sep '{shown}'"
                )
    names = tuple(name or f"Unnamed: {i}" for i, name in enumerate(record))
    if len(set(names)) < len(names):
        raise RefusedError(f"{file.name}: a column without a name clashes with an 'Unnamed: ' one")
    return names


def _walk(file: File, handle: TextIO, sep: str, n_columns: int, *, header: bool) -> Grid:
    """Return the shape of any delimited file by reading every record."""
    rows, padded, blanks = 0, set[int](), False
    for line, record in read_records(file, handle, sep):
        if not record:
            blanks = True
            continue
        if len(record) != n_columns:
            raise RefusedError(
                f"{file.name}: line {line} has {len(record)} cells, the "
                f"{'header' if header else 'first line'} {n_columns}; a separator too many or "
                "too few, or an unquoted one inside a cell"
            )
        padded.update(i for i, c in enumerate(record) if c and c[0] in "0+- \t" and _PAD.match(c))
        rows += 1
    return Grid(rows - header, frozenset(padded), blanks)


def _measure(file: File, sep: str, encoding: str, n_columns: int, *, header: bool) -> Grid | None:
    """Return the shape of a file whose header, if it has one, is its first line."""
    with Path(file.path).open("rb") as raw:
        if header and b"\r" in raw.readline(LONGEST).removesuffix(b"\r\n"):
            return None
        if not header and raw.read(3) != codecs.BOM_UTF8:
            raw.seek(0)
        return measure(raw, sep, n_columns, encoding)


def open_delimited(file: File, options: ReadOptions, sep: str) -> Delimited:
    """
    Check a delimited file from end to end.

    Raises
    ------
    RefusedError
        Not text, not decodable, without rows, ragged, with NUL bytes or duplicate names.
    UsageError
        An impossible ``--sep`` or ``--encoding``.
    """
    refuse_foreign(file)
    sep = _separator(options.sep if options.sep is not None else sep)
    encoding = codec_of(options.encoding)
    try:
        with open_text(file, encoding) as handle:
            head = next((r for r in read_records(file, handle, sep) if r[1]), None)
        if head is None:
            raise RefusedError(
                f"{file.name}: holds only blank lines; a table has a header and rows"
            )
        columns = _names(file, head[1], options, sep)
        grid = None
        if head[0] == 1:  # no blank lines before it, no line ends inside it
            grid = _measure(file, sep, encoding, len(columns), header=options.header)
        if grid is None:
            with open_text(file, encoding) as handle:
                grid = _walk(file, handle, sep, len(columns), header=options.header)
    except UnicodeError as error:
        raise undecodable(file, encoding) from error
    if not grid.rows:
        raise RefusedError(f"{file.name}: a header without rows; --no-header if it is a row")
    missing = cell.missing_words(("", *options.na_values))
    return Delimited(file, columns, sep, encoding, options.header, missing, grid)
