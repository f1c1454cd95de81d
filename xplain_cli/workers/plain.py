"""Plain values as bytes and back: what a process that nobody trusts may say to this one.

A pickle would let it run code here. This form holds numbers, texts, containers, arrays of numbers,
and the few values of ours that stand in a table; whatever else arrives is refused.
"""

import json
import struct
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from xplain_cli.engine.chunk import Effort
from xplain_cli.errors import with_article
from xplain_cli.models.contract import Levels, PictureInput, Signature
from xplain_cli.models.gradients import Kinks, UnitText
from xplain_cli.models.inspection import Inspection
from xplain_cli.models.leaves import LeafBoxes
from xplain_cli.workers.confine import Confinement

VALUES: Mapping[str, type[Any]] = {
    one.__name__: one
    for one in (
        *(Confinement, Effort, Inspection, Kinks, LeafBoxes, Levels, PictureInput, Signature),
        UnitText,
    )
}
"""Values of ours that a message may hold, by name."""

_NUMBERS = "biufcmMU"
_LONGEST_TEXT = 1 << 26  # bytes of JSON: what it says may take twenty times as much in memory
_LENGTH = struct.Struct("=Q")


class MessageError(Exception):
    """Bytes that are no message, or a value that none can hold."""


def _fits_container(value: Any, home: Any, parts: tuple[Any, ...]) -> bool:
    """Say whether a container holds what its type says, such as ``tuple[str, ...]``."""
    if not isinstance(value, home):
        return False
    if isinstance(value, Mapping):
        key, held = parts
        return all(fits(name, key) and fits(one, held) for name, one in value.items())
    if home is tuple and parts[-1] is not ...:
        return len(value) == len(parts) and all(map(fits, value, parts))
    return home is np.ndarray or all(fits(one, parts[0]) for one in value)


def fits(value: Any, kind: Any) -> bool:
    """Say whether a value is what a type says, through unions and containers."""
    home, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if home in {typing.Union, types.UnionType}:
        return any(fits(value, part) for part in parts)
    if home is typing.Literal:
        return value in parts
    if home is not None:
        return _fits_container(value, home, parts)
    return value is None if kind is type(None) else isinstance(value, _WIDER.get(kind, kind))


# whole numbers stand where any number may, and NumPy's where Python's do
_WIDER: Mapping[Any, Any] = {
    bool: (bool, np.bool_),
    int: (int, np.integer),
    float: (float, int, np.floating, np.integer),
}


def kinds_of(made: type[Any]) -> Mapping[str, Any]:
    """Return the types of the fields of a value."""
    return typing.get_type_hints(made)


class _Writer:
    """Collects the arrays of a message beside its text."""

    def __init__(self) -> None:
        self.arrays: list[bytes] = []

    def _bytes(self, data: bytes) -> int:
        self.arrays.append(data)
        return len(self.arrays) - 1

    def _array(self, array: Any) -> list[Any]:
        if array.dtype.kind == "O":
            return ["objects", list(array.shape), [self.tree(one) for one in array.ravel()]]
        if array.dtype.kind not in _NUMBERS:
            raise MessageError(f"an array of {array.dtype} is no plain value")
        place = self._bytes(np.ascontiguousarray(array).tobytes())
        return ["array", array.dtype.str, list(array.shape), place]

    def _container(self, value: Any) -> list[Any] | None:
        if isinstance(value, Mapping):
            return ["dict", [[self.tree(key), self.tree(held)] for key, held in value.items()]]
        if isinstance(value, frozenset):
            return ["frozenset", [self.tree(one) for one in sorted(value, key=repr)]]
        if isinstance(value, tuple | list):
            name = "tuple" if isinstance(value, tuple) else "list"
            return [name, [self.tree(one) for one in value]]
        return None

    def tree(self, value: Any) -> Any:
        """Return a value as one that JSON knows: scalars as they are, all else named."""
        if value is None or type(value) in {bool, int, float, str}:
            return value
        if isinstance(value, bytes):
            return ["bytes", self._bytes(value)]
        if isinstance(value, np.generic):
            return ["scalar", self._array(np.asarray(value))]
        if isinstance(value, np.ndarray):
            return self._array(value)
        if VALUES.get(type(value).__name__) is type(value):
            parts = {one.name: self.tree(getattr(value, one.name)) for one in fields(value)}
            return ["value", type(value).__name__, parts]
        found = self._container(value)
        if found is None:
            raise MessageError(f"{with_article(type(value).__name__)} is no plain value")
        return found


def encode(value: Any) -> bytes:
    """
    Return a plain value as bytes: the length of its text, the text, the arrays one after another.

    Raises
    ------
    MessageError
        It holds what no message can.
    """
    writer = _Writer()
    tree = writer.tree(value)
    text = json.dumps([[len(one) for one in writer.arrays], tree]).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *writer.arrays])


class _ValueReader:
    """Makes values of a tree and its arrays."""

    def __init__(self, arrays: list[memoryview]) -> None:
        self._arrays = dict(enumerate(arrays))

    def _taken(self, place: int) -> memoryview:
        """Return the bytes of a place, once: a message must not grow when it is read."""
        return self._arrays.pop(place)

    def _array(self, dtype: str, shape: list[int], place: int) -> Any:
        kind = np.dtype(dtype)
        if kind.kind not in _NUMBERS or min(shape, default=0) < 0:
            raise MessageError(f"an array of {dtype}")
        # a copy: arrays of a message may be written to, and must not hold all of it
        return np.frombuffer(self._taken(place), kind).reshape(shape).copy()

    def _objects(self, shape: list[int], held: list[Any]) -> Any:
        array = np.empty(len(held), dtype=object)
        array[:] = [self.value(one) for one in held]
        return array.reshape(shape)

    def _value(self, name: str, parts: dict[str, Any]) -> Any:
        held = {part: self.value(one) for part, one in parts.items()}
        kinds = kinds_of(VALUES[name])
        strange = [part for part, one in held.items() if not fits(one, kinds[part])]
        if strange:
            raise MessageError(f"{with_article(name)} whose {strange[0]} is of another kind")
        return VALUES[name](**held)

    def _dict(self, pairs: list[list[Any]]) -> dict[Any, Any]:
        return {self.value(key): self.value(held) for key, held in pairs}

    def value(self, tree: Any) -> Any:
        """Return what a tree stands for."""
        if not isinstance(tree, list):
            if isinstance(tree, dict):
                raise MessageError("a bare object")
            return tree
        name, *parts = tree
        containers: dict[str, Any] = {"tuple": tuple, "list": list, "frozenset": frozenset}
        if name in containers:
            return containers[name](self.value(one) for one in parts[0])
        makers: dict[str, Callable[..., Any]] = {
            "array": self._array,
            "objects": self._objects,
            "scalar": lambda held: self._array(*held[1:])[()],
            "bytes": lambda place: bytes(self._taken(place)),
            "value": self._value,
            "dict": self._dict,
        }
        return makers[name](*parts)


def decode(data: bytes | bytearray) -> Any:
    """
    Return the value of some bytes.

    Raises
    ------
    MessageError
        They are no message.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        start = _LENGTH.size + min(length, _LONGEST_TEXT)  # a longer one is cut, and no JSON
        sizes, tree = json.loads(bytes(data[_LENGTH.size : start]))
        arrays, view = [], memoryview(data)
        for size in sizes:
            arrays.append(view[start : start + size])
            start += size
        found = _ValueReader(arrays).value(tree)
    except MessageError:
        raise
    except Exception as error:  # whatever is wrong with bytes that anybody may have sent
        raise MessageError(f"{type(error).__name__}: {error}") from error
    if start != len(data) or any(size < 0 for size in sizes):
        raise MessageError(f"{len(data)} bytes that should be {start}")
    return found
