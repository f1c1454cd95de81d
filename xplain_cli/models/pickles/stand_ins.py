"""Stand-ins for what a pickle would build, and where in the whole each of them sits."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class OmittedBytes:
    """Bytes that are too many to keep."""

    size: int


SCALARS = (str, bytes, bytearray, int, float, complex, bool, type(None), OmittedBytes)
_LONGEST = 200
_LARGE = 2**63
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


@dataclass(frozen=True, eq=False, slots=True)
class RawArray:
    """An array whose bytes follow the pickle; ``data`` is None where there are many."""

    shape: tuple[int, ...]
    order: str
    dtype: np.dtype[Any]
    data: bytes | None

    def read(self) -> NDArray[Any] | None:
        """Return the array, or None where its bytes were skipped."""
        if self.data is None:
            return None
        return np.frombuffer(self.data, self.dtype).reshape(self.shape, order=_order(self.order))


def _order(order: str) -> Any:
    return "F" if order == "F" else "C"


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


def array_values(value: Any) -> list[Any] | None:
    """Return the values of a small array of plain strings or numbers, or None."""
    if not isinstance(value, Stub):
        return None
    if isinstance(value.value, RawArray):
        array = value.value.read() if len(value.value.shape) == 1 else None
    elif value.callee.key in RECONSTRUCTORS and isinstance(value.state, tuple):
        array = _pickled_array(value.state)
    elif value.callee.key in FROM_BUFFER and len(value.arguments) == 4:
        data, dtype, shape, _ = value.arguments
        array = _pickled_array((1, shape, dtype, False, data))
    else:
        return None
    if array is None or array.ndim != 1:
        return None
    values: list[Any] = array.tolist()
    return values if all(isinstance(entry, SCALARS) for entry in values) else None


def _pickled_array(state: tuple[Any, ...]) -> NDArray[Any] | None:
    if len(state) != 5 or not isinstance(state[2], Stub):
        return None
    _, shape, dtype, _, data = state
    try:
        if isinstance(data, list):
            array = np.empty(len(data), dtype=object)
            array[:] = data
            return array.reshape(shape)
        return np.frombuffer(data, dtype.value).reshape(shape)
    except (TypeError, ValueError):
        return None
