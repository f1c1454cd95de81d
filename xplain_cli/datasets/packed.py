"""Compressed files of DATA: told by their first bytes, and unpacked to a temporary file."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO, Any

from xplain_cli.errors import RefusedError, require

MOST_BYTES = 1 << 36
"""What a compressed file may unpack to."""
FEW_BYTES = 1 << 30
"""What any may unpack to: a larger one must not be more than ``MOST_RATIO`` times its file."""
MOST_RATIO = 200
"""Tables are packed 3 to 50 times; files that are made to fill a disk 1,000 times and more."""

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_ZIP = b"PK\x03\x04"
_BROKEN = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def _open_zstd(path: str) -> Any:
    return require("pyarrow", "parquet").input_stream(path, compression="zstd")


_OPENERS: dict[bytes, tuple[str, Callable[[str], Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ": ("xz", lzma.open),
    b"\x28\xb5\x2f\xfd": ("zstd", _open_zstd),
}


def suffix_of(path: str) -> str:
    """Return the lower-case ending of a name, without that of what packed it."""
    suffix = PurePath(path).suffix.lower()
    inner = PurePath(path).with_suffix("").suffix.lower() if suffix in SUFFIXES else ""
    return inner or suffix


class Unpacked:
    """What a compressed file holds: a stream that names it where it is damaged or too large."""

    def __init__(self, stream: IO[bytes], name: str, kind: str, size: int) -> None:
        self._stream, self._name, self._kind = stream, name, kind
        self._most = self._left = min(MOST_BYTES, max(FEW_BYTES, MOST_RATIO * size))

    def read(self, size: int) -> bytes:
        """
        Return the next bytes, at most *size*.

        Raises
        ------
        RefusedError
            The file is damaged, cut short or unpacks to too much.
        """
        try:
            block = self._stream.read(size)
        except _BROKEN as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RefusedError(
                f"{self._name}: is compressed by {self._kind}, and cannot be unpacked: {reason};"
                " fetch it again, or unpack it first"
            ) from error
        self._left -= len(block)
        if self._left < 0:
            raise RefusedError(
                f"{self._name}: unpacks to more than {self._most} bytes; unpack it, and name parts"
            )
        return block


def _open_zip(path: str, name: str) -> IO[bytes]:
    """
    Open the only file of a zip archive.

    Raises
    ------
    RefusedError
        It holds none, several, or one that is encrypted.
    """
    try:
        archive = zipfile.ZipFile(path)
        files = [one for one in archive.infolist() if not one.is_dir()]
        if len(files) == 1:
            return archive.open(files[0])
    except (*_BROKEN, RuntimeError, NotImplementedError) as error:
        raise RefusedError(f"{name}: cannot be unpacked: {error}; unpack it first") from error
    listed = ", ".join(one.filename for one in files[:5]) or "none"
    raise RefusedError(f"{name}: holds {len(files)} files ({listed}); unpack it, and name one")


def open_packed(path: str, name: str, suffix: str) -> Unpacked | None:
    """
    Open what a compressed file holds; None where it is not compressed.

    Parameters
    ----------
    suffix
        The ending of its name: many formats are zip archives, and only ``.zip`` says packed.

    Raises
    ------
    RefusedError
        A zip archive does not hold one file.
    UsageError
        The package that reads zstd is missing.
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as handle:
        head = handle.read(6)
    if suffix == ".zip" and head.startswith(_ZIP):
        return Unpacked(_open_zip(path, name), name, "zip", size)
    for magic, (kind, opener) in _OPENERS.items():
        if head.startswith(magic):
            return Unpacked(opener(path), name, kind, size)
    return None
