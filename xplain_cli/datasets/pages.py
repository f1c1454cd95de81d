"""What the pages of a parquet file unpack to, by their own headers: its summary may say less."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from xplain_cli.datasets.bounds import BATCH_BYTES, check_held
from xplain_cli.datasets.sources import DataFile
from xplain_cli.errors import naming, require

_DICTIONARY, _DATA_2 = 2, 3  # kinds of pages
_PREFIXED = 7  # each text as its difference to the one before: DELTA_BYTE_ARRAY
_OF_DICTIONARY = frozenset({2, 8})
_MOST_HEADER = 1 << 24  # what pyarrow allows too
_DEEPEST = 12
_FEW_BYTES = 512  # a dictionary that is smaller has no cell that counts
_BINARY, _LIST, _SET, _STRUCT = 8, 9, 10, 12  # types of Thrift's compact protocol
_TEXT = 6  # a physical type of columns
_CODECS = ("", "snappy", "gzip", "lzo", "brotli", "lz4_hadoop", "zstd", "lz4_raw")
_END = struct.Struct("<I4s")  # the length of the summary and the name of the format


class _Thrift:
    """Reads the fields of one struct in Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _natural(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("the header of a page is damaged")

    def _whole(self) -> int:
        coded = self._natural()
        return (coded >> 1) ^ -(coded & 1)

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._data):
            raise IndexError

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._natural()
        kind = 3 if head & 15 in {1, 2} else head & 15
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _value(self, kind: int, depth: int) -> Any:
        if kind in {1, 2}:
            return kind == 1
        if kind in {4, 5, 6}:
            return self._whole()
        if kind == _STRUCT:
            return self.fields(depth + 1)
        if kind in {3, 7, _BINARY}:
            self._skip(1 if kind == 3 else 8 if kind == 7 else self._natural())
        elif kind in {_LIST, _SET}:
            return self._list(depth)
        else:
            raise ValueError("the header of a page is damaged")
        return None

    def fields(self, depth: int = 0) -> dict[int, Any]:
        """Return the values by the numbers of their fields; of texts None."""
        if depth > _DEEPEST:
            raise ValueError("the header of a page is damaged")
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._whole()
            found[number] = self._value(head & 15, depth)
        return found


@dataclass(frozen=True)
class _Page:
    """A page: what it is, where its bytes are, what they unpack to, how many cells it holds."""

    kind: int
    start: int
    packed: int
    unpacked: int
    cells: int
    encoding: int


def _header(handle: BinaryIO, start: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the header at *start*, and where it ends."""
    size = 1 << 10
    while True:
        handle.seek(start)
        data = handle.read(size)
        reader = _Thrift(data)
        try:
            return reader.fields(), start + reader.at
        except IndexError:
            if len(data) < size or size > _MOST_HEADER:
                raise ValueError("a page is cut short") from None
        size <<= 4


def _natural(fields: dict[int, Any], number: int) -> int:
    value = fields.get(number, 0)
    if not isinstance(value, int) or value < 0:
        raise ValueError("the header of a page is damaged")
    return value


@dataclass(frozen=True)
class _Chunk:
    """A column of a row group: its physical type, its codec, where its pages are."""

    kind: int
    codec: str
    cells: int
    start: int
    packed: int


def _chunk(columns: Any, column: int) -> _Chunk:
    """Return a column of a row group, by what stands in the summary of the file."""
    held = columns[column] if isinstance(columns, list) and column < len(columns) else None
    told = held if isinstance(held, dict) else {}
    if 8 in told:
        raise ValueError("some of its columns are encrypted; leave them out with --drop-columns")
    own = told.get(3)
    own = own if isinstance(own, dict) else {}
    kind, codec, cells, packed = (_natural(own, number) for number in (1, 4, 5, 7))
    if not own or codec >= len(_CODECS):
        raise ValueError("its summary is damaged")
    places = (_natural(own, number) for number in (9, 11))
    start = min((place for place in places if place), default=0)
    return _Chunk(kind, _CODECS[codec], cells, start, packed)


def _row_groups(handle: BinaryIO) -> list[Any]:
    """
    Return the columns of each row group, as the summary of a file tells of them.

    Of a damaged or encrypted one pyarrow would tell nothing: it ends the whole process.
    """
    end = handle.seek(-_END.size, 2)
    length, _ = _END.unpack(handle.read(_END.size))
    handle.seek(max(0, end - length))
    try:
        groups = _Thrift(handle.read(length)).fields().get(4)
    except IndexError:
        groups = None
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise ValueError("its summary is damaged")
    return [group.get(1) for group in groups]


def _pages(handle: BinaryIO, chunk: _Chunk) -> Iterator[_Page]:
    """Yield the pages of a column of a row group, as pyarrow will meet them."""
    start, end, cells = chunk.start, chunk.start + chunk.packed, 0
    while start < end and cells < chunk.cells:
        fields, body = _header(handle, start)
        kinds = (fields.get(number) for number in (5, 7, 8))
        own: dict[int, Any] = next((one for one in kinds if isinstance(one, dict)), {})
        kind, unpacked, packed = (_natural(fields, number) for number in (1, 2, 3))
        count, encoding = _natural(own, 1), _natural(own, 4 if kind == _DATA_2 else 2)
        yield _Page(kind, body, packed, unpacked, count, encoding)
        cells += 0 if kind == _DICTIONARY else count
        start = body + packed


def _longest_word(handle: BinaryIO, page: _Page, codec: str) -> int:
    """Return the bytes of the longest text of a dictionary, or more than that."""
    if page.unpacked <= _FEW_BYTES or page.unpacked > BATCH_BYTES:
        return page.unpacked
    arrow = require("pyarrow", "parquet")
    handle.seek(page.start)
    data = handle.read(page.packed)
    if codec:
        try:
            data = arrow.decompress(data, page.unpacked, codec=codec, asbytes=True)
        except (arrow.ArrowException, OSError, ValueError):  # a codec by another name
            return page.unpacked
    at = longest = 0
    while at + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        longest = max(longest, length)
        at += 4 + length
    return min(longest, page.unpacked)


@dataclass
class _Leaf:
    """
    What a column of plain cells takes at most.

    Attributes
    ----------
    path
        Its name, and of a nested one those of what it stands in.
    repeated
        Whether a row may have several cells.
    page
        The bytes of its largest page, and of its largest dictionary.
    cell
        The bytes of a cell.
    crowd
        The cells of the row group that has most.
    """

    path: str
    repeated: bool
    page: int = 0
    cell: int = 8
    crowd: int = 0


def _look(handle: BinaryIO, chunk: _Chunk, leaf: _Leaf) -> None:
    """Take in what a column of one row group takes."""
    word = largest = cells = dictionary = 0
    is_text = chunk.kind == _TEXT
    for page in _pages(handle, chunk):
        if page.kind == _DICTIONARY:
            dictionary = page.unpacked
            word = _longest_word(handle, page, chunk.codec) if is_text else 0
            continue
        largest = max(largest, page.unpacked)
        cells += page.cells
        if is_text:
            mean = -(-page.unpacked // max(1, page.cells))
            own = page.unpacked if page.encoding == _PREFIXED else mean
            leaf.cell = max(leaf.cell, word if page.encoding in _OF_DICTIONARY else own)
    leaf.page = max(leaf.page, largest + dictionary)
    leaf.crowd = max(leaf.crowd, cells)


def batch_size(file: DataFile, parquet: Any, columns: Sequence[str], size: int) -> int:
    """
    Return how many rows of some columns may be read at a time, at most *size*.

    What a file unpacks to as a whole does not count, as it is never held as a whole.

    Raises
    ------
    RefusedError
        The pages that are in memory at one time, or the lists of a row group, are too large.
    ValueError
        The headers of its pages are damaged.
    """
    schema = parquet.schema
    pages = row = 0
    with open(file.path, "rb") as handle:  # noqa: PTH123 - bytes at places
        groups = _row_groups(handle)
        for i in range(len(schema)):
            path = schema.column(i).path
            if not any(path == column or path.startswith(f"{column}.") for column in columns):
                continue
            leaf = _Leaf(path, schema.column(i).max_repetition_level > 0)
            if schema.column(i).physical_type == "FIXED_LEN_BYTE_ARRAY":
                leaf.cell = max(8, schema.column(i).length)
            for group in groups:
                _look(handle, _chunk(group, i), leaf)
            if leaf.repeated:
                what = f"the lists of column {path!r}"
                column = path.split(".")[0]
                way_out = f"flatten it, or leave it out with {naming('--drop-columns', column)}"
                check_held(file, leaf.crowd * leaf.cell, what, way_out)
            pages += leaf.page
            row += leaf.cell
    way_out = "write it again with smaller pages (data_page_size=2**20, write_batch_size=16)"
    check_held(file, pages, "pages of its columns", way_out)
    return max(1, min(size, BATCH_BYTES // max(1, row)))
