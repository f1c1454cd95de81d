"""Plain text files: one text a line, in a single column called ``text``."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.delimited import codec_of
from xplain_cli.datasets.files import refuse_foreign
from xplain_cli.datasets.records import open_text, read_lines, undecodable
from xplain_cli.datasets.sources import Block, File, ReadOptions, Wanted, block_rows
from xplain_cli.errors import RefusedError

COLUMN = "text"


@dataclass(frozen=True)
class Lines:
    """A checked text file."""

    file: File
    rows: int
    encoding: str
    missing: Missing

    @property
    def columns(self) -> tuple[str, ...]:
        """The only column."""
        return (COLUMN,)

    def survey(self, columns: Sequence[str], first: int) -> dict[str, Facts]:  # noqa: ARG002 - lines are text, whatever they look like
        """Say that lines are text."""
        return dict.fromkeys(columns, Facts(frozenset({"text"})))

    def blocks(self, wanted: Wanted) -> Generator[Block, None, None]:
        """Yield all rows in order."""
        size, held = block_rows(1), list[str]()
        for line in _texts(self.file, self.encoding):
            held.append(line)
            if len(held) == size:
                yield self._block(held, wanted)
                held = []
        if held:
            yield self._block(held, wanted)

    def _block(self, lines: list[str], wanted: Wanted) -> Block:
        values: Cells = np.empty(len(lines), dtype=object)
        values[:] = [np.nan if self.missing.has(line) else line for line in lines]
        return Block(
            len(lines),
            dict.fromkeys(wanted.kinds, values),
            {c: cell.as_text(list(lines)) for c in wanted.carried},
        )


def _texts(file: File, encoding: str) -> Iterator[str]:
    with open_text(file, encoding) as handle:
        for line in read_lines(file, handle):
            yield line.rstrip("\r\n")


def open_lines(file: File, options: ReadOptions) -> Lines:
    """
    Check a text file from end to end.

    Raises
    ------
    RefusedError
        Not text, not decodable, or a line without end.
    """
    refuse_foreign(file)
    encoding = codec_of(options.encoding)
    try:
        rows = sum(1 for _ in _texts(file, encoding))
    except UnicodeDecodeError as error:
        raise undecodable(file, encoding) from error
    if not rows:
        raise RefusedError(f"{file.name}: no lines; a text file has one text a line")
    return Lines(file, rows, encoding, cell.missing_words(options.na_values))
