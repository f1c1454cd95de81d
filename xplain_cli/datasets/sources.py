"""The protocol of a storage format: one opened file, its facts and its blocks of rows."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from xplain_cli.datasets.cells import Cells, Facts
from xplain_cli.errors import RefusedError

_MOST_FLAWS = 100_000


class NoRowsError(RefusedError):
    """A table of columns holds no row, as the files that writers make of empty parts."""


@dataclass(frozen=True)
class ReadOptions:
    """
    How DATA is read.

    Attributes
    ----------
    input_format
        ``csv tsv jsonl split parquet arrow npy npz``; None: by suffix, csv for stdin.
    sep
        One ASCII character between cells; None: ``,`` for csv and a tab for tsv.
    quoting
        Of delimited files: ``double``: cells may stand in double quotes; ``none``: a quote is a
        character like others; None: ``double``, and between tabs only where quotes are balanced.
    decimal
        The decimal sign of delimited files, ``.`` or ``,``.
    encoding
        Of delimited files and JSON Lines; never guessed.
    na_values
        Words that mean missing, besides the empty cell of a delimited file and null. Words such
        as ``NA`` and ``None`` are values unless named here.
    dtypes
        Pairs (column, ``number | text | bool``) that overrule what the cells look like.
    header
        False: the first line is data and columns are named ``"0"``, ``"1"``, ...
    show_cells
        False: no message and no reason shows what a cell holds.
    signed
        Columns whose types a signature tells: one that is not there is no mistake in ``dtypes``.
    """

    input_format: str | None = None
    sep: str | None = None
    quoting: str | None = None
    decimal: str = "."
    encoding: str = "utf-8-sig"
    na_values: tuple[str, ...] = ()
    dtypes: tuple[tuple[str, str], ...] = ()
    header: bool = True
    show_cells: bool = True
    signed: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataFile:
    """
    A file to read.

    Attributes
    ----------
    name, path
        What messages call it, and where its bytes are: a spool for stdin and pipes, a copy of a
        file of another machine.
    is_stdin, is_piped
        Where the bytes came from; such a spool has no suffix that would say what they are.
    suffix
        The lower-case ending of its name, without that of what packed it: ``.csv`` of a.csv.gz.
    member
        Of an npz file the array that is meant; empty: the one that is a table.
    parts
        Columns that the names of its folders state, and their values.
    """

    name: str
    path: str
    is_stdin: bool = False
    is_piped: bool = False
    suffix: str = ""
    member: str = ""
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CellQuery:
    """
    What is asked of a source.

    Attributes
    ----------
    kinds
        Column -> ``number | bool | bool? | text`` (see `cells.convert`).
    carried
        Columns asked for as the text of the file.
    first
        Number in the whole DATA of the source's first row, for messages.
    doubted
        Columns some of whose cells do not look like the kind that is asked for.
    show_cells
        Whether reasons show what a cell holds.
    """

    kinds: Mapping[str, str]
    carried: tuple[str, ...]
    first: int
    doubted: frozenset[str]
    show_cells: bool = True


@dataclass(frozen=True)
class CellBlock:
    """
    Consecutive rows.

    Attributes
    ----------
    rows
        How many.
    typed, carried
        Typed columns and carried texts, arrays of (rows,).
    reasons
        Row in the block -> why it cannot be read; its columns then hold missing values where
        nothing could be read.
    """

    rows: int
    typed: Mapping[str, Cells]
    carried: Mapping[str, Cells]
    reasons: Mapping[int, str] = field(default_factory=dict)

    def copy(self) -> "CellBlock":
        """Return a block of the same cells, which may be written to."""
        typed = {c: v.copy() for c, v in self.typed.items()}
        return CellBlock(
            self.rows, typed, {c: v.copy() for c, v in self.carried.items()}, dict(self.reasons)
        )

    def cut(self, start: int, stop: int) -> "CellBlock":
        """Return rows start..stop of the block."""
        return CellBlock(
            stop - start,
            {c: v[start:stop] for c, v in self.typed.items()},
            {c: v[start:stop] for c, v in self.carried.items()},
            {i - start: why for i, why in self.reasons.items() if start <= i < stop},
        )


def join_blocks(blocks: Sequence[CellBlock]) -> CellBlock:
    """Return consecutive blocks as one."""
    if len(blocks) == 1:
        return blocks[0]

    def stack(parts: Sequence[Mapping[str, Cells]]) -> dict[str, Cells]:
        return {c: np.concatenate([part[c] for part in parts]) for c in parts[0]}

    reasons: dict[int, str] = {}
    rows = 0
    for block in blocks:
        reasons |= {rows + i: why for i, why in block.reasons.items()}
        rows += block.rows
    return CellBlock(
        rows, stack([b.typed for b in blocks]), stack([b.carried for b in blocks]), reasons
    )


def collect_blocks(blocks: Iterable[CellBlock], rows: int) -> CellBlock:
    """Return all blocks as one, each let go once it is copied: whole tables are large."""
    typed: dict[str, Cells] = {}
    reasons: dict[int, str] = {}
    start = 0
    for block in blocks:
        for column, cells in block.typed.items():
            if column not in typed:
                typed[column] = np.empty(rows, dtype=cells.dtype)
            typed[column][start : start + block.rows] = cells
        reasons |= {start + i: why for i, why in block.reasons.items()}
        start += block.rows
    return CellBlock(rows, typed, {}, reasons)


class Source(Protocol):
    """One opened file of any format."""

    @property
    def file(self) -> DataFile:
        """The file."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in the order of the file."""
        ...

    @property
    def rows(self) -> int:
        """The number of data rows."""
        ...

    @property
    def keeps_types(self) -> bool:
        """Whether the format tells a text from a number; else every cell is a text."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the file, for the user."""
        ...

    @property
    def flaws(self) -> Mapping[int, str]:
        """Of each row that cannot be read at all, by its number in the file, the reason."""
        ...

    def survey(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Look at every cell of some columns."""
        ...

    def blocks(self, wanted: CellQuery) -> Generator[CellBlock, None, None]:
        """Yield all rows in order, in blocks of the format's own size."""
        ...


def block_rows(n_columns: int) -> int:
    """Return rows a block, about 1 MB of floats: it stays in the cache, twice as fast."""
    return max(1024, min(65536, 131_072 // max(1, n_columns)))


def check_flaws(flaws: Mapping[int, str], rows: int | None = None) -> None:
    """
    Refuse a file most of whose rows cannot be read: it is not the kind of file that was said.

    Parameters
    ----------
    flaws
        Row in the file -> why it cannot be read.
    rows
        All rows of the file; None while they are still counted.

    Raises
    ------
    RefusedError
        More than half of the rows, or more than 100,000, cannot be read.
    """
    share = rows is not None and 2 * len(flaws) > rows
    if share or len(flaws) > _MOST_FLAWS:
        seen = f" ({len(flaws)} of {rows} rows cannot be read)" if share and len(flaws) > 1 else ""
        raise RefusedError(next(iter(flaws.values())) + seen)


def within(flaws: Mapping[int, str], start: int, rows: int) -> dict[int, str]:
    """Return the flaws of *rows* rows from *start* on, counted from there."""
    if not flaws:
        return {}
    return {i: flaws[start + i] for i in range(rows) if start + i in flaws}
