"""Text files line by line: decoding, NUL bytes, endless lines, quotes that never close."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from xplain_cli.datasets.grid import LONGEST, keeps_ascii
from xplain_cli.datasets.sources import File
from xplain_cli.errors import RefusedError


def open_text(file: File, encoding: str) -> TextIO:
    """Open a text file so that line ends inside quotes stay as they are."""
    return Path(file.path).open(encoding=encoding, newline="")


def undecodable(file: File, encoding: str) -> RefusedError:
    """Return the refusal of a file that is not in its encoding, with the likely one."""
    with Path(file.path).open("rb") as handle:
        if handle.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            return RefusedError(f"{file.name}: is utf-16 text; try --encoding utf-16")
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
                    + ("try --encoding cp1252" if "utf" in encoding else "try another --encoding")
                )
    return RefusedError(f"{file.name}: is not {encoding}; try another --encoding")


def read_lines(file: File, handle: TextIO) -> Iterator[str]:
    """
    Yield the lines of a text, with their ends.

    Raises
    ------
    RefusedError
        A line has a NUL byte or more than 16 million characters.
    """
    number = 0
    while line := handle.readline(LONGEST):
        number += 1
        if "\0" in line:
            raise RefusedError(
                f"{file.name}: line {number} has a NUL byte; is it a binary file? "
                "if it is utf-16 text, --encoding utf-16"
            )
        if len(line) == LONGEST:
            raise RefusedError(
                f"{file.name}: line {number} has more than {LONGEST} characters; is it a table?"
            )
        yield line


def read_records(file: File, handle: TextIO, sep: str) -> Iterator[tuple[int, list[str]]]:
    """
    Yield (number of the last line, cells) of each record; a blank line has no cells.

    Raises
    ------
    RefusedError
        As `read_lines`; or quotes are not closed, or closed inside a cell.
    """
    csv.field_size_limit(LONGEST)  # the default refuses documents above 131072 characters
    reader = csv.reader(read_lines(file, handle), delimiter=sep, strict=True)
    line = 0
    try:
        for record in reader:
            line = reader.line_num
            lone = len(record) == 1 and bool(record[0]) and not record[0].strip(" \t")
            yield line, [] if lone else record
    except csv.Error as error:
        reason = "is never closed" if "unexpected end" in str(error) else f"is wrong ({error})"
        raise RefusedError(
            f"{file.name}: a quote in line {line + 1} {reason}; "
            'a " inside a quoted cell is written twice'
        ) from error
