"""Stand-ins for what a pickle would build, and where in the whole each of them sits."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.models.pickles.unpickler import Content


@dataclass(frozen=True, eq=False, slots=True)
class OmittedBytes:
    """
    Bytes that are too many to copy.

    Attributes
    ----------
    size
        How many there are.
    data, at
        What they lie in, and where; None where they lie outside of the file.
    """

    size: int
    data: Content | None = None
    at: int = 0

    def view(self) -> memoryview:
        """Return them where they lie, without a copy."""
        whole = memoryview(b"" if self.data is None else self.data)
        return whole[self.at : self.at + self.size]


SCALARS = (str, bytes, bytearray, int, float, complex, bool, type(None), OmittedBytes)
_LONGEST = 200
_LARGE = 2**63
_MANY = 2**14
_BYTES = frozenset({"builtins:bytearray", "builtins:bytes"})
RECONSTRUCTORS = frozenset({
    "numpy._core.multiarray:_reconstruct",
    "numpy.core.multiarray:_reconstruct",
})
FROM_BUFFER = frozenset({"numpy._core.numeric:_frombuffer", "numpy.core.numeric:_frombuffer"})


@dataclass(frozen=True, eq=False, slots=True)
class Global:
    """A name that the file asks for, nothing imported; *key* is the list's ``module:name``."""

    module: str
    name: str
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.module}:{self.name}")

    @property
    def dotted(self) -> str:
        """The spelling of users, ``module.name``."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Stub:
    """
    What a call or an allocation would have made.

    Attributes
    ----------
    callee
        The class or function that would have run.
    called
        Whether it would have been called; else only an instance would have been made.
    arguments, keywords
        What it would have been given.
    state
        What BUILD would set; None before it.
    built
        Whether BUILD was seen.
    items, entries
        What APPEND and ADD, and what SETITEM would add.
    value
        The dtype of a ``numpy.dtype``, or the ``RawArray`` of a joblib array; else None.
    """

    callee: Global
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    built: bool = False
    items: list[Any] = field(default_factory=list)
    entries: list[tuple[Any, Any]] = field(default_factory=list)
    value: Any = None
    called: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class RawArray:
    """An array whose bytes follow the pickle."""

    shape: tuple[int, ...]
    order: str
    dtype: np.dtype[Any]
    data: OmittedBytes

    def read(self) -> NDArray[Any]:
        """Return the array, over the bytes of the file."""
        return _shaped(self.data.view(), self.dtype, self.shape, self.order)


def _shaped(data: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    if math.prod(shape) == 0:
        return np.empty(shape, dtype)
    fortran = order in ("F", True)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def attributes(value: Any) -> dict[Any, Any]:
    """Return the attributes that BUILD would give a stand-in."""
    if not isinstance(value, Stub):
        return {}
    parts = (
        value.state if isinstance(value.state, tuple) and len(value.state) == 2 else (value.state,)
    )
    found: dict[Any, Any] = {}
    for part in parts:
        found.update(part if isinstance(part, dict) else {})
    return found


def _label(key: Any) -> str:
    """Return a key as it is shown; a long one is cut."""
    if isinstance(key, int) and abs(key) >= _LARGE:
        return "a large number"
    if isinstance(key, (str, bytes)):
        return repr(key[:_LONGEST])
    return repr(key) if isinstance(key, SCALARS) else type(key).__name__


def _named(key: Any) -> str:
    return key[:_LONGEST] if isinstance(key, str) and key.isidentifier() else _label(key)


def _joined(place: str, part: str) -> str:
    """Return a place within a place; deep ones are cut, or the walk would run for ever."""
    return f"{place}{part}" if len(place) < _LONGEST else place


def _parts(value: Any, place: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, Stub):
        yield value.callee, place
        yield from ((part, place) for part in value.arguments)
        yield from (
            (part, _joined(place, f"({_label(key)}=)")) for key, part in value.keywords.items()
        )
        yield from ((part, _joined(place, f"[{i}]")) for i, part in enumerate(value.items))
        yield from ((part, _joined(place, f"[{_label(key)}]")) for key, part in value.entries)
        yield from ((key, place) for key, _ in value.entries)
        named = attributes(value)
        yield from ((part, _joined(place, f".{_named(key)}")) for key, part in named.items())
        if not named:
            yield value.state, place
    elif isinstance(value, dict):
        yield from (
            (part, _joined(place, f"[{_label(key)}]"))
            for key, part in value.items()
            if not isinstance(part, SCALARS)
        )
        yield from ((key, place) for key in value)
    elif isinstance(value, (list, tuple)):
        yield from (
            (part, _joined(place, f"[{i}]"))
            for i, part in enumerate(value)
            if not isinstance(part, SCALARS)
        )
    elif isinstance(value, (set, frozenset)):
        yield from ((part, place) for part in value)


def walk(root: Any) -> Iterator[tuple[Any, str]]:
    """Yield every part of a dry run's result once, nearest first, with the place where it sits."""
    name = root.callee.name if isinstance(root, Stub) else type(root).__name__
    queue = deque([(root, root.name if isinstance(root, Global) else name)])
    seen: set[int] = set()
    while queue:
        value, place = queue.popleft()
        if isinstance(value, SCALARS) or id(value) in seen:
            continue
        seen.add(id(value))
        yield value, place
        queue.extend(_parts(value, place))


def _object_array(items: list[Any], shape: Any) -> NDArray[Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)


def _pickled_array(shape: Any, dtype: Any, order: Any, data: Any) -> NDArray[Any]:
    if isinstance(data, list):
        return _object_array(data, shape)
    return _shaped(raw_bytes(data), dtype.value, shape, order)


def raw_bytes(value: Any) -> Any:
    """Return the bytes that a value is, as something that holds a buffer."""
    if isinstance(value, OmittedBytes):
        return value.view()
    if isinstance(value, Stub) and value.callee.key in _BYTES:
        return raw_bytes(value.arguments[0]) if value.arguments else b""
    return value


def read_array(value: Any) -> NDArray[Any] | None:
    """
    Return the array that a stand-in is, over the bytes of the file; None where it is none.

    An array of objects holds stand-ins.
    """
    if not isinstance(value, Stub):
        return None
    try:
        if isinstance(value.value, RawArray):
            return value.value.read()
        if value.callee.key in RECONSTRUCTORS and isinstance(value.state, tuple):
            return _pickled_array(*value.state[1:])
        if value.callee.key in FROM_BUFFER and len(value.arguments) == 4:
            data, dtype, shape, order = value.arguments
            return _pickled_array(shape, dtype, order, data)
    except (TypeError, ValueError, AttributeError):
        return None
    return None


def array_values(value: Any) -> list[Any] | None:
    """Return the values of an array of plain strings or numbers in a row, or None."""
    array = read_array(value)
    if array is None or array.ndim != 1 or array.size > _MANY:
        return None
    values: list[Any] = array.tolist()
    return values if all(isinstance(entry, SCALARS) for entry in values) else None
