"""Plain text files: one text a line, in a single column called ``text``."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.files import refuse_foreign
from xplain_cli.datasets.records import codec_of, nul_byte, open_text, read_lines, undecodable
from xplain_cli.datasets.sources import (
    CellBlock,
    CellQuery,
    DataFile,
    ReadOptions,
    block_rows,
    check_flaws,
    within,
)
from xplain_cli.errors import RefusedError

COLUMN = "text"


@dataclass(frozen=True)
class Lines:
    """A checked text file."""

    keeps_types: ClassVar[bool] = False
    notes: ClassVar[tuple[str, ...]] = ()

    file: DataFile
    rows: int
    encoding: str
    missing: Missing
    flaws: Mapping[int, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The only column."""
        return (COLUMN,)

    def survey(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Say that lines are text, whatever they look like."""
        return dict.fromkeys(columns, Facts({"text": self.rows}))

    def blocks(self, wanted: CellQuery) -> Generator[CellBlock, None, None]:
        """Yield all rows in order."""
        size, at, held = block_rows(1), 0, list[str]()
        for line in _texts(self.file, self.encoding):
            held.append(line)
            if len(held) == size:
                yield self._block(held, wanted, at)
                at += size
                held = []
        if held:
            yield self._block(held, wanted, at)

    def _block(self, lines: list[str], wanted: CellQuery, at: int) -> CellBlock:
        values: Cells = np.empty(len(lines), dtype=object)
        values[:] = [np.nan if self.missing.has(line) else line for line in lines]
        return CellBlock(
            len(lines),
            dict.fromkeys(wanted.kinds, values),
            {c: cell.as_text(list(lines)) for c in wanted.carried},
            within(self.flaws, at, len(lines)),
        )


def _texts(file: DataFile, encoding: str) -> Iterator[str]:
    with open_text(file, encoding) as handle:
        for line in read_lines(file, handle):
            yield line.rstrip("\r\n")


def open_lines(file: DataFile, options: ReadOptions) -> Lines:
    """
    Check a text file from end to end.

    Raises
    ------
    RefusedError
        Not text, not decodable, a line without end, or mostly lines that cannot be read.
    """
    refuse_foreign(file)
    encoding = codec_of(options.encoding)
    rows, flaws = 0, dict[int, str]()
    try:
        for rows, text in enumerate(_texts(file, encoding), start=1):
            if "\0" in text:
                flaws[rows - 1] = nul_byte(file, rows)
    except UnicodeError as error:
        raise undecodable(file, encoding) from error
    if not rows:
        raise RefusedError(f"{file.name}: no lines; a text file has one text a line")
    check_flaws(flaws, rows)
    return Lines(file, rows, encoding, cell.missing_words(options.na_values), flaws)
