"""Compressed files of DATA: told by their first bytes, and unpacked to a temporary file."""

import bz2
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import IO, Any

from xplain_cli.errors import RefusedError, require

MOST_BYTES = 1 << 36
"""What a compressed file may unpack to."""
FEW_BYTES = 1 << 30
"""What any may unpack to: a larger one must not be more than ``MOST_RATIO`` times its file."""
MOST_RATIO = 200
"""Tables are packed 3 to 50 times; files that are made to fill a disk 1,000 times and more."""

MOST_WINDOW = 1 << 27
"""How far back in what it has unpacked a packed file may point: what zstd reads, twice xz -9."""
_BESIDE = 1 << 23
_BLOCK = 1 << 20

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_ZIP = b"PK\x03\x04"
_BROKEN = (
    *(EOFError, OSError, ValueError, struct.error),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)


def _xz_blocks(path: str) -> Iterator[bytes]:
    """Yield what the streams of an xz file hold, zeros between them left out."""
    with Path(path).open("rb") as file:
        packed = file.read(_BLOCK)
        while packed:
            stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_WINDOW + _BESIDE)
            while not stream.eof:
                if stream.needs_input and not (packed := packed or file.read(_BLOCK)):
                    raise EOFError("it ends before its end-of-stream marker")
                yield stream.decompress(packed, _BLOCK)
                packed = b""
            packed = stream.unused_data.lstrip(b"\0")
            while not packed and (more := file.read(_BLOCK)):
                packed = more.lstrip(b"\0")


class _Xz:
    """An xz file, unpacked in bounded memory: ``lzma.open`` makes as large a window as it says."""

    def __init__(self, path: str) -> None:
        self._blocks = filter(None, _xz_blocks(path))

    def read(self, _size: int) -> bytes:
        """Return the next bytes, at most a mebibyte; none at the end."""
        return next(self._blocks, b"")


def _open_zstd(path: str) -> Any:
    return require("pyarrow", "parquet").input_stream(path, compression="zstd")


_OPENERS: dict[bytes, tuple[str, Callable[[str], Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ": ("xz", _Xz),
    b"\x28\xb5\x2f\xfd": ("zstd", _open_zstd),
}


def suffix_of(path: str) -> str:
    """Return the lower-case ending of a name, without that of what packed it."""
    suffix = PurePath(path).suffix.lower()
    inner = PurePath(path).with_suffix("").suffix.lower() if suffix in SUFFIXES else ""
    return inner or suffix


class Unpacked:
    """What a compressed file holds: a stream that names it where it is damaged or too large."""

    def __init__(self, stream: Any, name: str, kind: str, size: int) -> None:
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
            block: bytes = self._stream.read(size)
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


def _window(path: str, member: zipfile.ZipInfo) -> int:
    """Return the window of a file in a zip archive, where its kind of packing states one."""
    if member.compress_type != zipfile.ZIP_LZMA:
        return 0
    with Path(path).open("rb") as file:
        file.seek(member.header_offset + 26)  # of the local header, whose name may be another
        file.seek(sum(struct.unpack("<HH", file.read(4))), 1)
        return int.from_bytes(file.read(9)[5:], "little")


def _open_zip(path: str, name: str) -> IO[bytes]:
    """
    Open the only file of a zip archive.

    Raises
    ------
    RefusedError
        It holds none, several, one that is encrypted, or one that takes too much memory.
    """
    try:
        archive = zipfile.ZipFile(path)
        files = [one for one in archive.infolist() if not one.is_dir()]
        if len(files) == 1:
            if _window(path, files[0]) > MOST_WINDOW:
                raise ValueError(f"its window is larger than {MOST_WINDOW} bytes")
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
