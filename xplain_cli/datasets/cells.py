"""What a cell is: the forms a column's cells take, its kind, and its values as an array."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain_cli.errors import RefusedError

Cells = npt.NDArray[Any]  # (rows,), float64, bool or object

_INTEGER = re.compile(r"[ \t]*[+-]?(0|[1-9][0-9]*)[ \t]*")
_PADDED = re.compile(r"[ \t]*[+-]?0[0-9]+[ \t]*")
_NUMBER = re.compile(
    r"[ \t]*[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?)[ \t]*", re.IGNORECASE
)
_DATE = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?(Z|[+-][0-2][0-9]:?[0-5][0-9])?)?"
)
_BOOLS = {"true": True, "false": False}
_SWITCHES = {**_BOOLS, "1": True, "0": False}
_TIMES = (date, datetime, time, timedelta, np.datetime64)


@dataclass(frozen=True)
class Missing:
    """
    The cells that mean "missing".

    Attributes
    ----------
    words
        As text: the empty cell of a delimited file, and what ``--na-values`` names.
    numbers
        The same words as numbers, so that ``-999`` also covers ``-999.0``.
    """

    words: frozenset[str]
    numbers: frozenset[float]

    def has(self, cell: Any) -> bool:
        """Tell whether a cell (text, number, bool or None) is missing."""
        if cell is None or cell != cell:  # noqa: PLR0124 - NaN
            return True
        if isinstance(cell, str):
            return cell in self.words or (
                bool(self.numbers) and is_number(cell) and float(cell) in self.numbers
            )
        return not isinstance(cell, bool | list | dict) and cell in self.numbers


def missing_words(words: Iterable[str]) -> Missing:
    """Return the `Missing` of some words."""
    named = frozenset(words)
    return Missing(named, frozenset(float(w) for w in named if is_number(w)))


@dataclass(frozen=True)
class Facts:
    """
    What is known of a column's cells; facts of parts add up to facts of the whole.

    Attributes
    ----------
    forms
        The forms of the cells that are not missing: integer, padded (007), number, bool, date,
        category, text.
    missing
        The number of missing cells.
    """

    forms: frozenset[str] = frozenset()
    missing: int = 0

    def __add__(self, other: "Facts") -> "Facts":
        return Facts(self.forms | other.forms, self.missing + other.missing)


def kind_of(facts: Facts) -> str:
    """Return the kind of a column: number, integer, bool, text, category, date or empty."""
    forms = facts.forms
    if not forms:
        return "empty"
    if forms == {"integer", "number"}:
        return "number"
    if forms == {"category", "text"}:
        return "category"
    return next(iter(forms)) if len(forms) == 1 and forms != {"padded"} else "text"


def is_number(text: str) -> bool:
    """Tell whether a text reads as a number, ``inf`` among them but not the word ``nan``."""
    return _NUMBER.fullmatch(text) is not None


@lru_cache(maxsize=1 << 16)  # the same few words fill most columns
def form_of_text(text: str) -> str:
    """Return the form of a cell of a delimited file."""
    if _INTEGER.fullmatch(text):
        return "integer"
    if _PADDED.fullmatch(text):
        return "padded"
    if is_number(text):
        return "number"
    return "bool" if text.lower() in _BOOLS else form_of_word(text)


def form_of_word(text: str) -> str:
    """Return the form of a text that is known to be a text: date or text."""
    return "date" if _DATE.fullmatch(text) else "text"


def form_of_value(value: Any) -> str:
    """Return the form of a typed value that is not missing; "" when it is not a cell."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, str):
        return form_of_word(value)
    if isinstance(value, _TIMES):
        return "date"
    return "number" if isinstance(value, float) else ""


def shorten(cell: Any) -> str:
    """Return the cell as a message shows it, at most about 40 characters."""
    shown = repr(cell)
    return shown if len(shown) <= 40 else f"{shown[:36]}...{shown[-1]}"


def not_a(what: str, cell: Any, column: str, line: str = "") -> str:
    """Return the words that refuse a cell, with the ways out."""
    return (
        f"column {column!r}: {shorten(cell)} is not {what}{line}; "
        f"if it means missing, --na-values {shorten(str(cell))}; "
        f"to read the column as text, --dtype {column}=text"
    )


def _number(cell: Any) -> float:
    """Return a cell as a float; ValueError where it is not a number."""
    if isinstance(cell, str) and not is_number(cell):
        raise ValueError(cell)
    return float(cell)


def _switch(cell: Any) -> bool:
    """Return a cell as a bool; KeyError where it is not one."""
    return cell if isinstance(cell, bool) else _SWITCHES[str(cell).strip().lower()]


def _object_array(cells: Sequence[Any]) -> Cells:
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return values


_ACTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "number": (_number, "a number"),
    "bool": (_switch, "true or false"),
    "bool?": (_switch, "true or false"),
    "text": (str, "a text"),
}


def convert(
    cells: Sequence[Any], kind: str, *, missing: Missing, column: str, where: Callable[[int], str]
) -> Cells:
    """
    Turn raw cells into the array of a kind.

    Parameters
    ----------
    cells
        Texts, numbers, bools or None (rows,).
    kind
        ``number`` (float64), ``bool`` (numpy bool), ``bool?`` (object: bool or NaN) or
        ``text`` (object: str or NaN).
    where
        The place of cell i, for the message.

    Raises
    ------
    RefusedError
        A cell does not fit the kind, or holds an object or a list.
    """
    act, what = _ACTS[kind]
    values: list[Any] = []
    for i, cell in enumerate(cells):
        if missing.has(cell):
            values.append(np.nan)
            continue
        if isinstance(cell, list | dict):
            raise RefusedError(nested(where(i), column))
        try:
            values.append(act(cell))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise RefusedError(f"{where(i)}, {not_a(what, cell, column)}") from error
    if kind == "number":
        return np.array(values, dtype=np.float64)
    return np.array(values, dtype=np.bool_) if kind == "bool" else _object_array(values)


def nested(where: str, column: str) -> str:
    """Return the words that refuse an object or a list in a cell."""
    return (
        f"{where}, column {column!r} holds an object or a list; "
        f"flatten it to one value a column, or leave it out with --drop-columns {column}"
    )


def as_text(cells: Sequence[Any]) -> Cells:
    """Return the cells as text for the output; missing is the empty text."""
    return _object_array(["" if c is None or c != c else str(c) for c in cells])  # noqa: PLR0124
