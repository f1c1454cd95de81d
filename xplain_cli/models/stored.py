"""Reads the bytes of a model file once: hash, bounded unpacking, kind by content."""

import bz2
import hashlib
import io
import lzma
import mmap
import os
import re
import stat
import threading
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from xplain_cli.errors import RefusedError, require
from xplain_cli.models.onnx.files import listing, looks_like_onnx, outside_files
from xplain_cli.models.pickles.unpickler import Content
from xplain_cli.models.torch.archive import EXPORT, REFUSED, is_torch

LARGEST = 4 * 2**30
"""Bytes that a compressed model may unpack to."""

_PLAIN_SIZE, _DENSEST = 2**28, 200

MODEL_SUFFIXES = frozenset({
    ".bin",
    ".cbm",
    ".joblib",
    ".json",
    ".onnx",
    ".pickle",
    ".pkl",
    ".pt",
    ".pt2",
    ".skops",
    ".ubj",
})
"""Suffixes that models have, for hints alone: the kind of a file is told by its content."""

_LARGE, _HEAD = 2**22, 64
_NO_FILES = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_COMPRESSORS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x5d\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x78", "zlib"),
)
_LOOKS = (
    (b"\x89HDF", "an HDF5 file (Keras?)"),
    (b"{", "JSON text that holds no XGBoost model"),
    (b"ZF", "a joblib file older than 0.10"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1", "a parquet table"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"<", "HTML or XML text"),
    (b"version https://git-lfs", "a git-lfs pointer (run git lfs pull)"),
)
_NATIVE = (
    (re.compile(rb"CBM1"), "catboost"),
    (re.compile(rb"tree\r?\n"), "lightgbm"),
    (re.compile(rb'\{\s*"(learner|version)"'), "xgboost"),
    (re.compile(rb"\{L.{8}(learner|version)", re.DOTALL), "xgboost"),
)
# the number that torch.save wrote before 1.6, as a pickle of its own
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_WAY_OUT = "; export the model to ONNX, or store it as a pickle"
# protocol 0 and 1 have no mark of their own: these opcodes open every such file that holds a model
_OLD_PICKLE_OPENERS = b"c(]}"


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Content, max_length: int, /) -> bytes: ...


class Digest:
    """SHA-256 of some content, counted on a thread of its own while the content is judged."""

    def __init__(self, data: Content) -> None:
        self._sum = hashlib.sha256()
        self._worker = threading.Thread(target=self._sum.update, args=(data,))
        self._worker.start()

    def hex(self) -> str:
        """Wait for the sum, and return it."""
        self._worker.join()
        return self._sum.hexdigest()


@dataclass(frozen=True)
class ModelContent:
    """
    A model file's content.

    Attributes
    ----------
    kind
        ``pickle``, ``onnx``, ``skops``, ``xgboost``, ``lightgbm``, ``catboost`` or ``torch``.
    digest
        SHA-256 of the file as it lies on the disk; of an ONNX model that keeps data in other files,
        of the list that ``listing`` makes of all of them.
    size
        Bytes on the disk.
    data
        The bytes, unpacked where they were compressed; in memory that no other process can change.
    """

    kind: str
    digest: Digest
    size: int
    data: Content

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the file as it lies on the disk."""
        return self.digest.hex()

    @property
    def plain(self) -> bytes:
        """The data as an object of type bytes, which most readers ask for."""
        return bytes(self.data)


def _unpacker(name: str) -> _Unpacker:
    if name in {"gzip", "zlib"}:
        return zlib.decompressobj(31 if name == "gzip" else 15)
    if name == "bz2":
        return bz2.BZ2Decompressor()
    if name == "lz4":
        require("lz4", "lz4")
        unpacker: Any = require("lz4.frame", "lz4")
        return unpacker.LZ4FrameDecompressor()  # type: ignore[no-any-return]  # untyped package
    return lzma.LZMADecompressor()


def _unpack(path: str, name: str, data: Content, cap: int) -> bytes:
    unpacker = _unpacker(name)
    try:
        unpacked = unpacker.decompress(data, cap + 1)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, RuntimeError) as error:
        raise RefusedError(f"{path}: not a readable {name} file ({error})") from error
    if len(unpacked) > cap:
        raise RefusedError(
            f"{path}: unpacks to more than {cap} bytes; store the model without compression"
        )
    if not unpacker.eof:
        raise RefusedError(f"{path}: the {name} stream is cut short")
    if unpacker.unused_data:
        count = len(unpacker.unused_data)
        raise RefusedError(f"{path}: {count} bytes follow the {name} stream")
    return unpacked


def _zip_kind(path: str, data: Content) -> str:
    """Return the kind of a zip archive, or refuse it with what it looks like."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
        raise RefusedError(f"{path}: a damaged zip archive ({error})") from error
    if "schema.json" in names:
        return "skops"
    if is_torch(names):
        return "torch"
    if names and all(name.endswith(".npy") for name in names):
        raise RefusedError(f"{path}: a NumPy .npz archive, which holds arrays and no model")
    raise RefusedError(f"{path}: a zip archive that holds no model; unpack it, name a file of it")


def _form(path: str, data: Content) -> str:
    """Return the kind, or refuse with what it looks like."""
    head = data[:_HEAD]
    if data[:1] == b"\x80" or (data[:1] in _OLD_PICKLE_OPENERS and data[-1:] == b"."):
        return "pickle"
    if looks_like_onnx(data):
        return "onnx"
    native = next((kind for mark, kind in _NATIVE if mark.match(head)), None)
    if native is not None:
        return native
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path, data)
    for magic, name in _LOOKS:
        if head.startswith(magic):
            raise RefusedError(
                f"{path}: looks like {name}, not a model that xplain opens{_WAY_OUT}"
            )
    if Path(path).suffix == ".onnx":
        raise RefusedError(f"{path}: not a readable ONNX file; export it again")
    raise RefusedError(f"{path}: neither a pickle nor an ONNX file{_WAY_OUT}")


def _fill(path: str, file: io.FileIO, held: mmap.mmap) -> None:
    with memoryview(held) as left:
        at = 0
        while at < len(held):
            count = file.readinto(left[at:])
            if not count:
                raise RefusedError(f"{path}: was cut short while it was read")
            at += count


def _opened(path: str, flags: int) -> int:
    # the open of a pipe that nobody writes to would wait for ever
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_regular(path: str, mode: int) -> None:
    """Refuse what has no end, or cannot be read twice: it is read again in every worker."""
    if not stat.S_ISREG(mode):
        what = next((name for test, name in _NO_FILES if test(mode)), "no regular file")
        raise RefusedError(
            f"{path}: {what}, not a model file; write the model to a file, name that"
        )


def _read(path: str) -> Content:
    """Return the whole file; a large one in huge pages, which is three times as fast."""
    try:
        # what stands there is asked first: opening a device or a pipe may do something
        _check_regular(path, Path(path).stat().st_mode)
        with io.FileIO(path, opener=_opened) as file:
            state = os.fstat(file.fileno())
            size = state.st_size
            _check_regular(path, state.st_mode)
            if size < _LARGE or not hasattr(mmap, "MADV_HUGEPAGE"):
                held = file.read(size + 1)
                if held is None or len(held) > size:
                    raise RefusedError(f"{path}: grew while it was read; try again")
                return held
            held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            held.madvise(mmap.MADV_HUGEPAGE)
            _fill(path, file, held)
            return held
    except OSError as error:
        way = "; check the name" if isinstance(error, FileNotFoundError) else ""
        raise RefusedError(f"{path}: {(error.strerror or str(error)).lower()}{way}") from error


def unpacked_cap(size: int, cap: int = LARGEST) -> int:
    """Return to how many bytes a file of *size* bytes may unpack: models are never that dense."""
    return min(cap, max(_PLAIN_SIZE, _DENSEST * size))


def _digest(path: str, raw: Content) -> Digest:
    """Return the digest of a file, and of the other files that an ONNX model needs."""
    digest = Digest(raw)
    names = outside_files(path, raw) if looks_like_onnx(raw) else ()
    return Digest(listing(path, digest.hex(), names)) if names else digest


def _files_in(path: str) -> str:
    """Return the way out for a folder that was named as the model."""
    held = sorted(one.name for one in Path(path).iterdir() if one.is_file())
    models = [name for name in held if Path(name).suffix in MODEL_SUFFIXES]
    if not models:
        return "; name the model's file"
    return f"; name a file of it, such as {str(Path(path) / models[0])!r}"


def read_stored(path: str, sha256: str | None = None, cap: int = LARGEST) -> ModelContent:
    """
    Read a model file once and say what it is.

    Parameters
    ----------
    path
        The file.
    sha256
        The SHA-256 (hex, any case) that the file must have; None: any.
    cap
        Bytes that a compressed file may unpack to.

    Raises
    ------
    RefusedError
        The file is missing, empty, another one than pinned, too large, damaged or of another kind.
    """
    if Path(path).is_dir():
        raise RefusedError(f"{path}: a folder, not a model file{_files_in(path)}")
    raw = _read(path)
    if not raw:
        raise RefusedError(f"{path}: the file is empty; store the model again")
    digest = _digest(path, raw)
    if sha256 is not None and sha256.strip().lower() != digest.hex():
        raise RefusedError(f"{path}: its SHA-256 is {digest.hex()}, not the pinned {sha256}")
    head = raw[:_HEAD]
    if head.startswith(_OLD_TORCH):
        raise RefusedError(
            f"{path}: {REFUSED}: a torch file in the form before 1.6, a chain of pickles; load it"
            f" into its module and export it: {EXPORT}"
        )
    packed = next((name for magic, name in _COMPRESSORS if head.startswith(magic)), None)
    data = raw if packed is None else _unpack(path, packed, raw, unpacked_cap(len(raw), cap))
    kind = _form(path, data)
    if packed is not None and kind != "pickle":
        raise RefusedError(f"{path}: a {packed} file that holds no pickle; unpack it first")
    return ModelContent(kind, digest, len(raw), data)
