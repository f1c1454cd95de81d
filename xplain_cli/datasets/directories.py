"""Pages of a TIFF: its chain of directories is followed without reading what they say."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from xplain_cli.errors import RefusedError

_MOST = 100_000
# Pillow reads the two with turned magic bytes as well
_HEADS = (b"II*\x00", b"MM\x00*", b"MM*\x00", b"II\x00*")
_BIG_HEADS = (b"II+\x00", b"MM\x00+")


def _directories(file: BinaryIO) -> Iterator[int]:
    """Yield where each page's directory stands, or should: a chain that breaks ends there."""
    end = os.fstat(file.fileno()).st_size

    def number(form: str) -> int:
        """Return the next number, at most the end of the file, as where the file ends."""
        found = file.read(struct.calcsize(form))
        return min(end, *struct.unpack(form, found)) if len(found) == struct.calcsize(form) else end

    head = file.read(4)
    order, big = "<" if head.startswith(b"II") else ">", head in _BIG_HEADS
    if not big and head not in _HEADS:
        return
    count, entry, link = ("Q", 20, "Q") if big else ("H", 12, "L")
    file.seek(8 if big else 4)
    while at := number(order + link):
        yield at
        if at == end:
            return
        file.seek(at)
        entries = number(order + count)
        file.seek(min(file.tell() + entry * entries, end))


def count_pages(path: str) -> int:
    """
    Return the pages of a TIFF; 1 for other files.

    A page whose directory is damaged counts, and fails as a row; what stood behind it is not to
    be found. A chain that comes back to a page ends there.

    Raises
    ------
    RefusedError
        There are more than 100,000.
    OSError
        The file cannot be read.
    """
    seen = set[int]()
    with Path(path).open("rb") as file:
        for at in _directories(file):
            if at in seen:
                break
            seen.add(at)
            if len(seen) > _MOST:
                raise RefusedError(
                    f"{path}: has more than {_MOST:,} pages; split it into several files"
                )
    return max(1, len(seen))
