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
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.explanation import CodedWords, IntArray, Records, coded, distinct_words

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
_LONGEST_HEAD = 1 << 17  # bytes of the head of an array
_MEMBER_HEAD = struct.Struct("<4s22xHH")  # of a zip: mark, lengths of name and of notes
_MEMBER_MARK = b"PK\x03\x04"
_NULLS = (type(pd.NA), type(pd.NaT))
_Arrays: TypeAlias = dict[str, NDArray[Any] | list[NDArray[Any]]]
"""Arrays by name; several of one dtype are stored one after the other, as one of an axis more."""

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


def _by_appearance(places: IntArray, words: list[Any]) -> tuple[IntArray, list[Any]]:
    """Return places and words anew: words that there are, in order of their first appearance."""
    first = np.full(len(words), len(places), dtype=np.int64)
    first[places[::-1]] = np.arange(len(places))[::-1]
    order = np.argsort(first, kind="stable")[: int((first < len(places)).sum())]
    moved = np.empty(len(words), dtype=np.int64)
    moved[order] = np.arange(len(order))
    return moved[places], [words[at] for at in order.tolist()]


@cache
def _text_label() -> str:
    return str(pd.Index(["a"]).dtype)


def _label_of(words: list[str]) -> str:
    """Return the type that pandas gives a column of these texts."""
    try:
        "".join(words).encode()
    except UnicodeEncodeError:  # a lone surrogate, which is none of Arrow's texts
        return "object"
    return _text_label()


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
        if isinstance(dtype, pd.CategoricalDtype) and not column.hasnans:
            self._add_coded(name, column)
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

    def _add_coded(self, name: str, column: "pd.Series[Any]") -> None:
        """Add a coded column as if each cell had been looked at."""
        places, words = _by_appearance(*distinct_words(column))
        types = set(map(type, words))
        numbers = _as_numbers(words, types)
        if numbers is not None:
            self._add(name, "numbers", "object", numbers[places])
        elif types == {str}:
            self._add(name, "words", _label_of(words), places.astype(np.int32))
            self.columns[-1].append(words)
        else:
            self.columns.append([name, "values", "object", [words[at] for at in places.tolist()]])

    def _add_words(self, name: str, label: str, column: "pd.Series[Any]") -> None:
        """Add a column of texts alone: the distinct ones by first appearance, and their places."""
        places, words = distinct_words(column)
        self._add(name, "words", label, places.astype(np.int32))
        self.columns[-1].append(words)

    def _add(self, name: str, how: str, label: str, array: NDArray[Any]) -> None:
        block = self.blocks.setdefault(array.dtype.str, [])
        self.columns.append([name, how, label, array.dtype.str, len(block)])
        block.append(array)

    def arrays(self, prefix: str) -> _Arrays:
        """Return the JSON and the blocks, each the columns of one dtype, named under *prefix*."""
        text = json.dumps(self.columns, default=_plain).encode()
        arrays: _Arrays = {f"{prefix}.columns": np.frombuffer(text, np.uint8)}
        return arrays | {f"{prefix}.{dtype}": block for dtype, block in self.blocks.items()}


@lru_cache(maxsize=64)  # the same few kinds are those of nearly all columns
def _check_kind(label: str) -> None:
    if getattr(pd.api.types.pandas_dtype(label), "kind", "O") in _SIZED_KINDS:
        raise ValueError(f"a column of {label}")


def _restore_coded(entry: list[Any], array: NDArray[Any]) -> Any:
    """Return a column of numbers, or of texts as a coded one."""
    if entry[1] != "words":
        return array
    label, words = entry[2], entry[-1]
    is_text = array.dtype.kind in "iu" and all(type(word) is str for word in words)
    if not is_text or not (label == "object" or label.startswith("str")):
        raise ValueError("places of words that are none")
    if len(array) and not 0 <= array.min() <= array.max() < len(words):
        raise ValueError("places of words that are not there")
    return coded(CodedWords(array, words))


def _restore(entry: list[Any], block: Callable[[str], NDArray[Any]], *, codes: bool) -> Any:
    _, how, label, *rest = entry
    _check_kind(label)
    if how == "values":
        return pd.Series(rest[0], dtype=label)
    array = block(rest[0])[rest[1]]
    if how == "array" or codes:
        return _restore_coded(entry, array)
    if how == "words" and label != "object":
        return pd.Series(pd.array(rest[2], dtype=label).take(array))
    if how == "words":
        return pd.Series(np.array(rest[2], dtype=object)[array], dtype=label)
    return pd.Series(array.astype(object), dtype=label)


def _frame(arrays: Mapping[str, NDArray[Any]], prefix: str, *, codes: bool) -> pd.DataFrame:
    entries = json.loads(arrays[f"{prefix}.columns"].tobytes())

    def block(dtype: str) -> NDArray[Any]:
        return arrays[f"{prefix}.{dtype}"]

    # Numbered first: a kept column may carry the name of one of ours.
    columns = {at: _restore(entry, block, codes=codes) for at, entry in enumerate(entries)}
    # what is kept must not hold the bytes of its part: copies, but of coded columns
    frame = pd.DataFrame(columns, copy=not codes)
    frame.columns = pd.Index([entry[0] for entry in entries])
    return frame


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """Return the bytes of an array, rows first, without a copy where they lie so."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _write_array(member: IO[bytes], array: NDArray[Any] | list[NDArray[Any]]) -> None:
    """Write an array, or the columns of a block one after the other, as ``.npy``."""
    if isinstance(array, list):
        head = np.lib.format.header_data_from_array_1_0(array[0])
        head |= {"shape": (len(array), *head["shape"]), "fortran_order": False}
    else:
        head = np.lib.format.header_data_from_array_1_0(array)
        array = [array.T if head["fortran_order"] else array]
    np.lib.format.write_array_header_1_0(member, head)
    for column in array:
        member.write(_bytes_of(column))


def _write_arrays(file: BinaryIO, arrays: _Arrays) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                _write_array(member, array)


def _head(identity: str, members: Iterable[str]) -> NDArray[np.uint8]:
    # The members are named since a zip with a damaged directory may look whole without some.
    head = {"schema": SCHEMA, "identity": identity, "members": sorted(members)}
    return np.frombuffer(json.dumps(head).encode(), np.uint8)


def _check_head(head: NDArray[Any], members: Iterable[str], identity: str) -> None:
    if head.tobytes() != _head(identity, set(members) - {"head"}).tobytes():
        raise ValueError("a part of another plan, or not all of it")


def pack(records: Records, identity: str) -> bytes:
    """
    Return the bytes of a part: a ``.npz`` of plain arrays that carries the plan's identity.

    Columns come back as they are, but categories as objects and index labels as line numbers.
    """
    arrays: _Arrays = {"lines": records.lines}
    for prefix, frame in (("weights", records.weights), ("stability", records.stability)):
        sheet = _Sheet()
        for name, column in frame.items():
            sheet.add(str(name), column)
        arrays |= sheet.arrays(prefix)
    arrays |= {f"repeats.{name}": array for name, array in records.repeats.items()}
    if records.maps is not None:
        arrays["maps"] = records.maps
    buffer = io.BytesIO()
    _write_arrays(buffer, {"head": _head(identity, arrays), **arrays})
    return buffer.getvalue()


def _check_member(member: zipfile.ZipInfo) -> None:
    """Ask that a member is stored as it is, and text is no longer than may be read."""
    packed = member.compress_type, member.compress_size
    if packed != (zipfile.ZIP_STORED, member.file_size):
        raise ValueError(f"{member.filename} is packed")
    if member.filename.endswith(".columns.npy") and member.file_size > _LONGEST_TEXT:
        raise ValueError(f"{member.filename} is too long")


def _array_head(array: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and dtype of a stored array of some bytes, which it takes in memory."""
    np.lib.format.read_magic(array)
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(array)
    if min(shape, default=0) < 0 or array.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError("an array states other sizes than it has")
    return shape, is_fortran, dtype


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
                _check_member(member)
                with archive.open(member) as array:
                    _array_head(array, member.file_size)
    except _DAMAGE as error:
        raise ValueError(f"a part: {error}") from error


def _view(content: memoryview) -> NDArray[Any]:
    """Return a stored array, which lies in its bytes."""
    start = io.BytesIO(content[:_LONGEST_HEAD])
    shape, is_fortran, dtype = _array_head(start, len(content))
    if not math.prod(shape):
        return np.empty(shape, dtype)
    flat: NDArray[Any] = np.frombuffer(content, dtype, offset=start.tell())
    return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)


def _views(data: bytes, *, stored: bool) -> dict[str, NDArray[Any]]:
    """Return the arrays of a part by name, all of which lie in its bytes; *stored*: in a file."""
    whole, found = memoryview(data), dict[str, NDArray[Any]]()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        for member in members:
            _check_member(member)
        if sum(member.file_size for member in members) > len(data):
            raise ValueError("members that lie in one another")
        for member in members:
            # its own head, of fixed size but for the name and the notes that follow
            mark, named, noted = _MEMBER_HEAD.unpack_from(data, member.header_offset)
            name = bytes(whole[member.header_offset + _MEMBER_HEAD.size :][:named])
            start = member.header_offset + _MEMBER_HEAD.size + named + noted
            content = whole[start : start + member.file_size]
            is_there = (mark, name) == (_MEMBER_MARK, member.orig_filename.encode())
            is_whole = is_there and len(content) == member.file_size
            # what never lay in a file cannot have been damaged there
            if not is_whole or (stored and zlib.crc32(content) != member.CRC):
                raise ValueError(f"{member.filename} is damaged")
            found[member.filename.removesuffix(".npy")] = _view(content)
    return found


def is_whole(path: Path, identity: str) -> bool:
    """Say whether *path* is an undamaged part of the plan *identity*: every byte is checked."""
    try:
        with path.open("rb") as file:
            check_sizes(file)
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            _check_head(arrays["head"], arrays.files, identity)
    except _DAMAGE:
        return False
    return True


def _unpack(arrays: Mapping[str, NDArray[Any]], identity: str, *, codes: bool) -> Records:
    _check_head(arrays["head"], arrays, identity)
    repeats = {name: array for name, array in arrays.items() if name.startswith("repeats.")}
    records = Records(
        weights=_frame(arrays, "weights", codes=codes),
        stability=_frame(arrays, "stability", codes=codes),
        lines=arrays["lines"].copy(),
        repeats={name.removeprefix("repeats."): one.copy() for name, one in repeats.items()},
        maps=arrays["maps"].copy() if "maps" in arrays else None,
    )
    lines = records.lines
    if lines.dtype.kind not in "iu" or lines.shape != (len(records.stability),):
        raise ValueError("lines that are not counted")
    if min(lines, default=0) < 0 or lines.sum() != len(records.weights):
        raise ValueError("other lines than are counted")
    return records


def unpack(source: Path | bytes, identity: str, *, codes: bool = False) -> Records:
    """
    Return the records of a part, from its file or its bytes.

    Parameters
    ----------
    codes
        Leave texts as coded columns (see ``explanation.coded``) and numbers in columns of objects
        as numbers, all of which lie in the bytes of the part: for what reads a part once.

    Raises
    ------
    ValueError
        The part is missing, damaged, or of another plan.
    """
    try:
        stored = isinstance(source, Path)
        arrays = _views(source.read_bytes() if isinstance(source, Path) else source, stored=stored)
        return _unpack(arrays, identity, codes=codes)
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
