"""A fast and exact check of plain delimited files: does every line hold n cells."""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
LONGEST = 1 << 24  # characters of a line
_BLOCK = 1 << 22
_NEWLINE, _ZERO, _NINE = ord("\n"), ord("0"), ord("9")
_BLANKS = np.frombuffer(b" \t", dtype=np.uint8)
_SIGNS = np.frombuffer(b"+-", dtype=np.uint8)
_TRANSPARENT = ("utf-8", "utf_8", "ascii", "iso8859", "cp125")


@dataclass(frozen=True)
class LineGrid:
    """
    The shape of a delimited file.

    Attributes
    ----------
    rows
        Data rows.
    padded
        Positions of the columns with a cell that may have leading zeros (007).
    has_blank_lines
        Whether lines without any cell stand between rows.
    flaws
        Row -> why it cannot be read.
    lines
        The number of each row's last line (rows,); None: one line a row, from the top.
    """

    rows: int
    padded: frozenset[int]
    has_blank_lines: bool
    flaws: Mapping[int, str] = field(default_factory=dict)
    lines: npt.NDArray[np.int64] | None = None


def keeps_ascii(encoding: str) -> bool:
    """Tell whether separators and digits are the same bytes as in ASCII, and only those."""
    return codecs.lookup(encoding).name.startswith(_TRANSPARENT)


def _whole_lines(handle: BinaryIO) -> Iterator[bytes]:
    """Yield blocks that end with a newline; a block may be longer than asked, up to a limit."""
    rest = b""
    while block := handle.read(_BLOCK):
        cut = block.rfind(b"\n") + 1
        if not cut and len(rest) < LONGEST:
            rest += block
            continue
        yield rest + block[:cut]
        rest = block[cut:]
    if rest := rest.rstrip(b"\r\n"):
        yield rest + b"\n"


def _is_plain(block: bytes, encoding: str, *, quoted: bool) -> bool:
    """Tell whether newlines and separators alone make the cells of the block."""
    if len(block) > LONGEST or not block.endswith(b"\n"):
        return False
    if (quoted and b'"' in block) or b"\0" in block:
        return False
    if block.count(b"\r") != block.count(b"\r\n"):
        return False
    try:
        block.decode(encoding)
    except UnicodeError:
        return False
    return True


def _padded(data: Bytes, starts: npt.NDArray[np.intp], n_columns: int) -> npt.NDArray[np.bool_]:
    """Tell which columns have a cell that starts like 007, after a blank and a sign perhaps."""
    at = starts + np.isin(data[starts], _BLANKS)
    at += np.isin(data[at], _SIGNS)
    after = data[at + 1]
    flags = (data[at] == _ZERO) & (after >= _ZERO) & (after <= _NINE)
    flags |= np.isin(data[at], _BLANKS)
    columns: npt.NDArray[np.bool_] = flags.reshape(-1, n_columns).any(axis=0)
    return columns


def measure(
    handle: BinaryIO, sep: str, n_columns: int, encoding: str, *, quoted: bool = True
) -> LineGrid | None:
    """
    Return the shape of the lines from the handle's place on, or None if they are not plain.

    Plain: no quotes (where they enclose cells: *quoted*), no blank lines, no NUL, decodable,
    every line with *n_columns* cells. What is not plain may still be a good table, but it takes a
    real parser to tell.
    """
    if n_columns == 1 or not keeps_ascii(encoding):
        return None  # a line without separators may be blank or a missing cell
    rows, padded = 0, np.zeros(n_columns, dtype=np.bool_)
    for block in _whole_lines(handle):
        if not _is_plain(block, encoding, quoted=quoted):
            return None
        data: Bytes = np.frombuffer(block + b"\n\n", dtype=np.uint8)
        marks = np.flatnonzero((data[:-2] == _NEWLINE) | (data[:-2] == ord(sep)))
        lines = block.count(b"\n")
        ends = data[marks[n_columns - 1 :: n_columns]]
        if len(marks) != lines * n_columns or not (ends == _NEWLINE).all():
            return None
        starts = np.concatenate([[0], marks[:-1] + 1])
        padded |= _padded(data, starts, n_columns)
        rows += lines
    return LineGrid(rows, frozenset(np.flatnonzero(padded).tolist()), has_blank_lines=False)
