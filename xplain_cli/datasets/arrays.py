"""NumPy files (npy, npz): an array is the table; nothing is unpickled or allocated unseen."""

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.files import spool_bytes
from xplain_cli.datasets.sources import CellBlock, CellQuery, DataFile, ReadOptions, block_rows
from xplain_cli.errors import RefusedError, counted, nearest

MOST_BYTES = 1 << 30
"""What a member of an npz file may take, unpacked or as float64; an npy file is read in place."""

_LAST_CHARACTER, _SURROGATES = 0x10FFFF, 0xD800 >> 11
_MOST_COLUMNS = 100_000
_HEADER_BYTES = 1 << 18  # that of an array with some thousand fields

_NAMES = ("X", "data")
_MOST_MEMBERS = 1000
_MAGIC = b"\x93NUMPY"
_FORMS = {"b": "bool", "i": "integer", "u": "integer", "f": "number", "U": "text", "M": "date"}
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    MemoryError,
    SyntaxError,
    TypeError,
)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Turn what numpy and zipfile say of a broken file into a refusal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # headers written by Python 2
            yield
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if "Python objects" in reason or "Object arrays" in reason:
            reason = "its array holds Python objects, which only running a pickle could read"
        raise RefusedError(
            f"{name}: cannot be read: {reason}; save a plain array with numpy.save"
        ) from error


@dataclass(frozen=True)
class Array:
    """A checked array: a column a field, or a column a position."""

    keeps_types: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    file: DataFile
    columns: tuple[str, ...]
    values: Any  # (rows, columns), or (rows,) with fields; mapped, not in memory
    missing: Missing

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.values)

    @property
    def flaws(self) -> Mapping[int, str]:
        """No row: a broken file is refused."""
        return {}

    def _part(self, column: str, start: int) -> Any:
        """
        Return a block of a column from *start* on.

        Raises
        ------
        RefusedError
            A text holds what is no character: Python could not make a text of it.
        """
        rows = self.values[start : start + block_rows(len(self.columns))]
        named = self.values.dtype.names is not None
        part = np.ascontiguousarray(rows[column] if named else rows[:, int(column)])
        if part.dtype.kind == "U" and part.dtype.itemsize:
            part = part.astype(part.dtype.newbyteorder("="))
            codes = part.view(np.uint32).reshape(len(part), -1)
            wrong = ((codes > _LAST_CHARACTER) | (codes >> 11 == _SURROGATES)).any(axis=1)
            if wrong.any():
                raise RefusedError(
                    f"{self.file.name}: row {start + int(wrong.argmax())}, column {column!r} holds"
                    " what is no character; save the texts again"
                )
        return part

    def _known(self, part: Any) -> Any:
        """Tell which cells (rows,) are not missing."""
        if part.dtype.kind == "U" and part.dtype.itemsize:
            return ~np.isin(part, sorted(self.missing.words))
        if part.dtype.kind == "M":
            return ~np.isnat(part)
        if part.dtype.kind == "b":
            return np.ones(len(part), dtype=np.bool_)
        return ~np.isnan(self._floats(part))

    def _floats(self, part: Any) -> Cells:
        floats = part.astype(np.float64)
        return np.where(np.isin(floats, sorted(self.missing.numbers)), np.nan, floats)

    def _starts(self) -> range:
        return range(0, self.rows, block_rows(len(self.columns)))

    def survey(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Take the stored types; look at the cells for missing ones and for ISO dates."""
        facts = dict.fromkeys(columns, Facts())
        for start in self._starts():
            for column in columns:
                facts[column] += self._look(self._part(column, start))
        return facts

    def _look(self, part: Any) -> Facts:
        known = part[self._known(part)]
        forms = Counter(map(cell.form_of_word, known.tolist())) if part.dtype.kind == "U" else {}
        if part.dtype.kind != "U" and len(known):
            forms = Counter({_FORMS[part.dtype.kind]: len(known)})
        if part.dtype.kind in "iu" and (long := cell.count_long(known)):
            forms = Counter({cell.LONG: long, "integer": len(known) - long})
        return Facts(dict(forms), len(part) - len(known))

    def blocks(self, wanted: CellQuery) -> Generator[CellBlock, None, None]:
        """Yield all rows in order."""
        for start in self._starts():
            yield self._block(start, wanted)

    def _block(self, start: int, wanted: CellQuery) -> CellBlock:
        reasons: dict[int, str] = {}

        def typed(column: str, kind: str) -> Cells:
            part = self._part(column, start)
            if kind == "number" and part.dtype.kind in "iuf":
                return self._floats(part)
            raw: Any = np.where(self._known(part), part.astype(object), None)
            return cell.convert(
                raw.tolist(),
                kind,
                missing=self.missing,
                column=column,
                where=lambda i: f"{self.file.name}: row {wanted.first + start + i}",
                reasons=reasons,
                shown=wanted.show_cells,
            )

        return CellBlock(
            min(block_rows(len(self.columns)), self.rows - start),
            {column: typed(column, kind) for column, kind in wanted.kinds.items()},
            {c: cell.as_text(self._part(c, start).tolist()) for c in wanted.carried},
            reasons,
        )


def _is_table(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bool:
    return len(shape) == (2 if dtype.names is None else 1)


def _shape(header: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an npy file: its shape and dtype."""
    version = np.lib.format.read_magic(header)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(header, max_header_size=_HEADER_BYTES)
    return shape, dtype


_Member = tuple[zipfile.ZipInfo, tuple[int, ...]]


def _members(file: DataFile, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays that may be meant by their names, before any of them is opened."""
    infos = {
        PurePosixPath(info.filename).with_suffix("").as_posix(): info
        for info in archive.infolist()
        if not info.is_dir()
    }
    if file.member and file.member not in infos:
        listed = ", ".join(list(infos)[:12]) + (", ..." if len(infos) > 12 else "")
        raise RefusedError(
            f"{file.name}: holds {listed or 'no array'}, and no {file.member!r}"
            f"{nearest(file.member, list(infos)[:_MOST_MEMBERS])}"
        )
    if file.member:
        return {file.member: infos[file.member]}
    if len(infos) > _MOST_MEMBERS and not any(name in infos for name in _NAMES):
        raise RefusedError(
            f"{file.name}: holds {len(infos)} arrays; which one is the table? say it with"
            f" {file.name}:NAME, or save it as X (rows, columns)"
        )
    many = len(infos) > _MOST_MEMBERS
    return {name: info for name, info in infos.items() if not many or name in _NAMES}


def _choose(file: DataFile, archive: zipfile.ZipFile) -> _Member:
    """Return the member that the user names, or the table: the only one, or the one named so."""
    shapes: dict[str, tuple[zipfile.ZipInfo, tuple[int, ...], bool]] = {}
    for name, info in _members(file, archive).items():
        with archive.open(info) as handle:
            shape, dtype = _shape(handle)
        shapes[name] = (info, shape, _is_table(dtype, shape))
    if file.member:
        return shapes[file.member][:2]
    tables = [name for name, (_, _, fits) in shapes.items() if fits]
    named = [name for name in tables if name in _NAMES]
    chosen = tables if len(tables) == 1 else named
    if len(chosen) != 1:
        held = ", ".join(f"{name} {shape}" for name, (_, shape, _) in list(shapes.items())[:12])
        raise RefusedError(
            f"{file.name}: holds {held or 'no array'}; which one is the table? say it with"
            f" {file.name}:NAME, or save it as X (rows, columns)"
        )
    return shapes[chosen[0]][:2]


def _unpack(file: DataFile) -> str:
    """Copy the table of an npz file to a temporary npy file; return its path."""
    with zipfile.ZipFile(file.path) as archive:
        info, shape = _choose(file, archive)
        takes = max(info.file_size, 8 * math.prod(shape))
        if takes > MOST_BYTES:
            raise RefusedError(
                f"{file.name}: {info.filename} {shape} takes {takes} bytes, more than"
                f" {MOST_BYTES}; save it with numpy.save, which needs no unpacking"
            )
        with archive.open(info) as handle:
            return spool_bytes(handle, file.name, info.file_size)


def _columns(file: DataFile, values: Any) -> tuple[str, ...]:
    """Return the names of the columns, where the array is a table of plain cells."""
    if not _is_table(values.dtype, values.shape):
        raise RefusedError(
            f"{file.name}: is an array of shape {values.shape}; a table is (rows, columns), for"
            " example values.reshape(len(values), -1)"
        )
    names = values.dtype.names
    width = values.shape[1] if names is None else len(names)
    if not values.nbytes or width > _MOST_COLUMNS:
        raise RefusedError(
            f"{file.name}: {counted(len(values))} and {counted(width, 'column')}; there is"
            f" no table to read, save one with rows and at most {_MOST_COLUMNS} columns"
        )
    columns = tuple(names) if names is not None else tuple(map(str, range(width)))
    for column in columns:
        dtype = values.dtype if names is None else values.dtype[column]
        if dtype.kind not in _FORMS or dtype.shape:
            raise RefusedError(
                f"{file.name}: column {column!r} holds {dtype}; save numbers, bools or str"
            )
    return columns


def open_array(file: DataFile, options: ReadOptions) -> Array:
    """
    Check an npy or npz file; which of them it is its first bytes say.

    The columns of a plain array are ``"0"``, ``"1"``, ...; fields have names. Of several arrays
    the only one with rows and columns is the table, else the one named ``X`` or ``data``.

    Raises
    ------
    RefusedError
        Not such a file, truncated, an array of objects, not rows and columns, no or several
        tables, more than 100,000 columns, or a member of an npz file that takes more than 1 GiB.
    """
    with Path(file.path).open("rb") as handle:
        head = handle.read(len(_MAGIC))
    if head == _MAGIC and file.member:
        raise RefusedError(f"{file.name}: is one array, in no archive; name it without its member")
    if head != _MAGIC and not head.startswith(b"PK"):
        raise RefusedError(
            f"{file.name}: is neither npy nor npz; save an array with numpy.save, or say what it is"
            " with --input-format"
        )
    with _refusing(file.name):
        path = file.path if head == _MAGIC else _unpack(file)
        values = np.lib.format.open_memmap(path, mode="r", max_header_size=_HEADER_BYTES)
        columns = _columns(file, values)
    return Array(file, columns, values, cell.missing_words(options.na_values))
