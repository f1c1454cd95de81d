"""Pictures in NumPy files: the header is looked at before anything is made of the bytes."""

import atexit
import contextlib
import math
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, nearest

LARGEST = 8 * 2**30
"""Bytes that an array of an .npz may unpack to."""
_MOST_HEADER = 1 << 16

_NAMES = ("images", "pictures", "x", "X", "data", "arr_0")


def _header(path: str, file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return shape, dtype and the bytes that an array must have."""
    try:
        version = np.lib.format.read_magic(file)
        old = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise RefusedError(f"{path}: not a readable NumPy array: {reason}") from error
    if dtype.kind not in "uifb":
        raise RefusedError(
            f"{path}: holds {dtype}, not numbers; store the pixels as uint8 or float"
        )
    return shape, dtype, math.prod(shape) * dtype.itemsize


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()


def _spool(path: str, archive: zipfile.ZipFile, member: str) -> str:
    """Unpack one array to a temporary file, so that rows of it can be read alone."""
    with archive.open(member) as packed:
        _, _, size = _header(f"{path}: {member}", packed)  # type: ignore[arg-type]  # readable is enough
    if size > LARGEST:
        raise RefusedError(
            f"{path}: {member} unpacks to {size:,} bytes, more than {LARGEST:,}; store it as .npy"
        )
    handle, spool = tempfile.mkstemp(prefix="xplain-", suffix=".npy")
    atexit.register(_remove, spool)
    left = size + _MOST_HEADER
    try:
        with os.fdopen(handle, "wb") as out, archive.open(member) as packed:
            while left > 0 and (block := packed.read(1 << 20)):
                left -= out.write(block[:left])  # what stands behind the array is not of it
    except (OSError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise RefusedError(f"{path}: {member} cannot be unpacked: {error}") from error
    return spool


def _member(path: str, archive: zipfile.ZipFile, asked: str) -> str:
    """Return the array that is asked for, the one of an archive, or one named as pictures are."""
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    if f"{asked}.npy" in names:
        return f"{asked}.npy"
    known = [f"{name}.npy" for name in _NAMES if f"{name}.npy" in names]
    if not asked and (len(names) == 1 or known):
        return (known or names)[0]
    named = [name.removesuffix(".npy") for name in names[:1000]]
    listed = ", ".join(named[:12]) + (", ..." if len(names) > 12 else "") or "none"
    if asked:
        hint = nearest(asked, named)
        raise RefusedError(f"{path}: has no array {asked!r}{hint}; it has {listed}")
    raise RefusedError(
        f"{path}: which array holds the pictures? It has {listed}; say it with {path}:NAME, or"
        f" name it one of {', '.join(_NAMES)}"
    )


def _as_stack(path: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return (rows, height, width) or (rows, height, width, channels)."""
    shape = array.shape
    if 0 in shape:
        raise RefusedError(f"{path}: has the shape {shape}: no pixels")
    if len(shape) == 3:
        return array[None] if shape[2] in {3, 4} else array
    if len(shape) == 4 and shape[3] in {1, 3, 4}:
        return array
    if len(shape) == 4 and shape[1] in {1, 3, 4}:
        return np.moveaxis(array, 1, 3)
    raise RefusedError(
        f"{path}: has the shape {shape}; pictures are (rows, height, width),"
        " (rows, height, width, channels) or (rows, channels, height, width)"
    )


def open_stack(path: str, member: str = "") -> NDArray[Any]:
    """
    Map the pictures of an .npy or .npz file into memory; no pickle is ever read.

    Parameters
    ----------
    member
        The array of an .npz file that is meant; empty: the one that holds pictures.

    Returns
    -------
    (rows, height, width) or (rows, height, width, channels); an array (height, width, 3 or 4) is
    one picture.

    Raises
    ------
    RefusedError
        It is damaged, holds no numbers, is cut short, unpacks to too much, or has another shape.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(4)
        if head == b"PK\x03\x04":
            with zipfile.ZipFile(path) as archive:
                return open_stack(_spool(path, archive, _member(path, archive, member)))
        with Path(path).open("rb") as file:
            _, _, size = _header(path, file)
            left = os.fstat(file.fileno()).st_size - file.tell()
    except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise RefusedError(f"{path}: cannot be read: {error}") from error
    if left < size:
        raise RefusedError(f"{path}: is cut short: {left:,} of {size:,} bytes are there")
    return _as_stack(path, np.load(path, mmap_mode="r", allow_pickle=False))
