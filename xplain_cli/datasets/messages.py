"""What the messages of an Arrow file or stream unpack to, as they say themselves."""

import struct
from collections.abc import Iterator
from typing import Any

from xplain_cli.datasets.bounds import check_held
from xplain_cli.datasets.sources import DataFile
from xplain_cli.errors import require

_DICTIONARY, _BATCH = 2, 3  # kinds of messages
_END = struct.Struct("<i6s")  # the length of the footer and the name of the format


class _Flat:
    """
    A table of a flat buffer, whose fields are read by their numbers.

    Format: https://flatbuffers.dev/internals; fields: Message.fbs and File.fbs of Apache Arrow.
    """

    def __init__(self, data: bytes, at: int | None = None) -> None:
        self._data = data
        self._at = self._number("<I", 0) if at is None else at
        self._fields = self._at - self._number("<i", self._at)

    def _number(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self._data):
            raise ValueError("a message is damaged")
        return int(struct.unpack_from(form, self._data, at)[0])

    def _place(self, field: int) -> int:
        """Return where a field stands; 0 where it does not."""
        own = 4 + 2 * field
        held = own < self._number("<H", self._fields)
        offset = self._number("<H", self._fields + own) if held else 0
        return self._at + offset if offset else 0

    def number(self, field: int) -> int:
        """Return a byte; 0 where it does not stand there."""
        at = self._place(field)
        return self._number("<B", at) if at else 0

    def table(self, field: int) -> "_Flat | None":
        """Return the table that a field points to."""
        at = self._place(field)
        return _Flat(self._data, at + self._number("<I", at)) if at else None

    def entries(self, field: int, form: str) -> Iterator[tuple[int, ...]]:
        """Yield the structs of a vector."""
        at = self._place(field)
        if not at:
            return
        at += self._number("<I", at)
        count, size = self._number("<I", at), struct.calcsize(form)
        for i in range(count):
            yield struct.unpack_from(form, self._data, at + 4 + size * i)


def _messages(source: Any, *, is_file: bool) -> Iterator[Any]:
    """Yield the messages of a stream, or those that the footer of a file points to."""
    ipc = require("pyarrow.ipc", "parquet")
    if not is_file:
        yield from ipc.MessageReader.open_stream(source)
        return
    source.seek(source.size() - _END.size)
    length, _ = _END.unpack(source.read(_END.size))
    if not 0 < length < source.size():
        raise ValueError("its footer is damaged")
    source.seek(source.size() - _END.size - length)
    footer = _Flat(source.read(length))
    for field in (2, 3):
        for offset, _, _ in footer.entries(field, "<qi4xq"):
            source.seek(offset)
            yield ipc.read_message(source)


def _unpacked(message: Any) -> int:
    """Return what the buffers of a message unpack to; 0 where they are not compressed."""
    flat = _Flat(message.metadata.to_pybytes())
    kind, batch = flat.number(1), flat.table(2)
    if kind == _DICTIONARY and batch is not None:
        batch = batch.table(1)
    if kind not in {_DICTIONARY, _BATCH} or batch is None or batch.table(3) is None:
        return 0
    total = 0
    for offset, length in batch.entries(2, "<qq"):
        if length:
            if message.body is None or not 0 <= offset <= message.body.size:
                raise ValueError("a message is damaged")
            (stated,) = struct.unpack("<q", message.body.slice(offset, 8).to_pybytes())
            total += max(length, stated)  # -1: this one is not compressed
    return total


def check_messages(file: DataFile, source: Any, *, is_file: bool) -> None:
    """
    Refuse an Arrow file one of whose batches unpacks to far more than the file.

    Raises
    ------
    RefusedError
        Its compressed buffers are too large.
    ValueError
        It is damaged.
    """
    dictionaries = 0
    for message in _messages(source, is_file=is_file):
        size = _unpacked(message)
        is_dictionary = message.type == "dictionary"
        dictionaries += size if is_dictionary else 0
        what = "the words of its columns" if is_dictionary else "the columns of a batch"
        way_out = "write it again in smaller batches (chunksize=65536)"
        check_held(file, dictionaries + (0 if is_dictionary else size), what, way_out)
