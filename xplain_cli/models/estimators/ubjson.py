"""Reads Universal Binary JSON, as XGBoost writes it (https://ubjson.org): data, nothing is built.

Arrays of one type become NumPy arrays over the bytes of the file.
"""

import struct
from typing import Any

import numpy as np

_DEEPEST = 64
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_FORMATS = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q", "d": ">f", "D": ">d"}
_FIXED = {"Z": None, "T": True, "F": False, "N": None}


class _Reader:
    """A place in some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= len(self.data) - self.at:
            raise ValueError("cut short")
        self.at += size
        return self.data[self.at - size : self.at]

    def mark(self) -> str:
        return chr(self.take(1)[0])

    def peek(self) -> str:
        return chr(self.data[self.at]) if self.at < len(self.data) else ""

    def number(self, mark: str) -> Any:
        form = _FORMATS.get(mark)
        if form is None:
            raise ValueError(f"an unknown mark {mark!r}")
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self) -> str:
        return self.take(self.number(self.mark())).decode("utf-8", "replace")


def _head(reader: _Reader) -> tuple[str | None, int | None]:
    """Return the one type of a collection and its length, where it states them."""
    kind, count = None, None
    if reader.peek() == "$":
        reader.mark()
        kind = reader.mark()
    if reader.peek() == "#":
        reader.mark()
        count = reader.number(reader.mark())
        if not 0 <= count <= len(reader.data):
            raise ValueError("more parts than bytes")
    if kind is not None and count is None:
        raise ValueError("a type without a length")
    return kind, count


def _array(reader: _Reader, depth: int) -> Any:
    kind, count = _head(reader)
    if kind in _NUMBERS and count is not None:
        dtype = np.dtype(_NUMBERS[kind])
        return np.frombuffer(reader.take(count * dtype.itemsize), dtype)
    found: list[Any] = []
    while count is None or len(found) < count:
        if count is None and reader.peek() == "]":
            reader.mark()
            break
        found.append(_value(reader, kind or reader.mark(), depth + 1))
    return found


def _object(reader: _Reader, depth: int) -> dict[str, Any]:
    kind, count = _head(reader)
    found: dict[str, Any] = {}
    read = 0
    while count is None or read < count:
        if count is None and reader.peek() == "}":
            reader.mark()
            break
        name = reader.text()
        if name in found:
            raise ValueError(f"{name[:40]!r} stands there twice")
        found[name] = _value(reader, kind or reader.mark(), depth + 1)
        read += 1
    return found


def _value(reader: _Reader, mark: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("parts that nest too deeply")
    if mark == "{":
        return _object(reader, depth)
    if mark == "[":
        return _array(reader, depth)
    if mark in {"S", "H"}:
        return reader.text()
    if mark == "C":
        return reader.mark()
    return _FIXED[mark] if mark in _FIXED else reader.number(mark)


def read_ubjson(data: bytes) -> Any:
    """
    Return what some bytes say.

    Raises
    ------
    ValueError
        They are no Universal Binary JSON, or go on behind its end.
    """
    reader = _Reader(data)
    found = _value(reader, reader.mark(), 0)
    if reader.at != len(data):
        raise ValueError("bytes behind its end")
    return found
