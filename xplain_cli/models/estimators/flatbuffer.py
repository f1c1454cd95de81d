"""Reads the tables of a flatbuffer: no offset is followed that leads out of its bytes.

https://flatbuffers.dev/internals: a table begins with how far away its list of fields is, which
says where each field is; texts, lists and further tables lie behind an offset.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.models.soundness import need

_OUTSIDE = "has an offset that leads out of it"


def _number_at(data: bytes, form: str, at: int) -> Any:
    need(0 <= at <= len(data) - struct.calcsize(form), _OUTSIDE)
    return struct.unpack_from(form, data, at)[0]


@dataclass(frozen=True)
class FlatTable:
    """A table: the bytes of its buffer, and where it is."""

    data: bytes
    at: int

    def _read(self, form: str, at: int) -> Any:
        return _number_at(self.data, form, at)

    def _field(self, slot: int) -> int | None:
        """Return where a field is; None where it has its default."""
        fields = self.at - self._read("<i", self.at)
        if 4 + 2 * slot >= self._read("<H", fields):
            return None
        offset = self._read("<H", fields + 4 + 2 * slot)
        return self.at + offset if offset else None

    def _target(self, at: int) -> int:
        return at + int(self._read("<I", at))

    def number(self, slot: int, form: str, otherwise: int) -> int:
        """Return a whole number."""
        at = self._field(slot)
        return otherwise if at is None else int(self._read(f"<{form}", at))

    def array(self, slot: int, dtype: "str | np.dtype[Any]") -> NDArray[Any]:
        """Return a list of numbers or of structs."""
        at, kind = self._field(slot), np.dtype(dtype)
        if at is None:
            return np.empty(0, kind)
        begin = self._target(at)
        count = self._read("<I", begin)
        need(count * kind.itemsize <= len(self.data) - begin - 4, _OUTSIDE)
        return np.frombuffer(self.data, kind, count, begin + 4)

    def table(self, slot: int) -> "FlatTable | None":
        """Return a table; None where there is none."""
        at = self._field(slot)
        return None if at is None else FlatTable(self.data, self._target(at))

    def tables(self, slot: int) -> "list[FlatTable]":
        """Return a list of tables."""
        at = self._field(slot)
        if at is None:
            return []
        begin = self._target(at) + 4
        return [
            FlatTable(self.data, begin + 4 * i + int(offset))
            for i, offset in enumerate(self.array(slot, "<u4"))
        ]

    def texts(self, slot: int) -> list[bytes]:
        """Return a list of texts."""
        found = []
        for text in self.tables(slot):  # offsets as well
            length = _number_at(self.data, "<I", text.at)
            need(length <= len(self.data) - text.at - 4, _OUTSIDE)
            found.append(self.data[text.at + 4 : text.at + 4 + length])
        return found


def root_of(data: bytes) -> FlatTable:
    """
    Return the table that a buffer begins with.

    Raises
    ------
    OddPartError
        It leads out of the buffer, here or when it is read.
    """
    need(len(data) >= 8, _OUTSIDE)
    return FlatTable(data, int.from_bytes(data[:4], "little"))
