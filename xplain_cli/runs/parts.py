"""Parts: the records of one chunk of rows as one file of plain arrays, and back, exactly."""

import io
import json
import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.explanation import IntArray, Records, distinct_words

SCHEMA = 1
"""Version of the stored form; a part of another version is computed anew."""

NAME = re.compile(r"part-(\d{9,})-(\d{9,})\.npz")
"""What the file of a part is called: its rows, START and STOP, see ``name_of``."""
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)
_LONGEST_TEXT = 1 << 27  # bytes of JSON: what it says may take twenty times as much in memory
_NULLS = (type(pd.NA), type(pd.NaT))
_NATIVE_KINDS = "biufmM"
_SIZED_KINDS = "SUV"  # a word such as U1000000000 makes each cell as large
_LINE_NAMES = ("row_id", "target", "feature")


def name_of(start: int, stop: int) -> str:
    """Return the name of the part of rows *start* to *stop*."""
    return f"part-{start:09d}-{stop:09d}.npz"


def _plain(value: Any) -> Any:
    """Return a cell that JSON does not know as one that it knows."""
    if isinstance(value, _NULLS):
        return None
    return value.item() if isinstance(value, np.generic) else str(value)


def _as_numbers(values: list[Any], types: set[type]) -> NDArray[Any] | None:
    """Return cells of one number type as an array, else ``None``."""
    if types and types <= {float, np.float64}:
        return np.array(values, np.float64)
    if types == {int} and max(map(abs, values)) < 2**62:
        return np.array(values, np.int64)
    return None


class _Sheet:
    """One frame taken apart: a block of lines per dtype, and the rest as plain JSON values."""

    def __init__(self) -> None:
        self.blocks: dict[str, list[NDArray[Any]]] = {}
        self.columns: list[list[Any]] = []

    def add(self, name: str, column: "pd.Series[Any]") -> None:
        """Add a column by the densest form that gives it back exactly."""
        dtype = column.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in _NATIVE_KINDS:
            self._add(name, "array", str(dtype), column.to_numpy())
            return
        label = "object" if isinstance(dtype, pd.CategoricalDtype) else str(dtype)
        if isinstance(dtype, pd.StringDtype) and not column.hasnans:
            self._add_words(name, label, column)
            return
        values = column.tolist()
        types = set(map(type, values))
        numbers = _as_numbers(values, types)
        if numbers is not None:
            self._add(name, "numbers", label, numbers)
        elif types == {str}:
            self._add_words(name, label, column)
        else:
            self.columns.append([name, "values", label, values])

    def _add_words(self, name: str, label: str, column: "pd.Series[Any]") -> None:
        """Add a column of texts alone: the distinct ones by first appearance, and their places."""
        places, words = distinct_words(column)
        self._add(name, "words", label, places.astype(np.int32))
        self.columns[-1].append(words)

    def _add(self, name: str, how: str, label: str, array: NDArray[Any]) -> None:
        block = self.blocks.setdefault(array.dtype.str, [])
        self.columns.append([name, how, label, array.dtype.str, len(block)])
        block.append(array)

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the blocks (columns, lines) and the JSON, named under *prefix*."""
        text = json.dumps(self.columns, default=_plain).encode()
        out: dict[str, NDArray[Any]] = {f"{prefix}.columns": np.frombuffer(text, np.uint8)}
        for dtype, block in self.blocks.items():
            out[f"{prefix}.{dtype}"] = np.stack(block)
        return out


@lru_cache(maxsize=64)  # the same few kinds are those of nearly all columns
def _check_kind(label: str) -> None:
    if getattr(pd.api.types.pandas_dtype(label), "kind", "O") in _SIZED_KINDS:
        raise ValueError(f"a column of {label}")


def _restore(entry: list[Any], block: Callable[[str], NDArray[Any]]) -> Any:
    _, how, label, *rest = entry
    _check_kind(label)
    if how == "values":
        return pd.Series(rest[0], dtype=label)
    array = block(rest[0])[rest[1]]
    if how == "array":
        return array
    if how == "words" and label != "object":
        return pd.Series(pd.array(rest[2], dtype=label).take(array))
    if how == "words":
        return pd.Series(np.array(rest[2], dtype=object)[array], dtype=label)
    return pd.Series(array.astype(object), dtype=label)


def _frame(arrays: Mapping[str, NDArray[Any]], prefix: str) -> pd.DataFrame:
    entries = json.loads(arrays[f"{prefix}.columns"].tobytes())
    opened: dict[str, NDArray[Any]] = {}

    def block(dtype: str) -> NDArray[Any]:
        if dtype not in opened:
            opened[dtype] = arrays[f"{prefix}.{dtype}"]
        return opened[dtype]

    # Numbered first: a kept column may carry the name of one of ours.
    frame = pd.DataFrame({at: _restore(entry, block) for at, entry in enumerate(entries)})
    frame.columns = pd.Index([entry[0] for entry in entries])
    return frame


def _write_arrays(file: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def _head(identity: str, members: Iterable[str]) -> NDArray[np.uint8]:
    # The members are named since a zip with a damaged directory may look whole without some.
    head = {"schema": SCHEMA, "identity": identity, "members": sorted(members)}
    return np.frombuffer(json.dumps(head).encode(), np.uint8)


def _check_head(arrays: Any, identity: str) -> None:
    members = set(arrays.files) - {"head"}
    if arrays["head"].tobytes() != _head(identity, members).tobytes():
        raise ValueError("a part of another plan, or not all of it")


def pack(records: Records, identity: str) -> bytes:
    """
    Return the bytes of a part: a ``.npz`` of plain arrays that carries the plan's identity.

    Columns come back as they are, but categories as objects and index labels as line numbers.
    """
    arrays: dict[str, NDArray[Any]] = {"lines": records.lines}
    for prefix, frame in (("weights", records.weights), ("stability", records.stability)):
        sheet = _Sheet()
        for at, name in enumerate(frame.columns):
            sheet.add(str(name), frame.iloc[:, at])
        arrays |= sheet.arrays(prefix)
    arrays |= {f"repeats.{name}": array for name, array in records.repeats.items()}
    if records.maps is not None:
        arrays["maps"] = records.maps
    buffer = io.BytesIO()
    _write_arrays(buffer, {"head": _head(identity, arrays), **arrays})
    return buffer.getvalue()


def check_sizes(file: BinaryIO) -> None:
    """
    Ask that a part takes as much memory as it has bytes: somebody else may have made it.

    Raises
    ------
    ValueError
        It would take more, or is no part.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                packed = member.compress_type, member.compress_size
                if packed != (zipfile.ZIP_STORED, member.file_size):
                    raise ValueError(f"{member.filename} is packed")
                if member.filename.endswith(".columns.npy") and member.file_size > _LONGEST_TEXT:
                    raise ValueError(f"{member.filename} is too long")
                with archive.open(member) as array:
                    _check_array(array, member.file_size)
    except _DAMAGE as error:
        raise ValueError(f"a part: {error}") from error


def _check_array(array: IO[bytes], size: int) -> None:
    np.lib.format.read_magic(array)
    shape, _, dtype = np.lib.format.read_array_header_1_0(array)
    if min(shape, default=0) < 0 or array.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError("an array states other sizes than it has")


def is_whole(path: Path, identity: str) -> bool:
    """Say whether *path* is an undamaged part of the plan *identity*: every byte is checked."""
    try:
        with path.open("rb") as file:
            check_sizes(file)
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            _check_head(arrays, identity)
    except _DAMAGE:
        return False
    return True


def _unpack(file: BinaryIO, identity: str) -> Records:
    with np.load(file, allow_pickle=False) as arrays:
        _check_head(arrays, identity)
        named = [name for name in arrays.files if name.startswith("repeats.")]
        records = Records(
            weights=_frame(arrays, "weights"),
            stability=_frame(arrays, "stability"),
            lines=arrays["lines"],
            repeats={name.removeprefix("repeats."): arrays[name] for name in named},
            maps=arrays["maps"] if "maps" in arrays.files else None,
        )
    lines = records.lines
    if lines.dtype.kind not in "iu" or lines.shape != (len(records.stability),):
        raise ValueError("lines that are not counted")
    if min(lines, default=0) < 0 or lines.sum() != len(records.weights):
        raise ValueError("other lines than are counted")
    return records


def unpack(source: Path | BinaryIO, identity: str) -> Records:
    """
    Return the records of a part, from its file or its bytes.

    Raises
    ------
    ValueError
        The part is missing, damaged, or of another plan.
    """
    try:
        with source.open("rb") if isinstance(source, Path) else source as file:
            check_sizes(file)
            file.seek(0)
            return _unpack(file, identity)
    except _DAMAGE as error:
        raise ValueError(f"{source if isinstance(source, Path) else 'a part'}: {error}") from error


def _append(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], arrays: Iterable[NDArray[Any]]
) -> None:
    """Write a member of known shape, its last axis in pieces, as one Fortran-ordered array."""
    stream = iter(arrays)
    first = next(stream)
    head = {
        "descr": np.lib.format.dtype_to_descr(first.dtype),
        "fortran_order": True,
        "shape": shape,
    }
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, head)
        member.write(first.tobytes(order="F"))
        for array in stream:
            member.write(array.tobytes(order="F"))


def _padded(records: Records, repeats: int) -> NDArray[np.float64]:
    """Return the repeats' weights (repeats, lines), NaN where an exact row has none."""
    out = np.full((repeats, len(records.weights)), np.nan)
    found = records.repeats.get("weights")
    if found is not None:
        out[: len(found)] = found
    return out


def write_repeats(file: BinaryIO, paths: Sequence[Path], identity: str) -> None:
    """
    Join the repeats of all parts: "weights" (r, lines), and "row_id", "target", "feature" (lines,).

    Lines are those of the complete weights, in input order. One part is in memory at a time.

    Raises
    ------
    ValueError
        A part is missing, damaged, or of another plan; or there is none.
    """
    if not paths:
        raise ValueError("no parts")
    repeats, total = 0, 0
    widths: IntArray = np.ones(len(_LINE_NAMES), np.int64)
    for path in paths:
        records = unpack(path, identity)
        repeats = max(repeats, len(records.repeats.get("weights", ())))
        total += len(records.weights)
        for at, name in enumerate(_LINE_NAMES):
            longest = records.weights[name].astype(str).str.len().max()
            widths[at] = max(widths[at], 0 if pd.isna(longest) else int(longest))
    with zipfile.ZipFile(file, "w") as archive:
        padded = (_padded(unpack(path, identity), repeats) for path in paths)
        _append(archive, "weights", (repeats, total), padded)
        for name, width in zip(_LINE_NAMES, widths.tolist(), strict=True):
            words = (
                unpack(path, identity).weights[name].to_numpy().astype(f"<U{width}")
                for path in paths
            )
            _append(archive, name, (total,), words)
