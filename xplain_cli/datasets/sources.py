"""What a storage format offers to tables: one opened file, its facts and its blocks of rows."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from xplain_cli.datasets.cells import Cells, Facts


@dataclass(frozen=True)
class ReadOptions:
    """
    How DATA is read.

    Attributes
    ----------
    input_format
        ``csv tsv jsonl parquet``; None: by suffix, csv for stdin.
    sep
        One ASCII character between cells; None: ``,`` for csv and a tab for tsv.
    encoding
        Of delimited files and JSON Lines; never guessed.
    na_values
        Words that mean missing, besides the empty cell of a delimited file and null. Words such
        as ``NA`` and ``None`` are values unless named here.
    dtypes
        Pairs (column, ``number | text | bool``) that overrule what the cells look like.
    header
        False: the first line is data and columns are named ``"0"``, ``"1"``, ...
    """

    input_format: str | None = None
    sep: str | None = None
    encoding: str = "utf-8-sig"
    na_values: tuple[str, ...] = ()
    dtypes: tuple[tuple[str, str], ...] = ()
    header: bool = True


@dataclass(frozen=True)
class File:
    """A file to read: its name in messages, and where its bytes are (a spool for stdin)."""

    name: str
    path: str


@dataclass(frozen=True)
class Wanted:
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
        Columns asked for as numbers some of whose cells do not look like numbers.
    """

    kinds: Mapping[str, str]
    carried: tuple[str, ...]
    first: int
    doubted: frozenset[str]


@dataclass(frozen=True)
class Block:
    """Consecutive rows: typed columns and carried texts, arrays of (rows,)."""

    rows: int
    typed: Mapping[str, Cells]
    carried: Mapping[str, Cells]

    def cut(self, start: int, stop: int) -> "Block":
        """Return rows start..stop of the block."""
        return Block(
            stop - start,
            {c: v[start:stop] for c, v in self.typed.items()},
            {c: v[start:stop] for c, v in self.carried.items()},
        )


class Source(Protocol):
    """One opened file of any format."""

    @property
    def file(self) -> File:
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

    def survey(self, columns: Sequence[str], first: int) -> dict[str, Facts]:
        """Look at every cell of some columns; *first* numbers the rows in messages."""
        ...

    def blocks(self, wanted: Wanted) -> Generator[Block, None, None]:
        """Yield all rows in order, in blocks of the format's own size."""
        ...


def block_rows(n_columns: int) -> int:
    """Return rows a block, about 1 MB of floats: it stays in the cache, twice as fast."""
    return max(1024, min(65536, 131_072 // max(1, n_columns)))
