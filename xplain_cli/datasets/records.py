"""Text files line by line: decoding, NUL bytes, endless lines, quotes, lines that are no row."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from xplain_cli.datasets.files import open_spool
from xplain_cli.datasets.grid import LONGEST, keeps_ascii
from xplain_cli.datasets.sources import DataFile
from xplain_cli.errors import RefusedError, UsageError, counted


@dataclass(frozen=True)
class Dialect:
    """
    How the lines of a delimited file fall into cells.

    Attributes
    ----------
    sep
        The character between cells.
    quoted
        Whether double quotes around a cell are no part of it; else they are characters.
    """

    sep: str
    quoted: bool = True

    @property
    def quoting(self) -> Literal[0, 3]:
        """The constant of the standard library, and of pandas."""
        return csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE


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


def open_text(file: DataFile, encoding: str) -> TextIO:
    """Open a text file so that line ends inside quotes stay as they are."""
    return Path(file.path).open(encoding=encoding, newline="")


def undecodable(file: DataFile, encoding: str) -> RefusedError:
    """Return the refusal of a file that is not in its encoding, with the likely one."""
    with Path(file.path).open("rb") as handle:
        head = handle.read(4)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head == b"\0\0\xfe\xff":
            name = "utf-32" if b"\0\0" in head else "utf-16"
            return RefusedError(f"{file.name}: is {name} text; try --encoding {name}")
        handle.seek(0)
        number = 0
        while keeps_ascii(encoding) and (line := handle.readline(LONGEST)):
            number += 1
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return RefusedError(
                    f"{file.name}: byte 0x{line[error.start]:02x} in line {number} is not "
                    f"{encoding.removesuffix('-sig')}; "
                    + (
                        "try --encoding cp1252, or the one it was written in"
                        if "utf" in encoding
                        else "try another --encoding"
                    )
                )
    return RefusedError(f"{file.name}: is not {encoding}; try another --encoding")


def nul_byte(file: DataFile, line: int) -> str:
    """Return why a line with a NUL byte cannot be read."""
    return (
        f"{file.name}: line {line} has a NUL byte; is it a binary file? "
        "if it is utf-16 text, --encoding utf-16; else remove the byte"
    )


def read_lines(file: DataFile, handle: TextIO) -> Iterator[str]:
    """
    Yield the lines of a text, with their ends.

    Raises
    ------
    RefusedError
        A line has more than 16 million characters.
    """
    number = 0
    while line := handle.readline(LONGEST):
        number += 1
        if len(line) == LONGEST:
            raise RefusedError(
                f"{file.name}: line {number} has more than {LONGEST} characters; is it a table? "
                "break it into rows"
            )
        yield line


def _next_record(file: DataFile, reader: Any) -> list[str] | str | None:
    """Return the next cells, why a line's cannot be told, or None at the end."""
    line = reader.line_num + 1
    try:
        record: list[str] | None = next(reader, None)
    except csv.Error as error:
        never = "unexpected end" in str(error)
        reason = (
            f"{file.name}: a quote in line {line} {'is never closed' if never else 'is wrong'}"
            f'{"" if never else f" ({error})"}; close it, or write a " inside a cell twice; where'
            " quotes are characters like others, --quoting none"
        )
        if reader.line_num != line:  # where the next row begins is unknown
            raise RefusedError(reason) from error
        return reason
    return record


def read_records(
    file: DataFile, handle: TextIO, dialect: Dialect
) -> Iterator[tuple[int, list[str] | str]]:
    """
    Yield (number of the last line, cells) of each record; a blank line has no cells.

    Instead of the cells of a record that cannot be read stands the reason, a text.

    Raises
    ------
    RefusedError
        As `read_lines`; or quotes are not closed, or closed inside a cell of a record of several
        lines: where rows begin and end is then unknown.
    """
    csv.field_size_limit(LONGEST)  # the default refuses documents above 131072 characters
    nul, last = 0, ""

    def lines() -> Iterator[str]:
        nonlocal nul, last
        for number, text in enumerate(read_lines(file, handle), start=1):
            last = text
            if "\0" in text:
                nul = number
            yield text

    sep, quoting = dialect.sep, dialect.quoting
    reader = csv.reader(lines(), delimiter=sep, quoting=quoting, strict=True)
    line = 0
    while (record := _next_record(file, reader)) is not None:
        if nul > line:
            record = nul_byte(file, nul)
        if len(record) == 1 and record[0] and not last.strip(" \t\r\n"):
            record = []  # blanks in quotes are a cell
        line = reader.line_num
        yield line, record


def walk(
    file: DataFile, handle: TextIO, dialect: Dialect, n_columns: int, *, header: bool
) -> Iterator[tuple[int, list[str] | str]]:
    """Yield (number of the last line, cells or the reason) of each record, blank lines too."""
    first = "header" if header else "first line"
    for line, record in read_records(file, handle, dialect):
        if record and len(record) != n_columns and isinstance(record, list):
            record = (  # noqa: PLW2901 - the reason stands in its place
                f"{file.name}: line {line} has {counted(len(record), 'cell')}, the {first}"
                f" {n_columns}; remove a separator too many, add one too few, or quote"
                " a cell that holds one"
            )
        yield line, record


def mend(file: DataFile, encoding: str, dialect: Dialect, n_columns: int, *, header: bool) -> str:
    """Write a quoted copy whose unreadable rows are rows of missing cells; return its path."""
    with open_text(file, encoding) as handle, open_spool(file.name) as spool:
        writer = csv.writer(spool, delimiter=dialect.sep, lineterminator="\n")
        for _, record in walk(file, handle, dialect, n_columns, header=header):
            if record:
                writer.writerow(record if isinstance(record, list) else [""] * n_columns)
    return spool.name
