"""Decides whether double quotes enclose the cells of a delimited file or are plain characters."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from xplain_cli.datasets.grid import LONGEST, keeps_ascii
from xplain_cli.datasets.records import Dialect, open_text, read_lines
from xplain_cli.datasets.sources import DataFile

_BLOCK = 1 << 22


def _holds_quotes(file: DataFile, encoding: str) -> bool:
    if not keeps_ascii(encoding):
        with open_text(file, encoding) as handle:
            return any('"' in line for line in read_lines(file, handle))
    with Path(file.path).open("rb") as raw:
        return any(b'"' in block for block in iter(lambda: raw.read(_BLOCK), b""))


def _records(file: DataFile, handle: TextIO, sep: str) -> Iterator[tuple[int, list[int]]]:
    """Yield how many cells each record has, and how many each of its lines without quotes."""
    csv.field_size_limit(LONGEST)
    held: list[str] = []

    def lines() -> Iterator[str]:
        for line in read_lines(file, handle):
            held.append(line.rstrip("\r\n"))
            yield line

    for record in csv.reader(lines(), delimiter=sep, strict=True):
        yield len(record), [line.count(sep) + 1 for line in held if line]
        held.clear()


def _enclose(file: DataFile, encoding: str, sep: str) -> bool:
    """
    Return whether quotes enclose cells.

    They do not where one is not closed, or closed inside a cell; nor where they join over line
    ends or separators what has, line by line, just the cells that most lines of the file have.
    """
    plain, joined, first = Counter[int](), set[int](), 0
    with open_text(file, encoding) as handle:
        try:
            for cells, lines in _records(file, handle, sep):
                first = first or (lines or [0])[0]
                if lines == [cells]:
                    plain[cells] += 1
                elif len(set(lines)) == 1:
                    joined.add(lines[0])
        except csv.Error:
            return False
    width = plain.most_common(1)[0][0] if plain else first
    return width <= 1 or width not in joined


def dialect_of(
    file: DataFile, encoding: str, sep: str, quoting: str | None
) -> tuple[Dialect, tuple[str, ...]]:
    """
    Return how the lines of a file fall into cells, and what the user should know of it.

    Between tabs a quote is often a character of a text, as databases and ``cut`` leave it: there
    quotes enclose cells only if they are balanced.

    Parameters
    ----------
    quoting
        ``double`` or ``none``, as the user says; None: ``double``, and between tabs as above.
    """
    if quoting is not None or sep != "\t" or not _holds_quotes(file, encoding):
        return Dialect(sep, quoted=quoting != "none"), ()
    if _enclose(file, encoding, sep):
        return Dialect(sep), ()
    note = (
        f"{file.name}: its quotes are not balanced, so they are read as characters of the cells"
        " (--quoting double: as what encloses cells)"
    )
    return Dialect(sep, quoted=False), (note,)
