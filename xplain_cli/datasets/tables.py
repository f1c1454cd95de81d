"""A table of rows and named columns over one or more files, read in typed chunks."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from xplain_cli.datasets.cells import LONG, Cells, Facts, kind_of, misfits
from xplain_cli.datasets.sources import (
    CellBlock,
    CellQuery,
    ReadOptions,
    Source,
    collect_blocks,
    join_blocks,
)
from xplain_cli.errors import RefusedError, UsageError, counted, nearest

KINDS = ("number", "integer", LONG, "bool", "text", "category", "date", "empty")
_STORED = {"number": "number", "integer": "number", "empty": "number", "bool": "bool", LONG: LONG}
_BLOCK = 65536
_ODD = re.compile(r"[ \t+]|-0|.*[ \t]$", re.DOTALL)
_DTYPES = ("number", "text", "bool")


@dataclass(frozen=True)
class Table:
    """
    An opened DATA: one or more files with the same columns.

    Attributes
    ----------
    paths
        As the user named them; ``-`` is stdin.
    columns
        In the order of the first file.
    sha256
        Hex, over the bytes: a file's own digest, or that of several files' digests in order.
    sources
        The opened files; for this room.
    dtypes
        Column -> kind that the user asked for.
    notes
        What was decided when the files were found, for the user.
    show_cells
        Whether messages show what a cell holds.
    facts
        What was seen of each column so far; filled on demand, as a look costs a pass.
    """

    paths: tuple[str, ...]
    columns: tuple[str, ...]
    sha256: str
    sources: tuple[Source, ...] = field(repr=False)
    dtypes: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    show_cells: bool = True
    facts: dict[str, Facts] = field(default_factory=dict, repr=False, compare=False)

    @property
    def keeps_types(self) -> bool:
        """Whether all of its formats tell a text from a number; else cells are texts."""
        return all(source.keeps_types for source in self.sources)


@dataclass(frozen=True)
class Chunk:
    """
    Consecutive rows of a table.

    Attributes
    ----------
    start
        0-based number in the whole DATA of the first row.
    table
        The typed columns in the order asked for, RangeIndex from 0: float64 (NaN missing), numpy
        bool, or object. Object columns hold ``str``, ``int`` (whole numbers of any length), or
        ``bool`` where the column misses values anywhere in DATA; missing is NaN, as in the frames
        that models were fitted on (None is an unknown category to scikit-learn's encoders).
    carried
        The id and kept columns as the text of the file, missing "".
    reasons
        Row in the chunk -> why it cannot be read; what could not be read of it is missing.
    """

    start: int
    table: pd.DataFrame
    carried: pd.DataFrame
    reasons: Mapping[int, str] = field(default_factory=dict)

    @property
    def readable(self) -> pd.DataFrame:
        """The typed columns of the rows that can be read, RangeIndex from 0."""
        if not self.reasons:
            return self.table
        return self.table.drop(index=list(self.reasons)).reset_index(drop=True)

    def ids(self, column: str) -> list[str]:
        """Return the rows' ids; a row that cannot be read and has none is ``row N``."""
        ids: list[str] = self.carried[column].tolist()
        for i in self.reasons:
            ids[i] = ids[i] or f"row {self.start + i}"
        return ids


def _same_columns(sources: Sequence[Source]) -> None:
    first = sources[0]
    for source in sources[1:]:
        lacks = [c for c in first.columns if c not in set(source.columns)]
        if lacks:
            raise RefusedError(
                f"{source.file.name}: no column {', '.join(map(repr, lacks[:5]))}, "
                f"which {first.file.name} has; files of one DATA have the same columns"
            )
        more = [c for c in source.columns if c not in set(first.columns)]
        if more:
            raise RefusedError(
                f"{source.file.name}: has column {', '.join(map(repr, more[:5]))}, "
                f"which {first.file.name} has not; files of one DATA have the same columns"
            )


def make_table(
    sources: Sequence[Source], sha256: str, options: ReadOptions, notes: tuple[str, ...] = ()
) -> Table:
    """
    Join opened files to a table.

    Raises
    ------
    RefusedError
        The files differ in their columns.
    UsageError
        ``--dtype`` names an unknown column or type.
    """
    _same_columns(sources)
    columns, name = sources[0].columns, sources[0].file.name
    dtypes = {c: kind for c, kind in options.dtypes if c in columns or c not in options.signed}
    for column, dtype in dtypes.items():
        if column not in columns:
            raise UsageError(
                f"--dtype {column}={dtype}: {name} has no column {column!r}"
                f"{nearest(column, columns)}"
            )
        if dtype not in _DTYPES:
            raise UsageError(
                f"--dtype {column}={dtype}: unknown type {dtype!r}; one of {', '.join(_DTYPES)}"
                f"{nearest(dtype, _DTYPES)}"
            )
    paths = tuple("-" if s.file.is_stdin else s.file.name for s in sources)
    return Table(paths, columns, sha256, tuple(sources), dtypes, notes, options.show_cells)


def _known(table: Table, columns: Sequence[str]) -> None:
    present = set(table.columns)
    for column in columns:
        if column not in present:
            shown = ", ".join(table.columns[:12]) + (", ..." if len(table.columns) > 12 else "")
            raise RefusedError(
                f"{table.sources[0].file.name}: no column {column!r}; it has {shown}"
                f"{nearest(column, table.columns)}"
            )


def facts_of(table: Table, columns: Sequence[str]) -> Mapping[str, Facts]:
    """Return the facts of columns over all files, looking only at those not seen before."""
    _known(table, columns)
    unseen = [c for c in dict.fromkeys(columns) if c not in table.facts]
    if unseen:
        total = dict.fromkeys(unseen, Facts())
        for source in table.sources:
            for column, facts in source.survey(unseen).items():
                total[column] += facts
        table.facts.update(total)
    return table.facts


def _wanted(table: Table, columns: Mapping[str, str], carried: Sequence[str]) -> CellQuery:
    _known(table, [*columns, *carried])
    for column, kind in columns.items():
        if kind not in KINDS:
            raise ValueError(f"column {column!r}: unknown kind {kind!r}")
    stored = {c: _STORED.get(k, "text") for c, k in columns.items()}
    facts = facts_of(table, [c for c, k in stored.items() if k != "text"])
    doubted = {c for c, k in stored.items() if k == "number" and misfits(facts[c], k)}
    for column, kind in stored.items():
        if kind == "bool" and facts[column].missing:
            stored[column] = "bool?"
    return CellQuery(stored, tuple(dict.fromkeys(carried)), 0, frozenset(doubted), table.show_cells)


def _blocks(table: Table, wanted: CellQuery, start: int, stop: int) -> Iterator[CellBlock]:
    """Yield rows start..stop across the files."""
    first = 0
    for source in table.sources:
        position, last = first, first + source.rows
        if position < stop and last > start:
            plan = replace(wanted, first=first)
            with contextlib.closing(source.blocks(plan)) as blocks:
                for block in blocks:
                    low, high = max(start - position, 0), min(stop - position, block.rows)
                    position += block.rows
                    if low < high:
                        yield block.cut(low, high)
                    if position >= stop:
                        break
            if position < min(stop, last) or position > last:
                raise RefusedError(
                    f"{source.file.name}: {counted(source.rows)} counted but {position - first} "
                    "read; the file changed meanwhile, or its quoting is ambiguous"
                )
        first = last


def _frame(
    columns: Mapping[str, Cells], order: Sequence[str], rows: int, *, whole: bool = False
) -> pd.DataFrame:
    """Build a frame whose object columns stay object (pandas 3 would make them ``str``)."""
    # whole tables are large: pandas would copy them twice
    series = {c: pd.Series(columns[c], dtype=columns[c].dtype, copy=not whole) for c in order}
    return pd.DataFrame(series, index=pd.RangeIndex(rows), columns=list(order), copy=not whole)


def n_rows(table: Table) -> int:
    """Return the number of rows of all files."""
    return sum(source.rows for source in table.sources)


def kinds(table: Table, columns: Sequence[str], words: Collection[str] = ()) -> dict[str, str]:
    """
    Return the kind of each column, decided over every row of every file.

    One of `KINDS`. ``integer``: whole numbers without leading zeros; a column with a cell like
    007 is ``text``, and so is one that mixes numbers with other words, unless at most one cell in
    20 is a word and the column is not among *words*, which the model takes as categories;
    ``long``: whole numbers of which a float does not hold each;
    ``date``: ISO dates and stored datetimes; ``category``: a stored dictionary; ``empty``: no cell.

    Raises
    ------
    RefusedError
        A column does not exist.
    """
    facts = facts_of(table, columns)
    return {c: table.dtypes.get(c) or kind_of(facts[c], words=c in words) for c in columns}


def _chunk(
    block: CellBlock,
    columns: Mapping[str, str],
    wanted: CellQuery,
    start: int,
    *,
    whole: bool = False,
) -> Chunk:
    typed = _frame(block.typed, list(columns), block.rows, whole=whole)
    carried = _frame(block.carried, wanted.carried, block.rows)
    return Chunk(start, typed, carried, dict(block.reasons))


def read_columns(table: Table, columns: Mapping[str, str]) -> Chunk:
    """
    Return the whole of some columns (column -> kind).

    Raises
    ------
    RefusedError
        The file cannot be read.
    """
    wanted = _wanted(table, columns, ())
    rows = n_rows(table)
    block = collect_blocks(_blocks(table, wanted, 0, rows), rows)
    return _chunk(block, columns, wanted, 0, whole=True)


def chunks(
    table: Table,
    columns: Mapping[str, str],
    carried: Sequence[str],
    rows: int,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Chunk]:
    """
    Yield rows start..stop in chunks of *rows*, counted from *start* across the files.

    Raises
    ------
    RefusedError
        A file cannot be read.
    """
    if rows < 1 or start < 0:
        raise ValueError(f"rows={rows}, start={start}")
    end = n_rows(table) if stop is None else min(stop, n_rows(table))
    wanted = _wanted(table, columns, carried)
    held: list[CellBlock] = []
    for block in _blocks(table, wanted, start, end):
        held.append(block)
        whole = sum(b.rows for b in held)
        if whole < rows:
            continue
        joined = join_blocks(held)
        for low in range(0, whole - whole % rows, rows):
            yield _chunk(joined.cut(low, low + rows), columns, wanted, start)
            start += rows
        held = [joined.cut(whole - whole % rows, whole)] if whole % rows else []
    if held:
        yield _chunk(join_blocks(held), columns, wanted, start)


def is_plain(table: Table, column: str) -> bool:
    """
    Return whether each cell of a column of whole numbers is what its number is written as.

    ``+1``, `` 1`` and ``-0`` are not: as words they are others than ``1`` and ``0``.
    """
    if table.keeps_types:
        return True
    pieces = chunks(table, {}, [column], _BLOCK)
    return not any(_ODD.match(cell) for piece in pieces for cell in piece.carried[column])
