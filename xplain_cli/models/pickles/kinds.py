"""What kind of thing a stand-in is, in the words in which the list of allowed classes is written.

A kind is a short text: ``int``, ``str``, ``array:n`` (an array of numbers), ``scalar:t``, a role
that several classes share (``estimator``, ``loss``), a class of its own (``module:name``), or
``name:...`` for a function or class that is held and not called.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from xplain_cli.models.pickles.stand_ins import (
    FROM_BUFFER,
    RECONSTRUCTORS,
    Global,
    OmittedBytes,
    RawArray,
    Stub,
)

Role = Callable[[str], str]

CONTAINERS = frozenset({
    *("builtins:dict", "builtins:frozenset", "builtins:list", "builtins:set", "builtins:tuple"),
    *("collections:Counter", "collections:OrderedDict", "collections:defaultdict"),
    "sklearn.utils._bunch:Bunch",
})
"""Calls that make collections: what they hold counts as held by whatever holds them."""

SCALAR = frozenset({
    "numpy._core.multiarray:scalar",
    "numpy.core.multiarray:scalar",
})
WITHIN = ">"
"""Marks the kind of a part of a collection."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray)
_WORDS: dict[type, str] = {
    type(None): "none",
    OmittedBytes: "bytes",
    **{kind: kind.__name__ for kind in (*_PLAIN[1:], list, tuple, dict, set, frozenset)},
}
_DATA = frozenset({"none", "bool", "int", "float", "complex", "str", "bytes", "bytearray"})
_PLAIN_TYPES = frozenset((*_PLAIN, OmittedBytes))


class SharedError(Exception):
    """Parts of a file refer to each other more often than any model's do."""


class PartBudget:
    """How many more parts may be looked at: parts that share parts could take for ever."""

    def __init__(self, parts: int) -> None:
        self.left = parts

    def spend(self, parts: int) -> None:
        """
        Take some.

        Raises
        ------
        SharedError
            There are none left.
        """
        self.left -= parts
        if self.left < 0:
            raise SharedError


def array_dtype(value: Stub) -> np.dtype[Any] | None:
    """Return the dtype of the stand-in of an array, or None where it is no array."""
    dtype: Any = None
    if isinstance(value.value, RawArray):
        return value.value.dtype
    if value.callee.key in RECONSTRUCTORS:
        dtype = value.state[2] if isinstance(value.state, tuple) and len(value.state) == 5 else None
    elif value.callee.key in FROM_BUFFER:
        dtype = value.arguments[1] if len(value.arguments) == 4 else None
    else:
        return None
    found = dtype.value if isinstance(dtype, Stub) else None
    return found if isinstance(found, np.dtype) else np.dtype("V1")


_LETTERS = {**dict.fromkeys("biufc", "n"), **dict.fromkeys("mM", "t"), **dict.fromkeys("SU", "s")}


def _letter(dtype: np.dtype[Any]) -> str:
    """Return n for numbers, t for times, s for texts, else numpy's own letter: O, V."""
    return _LETTERS.get(dtype.kind, dtype.kind)


def _stub_kind(value: Stub, role: Role) -> str:
    dtype = array_dtype(value)
    if dtype is not None:
        return f"array:{_letter(dtype)}"
    if value.callee.key in SCALAR:
        held = value.arguments[0] if value.arguments else None
        number = held.value if isinstance(held, Stub) else None
        return f"scalar:{_letter(number)}" if isinstance(number, np.dtype) else "scalar:?"
    if value.callee.key == "numpy:dtype":
        return "dtype"
    return role(value.callee.key)


def kind_of(value: Any, role: Role) -> str:
    """Return the kind of one value, whatever it holds."""
    word = _WORDS.get(type(value))
    if word is not None:
        return word
    if isinstance(value, Global):
        return f"name:{role(value.key)}"
    return _stub_kind(value, role) if isinstance(value, Stub) else type(value).__name__


def contents(value: Any) -> Iterable[Any] | None:
    """Return what a collection holds, keys among it; None: the value is no collection."""
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if not isinstance(value, Stub):
        return None
    if value.callee.key in CONTAINERS:
        pairs = (part for pair in value.entries for part in pair)
        named = (*value.keywords.keys(), *value.keywords.values())
        return (*value.arguments, *named, *value.items, *pairs)
    dtype = array_dtype(value)
    if dtype is not None and dtype.hasobject:
        held = value.state[4] if isinstance(value.state, tuple) else value.arguments[0]
        return held if isinstance(held, list) else ()
    return None


def _others(parts: Iterable[Any]) -> Iterator[Any]:
    """Yield the parts that are no plain values."""
    return (part for part in parts if type(part) not in _PLAIN_TYPES)


def kinds_of(value: Any, role: Role, budget: PartBudget) -> frozenset[str]:
    """
    Return the kind of a value, and those of all that it holds, each marked as ``WITHIN``.

    Raises
    ------
    SharedError
        The budget is spent.
    """
    found, waiting, seen = {kind_of(value, role)}, [value], {id(value)}
    while waiting:
        parts = contents(waiting.pop())
        if parts is None:
            continue
        if not isinstance(parts, (list, tuple, set, frozenset)):
            parts = tuple(parts)
        budget.spend(len(parts) + 1)
        found |= {WITHIN + _WORDS[one] for one in set(map(type, parts)) if one in _WORDS}
        for part in _others(parts):
            if id(part) in seen:
                continue
            seen.add(id(part))
            found.add(WITHIN + kind_of(part, role))
            waiting.append(part)
    return frozenset(found)


def is_data(kind: str) -> bool:
    """Return whether a kind is plain data, which nothing can be asked to do."""
    kind = kind.removeprefix(WITHIN)
    head, _, letter = kind.partition(":")
    if head in {"array", "scalar"}:
        return letter not in {"V", "?"}
    return kind in _DATA or kind in {"list", "tuple", "dict", "set", "frozenset", "dtype"}
