"""Delimited text (csv, tsv): cells are judged over the whole file, then read by pandas."""

import codecs
import re
from array import array
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.files import refuse_foreign
from xplain_cli.datasets.grid import LONGEST, LineGrid, measure
from xplain_cli.datasets.quoting import dialect_of
from xplain_cli.datasets.records import (
    Dialect,
    codec_of,
    mend,
    open_text,
    read_records,
    undecodable,
    walk,
)
from xplain_cli.datasets.sources import (
    CellBlock,
    CellQuery,
    DataFile,
    NoRowsError,
    ReadOptions,
    block_rows,
    check_flaws,
    within,
)
from xplain_cli.errors import RefusedError, UsageError

_KEPT_ROWS, _KEPT_BYTES = 4096, 1 << 24  # texts may be of any length
_WHOLE_FLOATS = 2.0**53  # from here on every float is whole
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

    keeps_types: ClassVar[bool] = False

    file: DataFile
    columns: tuple[str, ...]
    dialect: Dialect
    encoding: str
    header: bool
    missing: Missing
    grid: LineGrid
    mended: str | None = None  # a quoted copy in utf-8 without the lines that are no rows
    notes: tuple[str, ...] = ()
    # of a small file what was read last: background, probe and rows are mostly the same cells
    _read: list[tuple[CellQuery, CellBlock]] = field(
        default_factory=list, repr=False, compare=False
    )

    @property
    def rows(self) -> int:
        """The number of data rows."""
        return self.grid.rows

    @property
    def flaws(self) -> Mapping[int, str]:
        """Of each row that cannot be read at all, by its number in the file, the reason."""
        return self.grid.flaws

    @property
    def _is_small(self) -> bool:
        """Whether its cells may be kept."""
        return self.rows <= _KEPT_ROWS and Path(self.file.path).stat().st_size <= _KEPT_BYTES

    def _frames(
        self, columns: Sequence[str], dtypes: Mapping[str, Any], known: Sequence[str]
    ) -> Iterator[pd.DataFrame]:
        """Yield frames of some columns; cells of *known* columns may be missing."""
        words = sorted(self.missing.words)
        mended = self.mended is not None
        file = DataFile(self.file.name, self.mended) if self.mended else self.file
        options: dict[str, Any] = {} if not dtypes else _PRECISION
        try:
            with (
                open_text(file, "utf-8" if mended else self.encoding) as handle,
                pd.read_csv(
                    handle,
                    sep=self.dialect.sep,
                    quoting=(Dialect(self.dialect.sep) if mended else self.dialect).quoting,
                    decimal=self.missing.decimal,
                    header=0 if self.header else None,
                    names=list(self.columns),
                    usecols=list(columns),
                    dtype=dict(dtypes) or None,
                    index_col=False,
                    na_values=dict.fromkeys(known, words),
                    keep_default_na=False,
                    skip_blank_lines=self.grid.has_blank_lines and not mended,
                    on_bad_lines="error",
                    low_memory=False,
                    chunksize=block_rows(len(columns)),
                    **options,
                ) as reader,
            ):
                yield from (frame for frame in reader if len(frame))
        except (ValueError, OSError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise RefusedError(f"{self.file.name}: cannot be read: {reason}") from error

    def survey(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Look at every cell; a second time, as text, where numbers may hide leading zeros."""
        facts = dict.fromkeys(columns, Facts())
        padded = {self.columns[i] for i in self.grid.padded}
        doubtful: set[str] = set()
        for frame, whole in self._readable(columns, {}):
            for column in columns:
                seen, gaps = _look(frame[column], self.missing, whole=whole)
                facts[column] += seen
                if gaps or (column in padded and "text" not in facts[column].forms):
                    doubtful.add(column)
        again = [c for c in columns if c in doubtful]
        if again:
            facts.update(dict.fromkeys(again, Facts()))
            for frame, _ in self._readable(again, dict.fromkeys(again, object)):
                for column in again:
                    facts[column] += _look(frame[column], self.missing, whole=True)[0]
        return facts

    def _readable(
        self, columns: Sequence[str], dtypes: Mapping[str, Any]
    ) -> Iterator[tuple[pd.DataFrame, bool]]:
        """Yield frames of the rows that can be read, and whether these are all."""
        for frame in self._frames(columns, dtypes, columns):
            lost = within(self.flaws, int(frame.index[0]), len(frame))
            yield (frame.drop(frame.index[list(lost)]) if lost else frame), not lost

    def blocks(self, wanted: CellQuery) -> Generator[CellBlock, None, None]:
        """Yield all rows in order."""
        exact = set(wanted.carried)
        columns = [c for c in self.columns if c in wanted.kinds or c in exact]
        numbers = {c for c, k in wanted.kinds.items() if k == "number"}
        floats = numbers - exact - wanted.doubted
        dtypes = {c: np.float64 if c in floats else object for c in columns}
        known = [c for c in wanted.kinds if c not in exact]
        if not columns:  # pandas reads no rows where no column is asked for
            yield CellBlock(self.rows, {}, {}, self.flaws)
            return
        if self._read and self._read[0][0] == wanted:
            yield self._read[0][1].copy()
            return
        for frame in self._frames(columns, dtypes, known):
            block = self._block(frame, wanted, floats)
            if block.rows == self.rows and self._is_small:
                self._read[:] = [(wanted, block.copy())]
            yield block

    def _block(self, frame: pd.DataFrame, wanted: CellQuery, floats: set[str]) -> CellBlock:
        start = int(frame.index[0])
        reasons = within(self.flaws, start, len(frame))

        def place(i: int) -> str:
            at = start + i
            line = at + 1 + self.header if self.grid.lines is None else self.grid.lines[at]
            return f"{self.file.name}: row {wanted.first + at}, line {line}"

        def typed(column: str, kind: str) -> Cells:
            values: Cells = frame[column].to_numpy()
            if column in floats or (kind == "text" and column not in wanted.carried):
                return values
            return cell.convert(
                values.tolist(),
                kind,
                missing=self.missing,
                column=column,
                where=place,
                reasons=reasons,
                shown=wanted.show_cells,
            )

        return CellBlock(
            len(frame),
            {c: typed(c, kind) for c, kind in wanted.kinds.items()},
            {c: frame[c].to_numpy() for c in wanted.carried},
            reasons,
        )


def _look(series: "pd.Series[Any]", spelling: Missing, *, whole: bool) -> tuple[Facts, bool]:
    """Return the facts of a part of a column, and whether its integers were made floats."""
    values = series.to_numpy() if series.dtype.kind in "iufb" else None
    if values is None:
        counts = series.value_counts(sort=False)
        forms = Counter[str]()
        for value, count in zip(counts.index.tolist(), counts.tolist(), strict=True):
            forms[cell.form_of_text(spelling.pointed(str(value)))] += count
        return Facts(dict(forms), len(series) - forms.total()), False
    if values.dtype.kind in "iub":
        form = "bool" if values.dtype.kind == "b" else "integer"
        long = cell.count_long(values) if form == "integer" else 0
        seen = {form: len(values) - long, cell.LONG: long}
        return Facts({one: count for one, count in seen.items() if count}), False
    floats = values[~np.isnan(values)]
    missing = len(values) - len(floats)
    if not len(floats):
        return Facts({}, missing), False
    mixed = missing > 0 or not whole or bool((np.abs(floats) >= _WHOLE_FLOATS).all())
    gaps = mixed and bool((floats == np.floor(floats)).all())
    return Facts({"number": len(floats)}, missing), gaps


def _separator(sep: str) -> str:
    sep = "\t" if sep == "\\t" else sep
    if len(sep) != 1 or not sep.isascii() or sep.isalnum() or sep in '"\n\r\0':
        raise UsageError(f"--sep {sep!r}: one ASCII character, for example ';' or '\\t'")
    return sep


def _names(
    file: DataFile, record: Sequence[str], options: ReadOptions, used: str
) -> tuple[str, ...]:
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
                name = f" {cell.shorten(record[0])}" if options.show_cells else ""
                raise RefusedError(
                    f"{file.name}: a single column{name}; "
                    f"is the separator another one? try --sep '{shown}'"
                )
    names = tuple(name or f"Unnamed: {i}" for i, name in enumerate(record))
    if len(set(names)) < len(names):
        raise RefusedError(
            f"{file.name}: the header leaves a column without a name, which clashes with an"
            " 'Unnamed: ' one; name it"
        )
    return names


def _walk(
    file: DataFile, encoding: str, dialect: Dialect, n_columns: int, *, header: bool
) -> LineGrid:
    """
    Return the shape of any delimited file by reading every record.

    Raises
    ------
    RefusedError
        The header cannot be read, or most of the rows.
    """
    padded, flaws, lines, blanks = set[int](), dict[int, str](), array("q"), False
    rows = -1 if header else 0
    with open_text(file, encoding) as handle:
        for line, record in walk(file, handle, dialect, n_columns, header=header):
            if not record:
                blanks = True
                continue
            if isinstance(record, str):
                flaws[rows] = record
                check_flaws(flaws)
            else:
                padded.update(
                    i for i, c in enumerate(record) if c and c[0] in "0+- \t" and _PAD.match(c)
                )
            lines.append(line)
            rows += 1
    check_flaws(flaws, rows)
    ends = np.array(lines, dtype=np.int64)[int(header) :]
    return LineGrid(rows, frozenset(padded), blanks, flaws, ends)


def _measure(
    file: DataFile, encoding: str, dialect: Dialect, n_columns: int, *, header: bool
) -> LineGrid | None:
    """Return the shape of a file whose header, if it has one, is its first line."""
    with Path(file.path).open("rb") as raw:
        if header and b"\r" in raw.readline(LONGEST).removesuffix(b"\r\n"):
            return None
        if not header and raw.read(3) != codecs.BOM_UTF8:
            raw.seek(0)
        return measure(raw, dialect.sep, n_columns, encoding, quoted=dialect.quoted)


def open_delimited(file: DataFile, options: ReadOptions, sep: str) -> Delimited:
    """
    Check a delimited file from end to end.

    Raises
    ------
    RefusedError
        Not text, not decodable, without rows, with duplicate names, or most rows unreadable.
    UsageError
        An impossible ``--sep`` or ``--encoding``.
    """
    refuse_foreign(file)
    sep = _separator(options.sep if options.sep is not None else sep)
    encoding = codec_of(options.encoding)
    try:
        dialect, notes = dialect_of(file, encoding, sep, options.quoting)
        with open_text(file, encoding) as handle:
            head = next((r for r in read_records(file, handle, dialect) if r[1]), None)
        if head is None:
            raise RefusedError(
                f"{file.name}: holds only blank lines; name a file with a header and rows"
            )
        if isinstance(head[1], str):
            raise RefusedError(head[1])
        columns = _names(file, head[1], options, sep)
        grid = None
        if head[0] == 1:  # no blank lines before it, no line ends inside it
            grid = _measure(file, encoding, dialect, len(columns), header=options.header)
        if grid is None:
            grid = _walk(file, encoding, dialect, len(columns), header=options.header)
        mended = None
        if grid.flaws:
            mended = mend(file, encoding, dialect, len(columns), header=options.header)
    except UnicodeError as error:
        raise undecodable(file, encoding) from error
    if not grid.rows:
        raise NoRowsError(f"{file.name}: a header without rows; --no-header if it is a row")
    missing = cell.missing_words(("", *options.na_values), options.decimal)
    header = options.header
    return Delimited(file, columns, dialect, encoding, header, missing, grid, mended, notes)


def open_csv(file: DataFile, options: ReadOptions) -> Delimited:
    """Check a file whose cells are parted by commas (``open_delimited``)."""
    return open_delimited(file, options, ",")


def open_tsv(file: DataFile, options: ReadOptions) -> Delimited:
    """Check a file whose cells are parted by tabs (``open_delimited``)."""
    return open_delimited(file, options, "\t")
