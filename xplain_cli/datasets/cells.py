"""The kinds of cells, the kind of a column, and its values as an array."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain_cli.errors import naming

Cells = npt.NDArray[Any]  # (rows,), float64, bool or object

LONG = "long"
"""Whole numbers of which a float does not hold each: 9007199254740993 would become ...992."""

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
_DRESS = re.compile(r"[\s_%$\u20ac\u00a3\u00a5]")
_TIMES = (date, datetime, time, timedelta, np.datetime64)
NESTED = "nested"
_RARE = 0.05
_SWAPPED = str.maketrans(".,", ",.")
_LONG_DIGITS, _MOST_DIGITS = 16, 4000  # fewer always fit a float; Python reads no more
_NUMERIC = frozenset({"number", "integer", "padded", LONG})
_WHOLE = ("integer", LONG)
_MOST_BITS = 1023  # of the largest float
_FITTING = {
    "number": _NUMERIC,
    "integer": _NUMERIC,
    "empty": _NUMERIC,
    "bool": frozenset({"bool", "integer"}),
    "bool?": frozenset({"bool", "integer"}),
    LONG: frozenset({"integer", "padded", LONG}),
}


@dataclass(frozen=True)
class Missing:
    """
    The cells that mean "missing", and the decimal sign of those that are texts.

    Attributes
    ----------
    words
        As text: the empty cell of a delimited file, and what ``--na-values`` names.
    numbers
        The same words as numbers, so that ``-999`` also covers ``-999.0``.
    decimal
        ``.`` or ``,``: what stands before the fraction of a number that is a text.
    """

    words: frozenset[str]
    numbers: frozenset[float]
    decimal: str = "."

    def pointed(self, text: str) -> str:
        """Return a text in which a decimal comma is a point, and a point is none."""
        return text if self.decimal == "." else text.translate(_SWAPPED)

    def has(self, cell: Any) -> bool:
        """Tell whether a cell (text, number, bool or None) is missing."""
        if cell is None or cell != cell:  # noqa: PLR0124 - NaN
            return True
        if isinstance(cell, str):
            return cell in self.words or (
                bool(self.numbers)
                and is_number(text := self.pointed(cell))
                and float(text) in self.numbers
            )
        return not isinstance(cell, bool | list | dict) and cell in self.numbers


def missing_words(words: Iterable[str], decimal: str = ".") -> Missing:
    """Return the `Missing` of some words, in texts of a decimal sign."""
    named = frozenset(words)
    pointed = map(Missing(named, frozenset(), decimal).pointed, named)
    return Missing(named, frozenset(float(w) for w in pointed if is_number(w)), decimal)


@dataclass(frozen=True)
class Facts:
    """
    What is known of a column's cells; facts of parts add up to facts of the whole.

    Attributes
    ----------
    forms
        How many cells that are not missing take each form: integer, long (one that no float
        holds), padded (007), number, bool, date, category, text, nested (an object or a list).
    missing
        The number of missing cells.
    """

    forms: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0

    def __add__(self, other: "Facts") -> "Facts":
        forms = {f: self.forms.get(f, 0) + n for f, n in other.forms.items()}
        return Facts({**self.forms, **forms}, self.missing + other.missing)


def kind_of(facts: Facts, *, words: bool = False) -> str:
    """
    Return the kind of a column: number, integer, long, bool, text, category, date or empty.

    At most one cell in 20 may be something else in a column of numbers or bools: such a cell is a
    slip of its row. In a column of *words* (one that the model takes as categories), and where
    codes like 007 stand, any word makes text.
    """
    counts = {form: n for form, n in facts.forms.items() if form != NESTED}
    if not counts:
        return "text" if facts.forms else "empty"
    total = sum(counts.values())
    slips = 0 if words or "padded" in counts else int(total * _RARE)
    if total - counts.get("bool", 0) <= slips:
        return "bool"
    if total - sum(counts.get(form, 0) for form in _WHOLE) - counts.get("number", 0) <= slips:
        return next((form for form in ("number", LONG) if form in counts), "integer")
    if set(counts) == {"category", "text"}:
        return "category"
    return next(iter(counts)) if len(counts) == 1 and "padded" not in counts else "text"


def misfits(facts: Facts, kind: str) -> int:
    """Return how many cells of a column do not fit a kind, as far as their forms tell."""
    fitting = _FITTING.get(kind)
    if fitting is None:
        return facts.forms.get(NESTED, 0)
    return sum(n for form, n in facts.forms.items() if form not in fitting)


def is_number(text: str) -> bool:
    """Tell whether a text reads as a number, ``inf`` among them but not the word ``nan``."""
    return _NUMBER.fullmatch(text) is not None


def form_of_whole(value: int) -> str:
    """Return the form of a whole number: whether a float holds it."""
    held = value.bit_length() <= _MOST_BITS and int(float(value)) == value
    return "integer" if held else LONG


def count_long(values: npt.NDArray[Any]) -> int:
    """Return how many whole numbers (rows,) of a fixed width no float holds."""
    with np.errstate(invalid="ignore"):  # the last few of 64 bits come back as anything but equal
        back = values.astype(np.float64).astype(values.dtype)
    return int((back != values).sum())


@lru_cache(maxsize=1 << 16)  # the same few words fill most columns
def form_of_text(text: str) -> str:
    """Return the form of a cell of a delimited file."""
    if _INTEGER.fullmatch(text):
        long = _LONG_DIGITS <= len(text) <= _MOST_DIGITS
        return form_of_whole(int(text)) if long else "integer"
    if _PADDED.fullmatch(text):
        return "padded"
    if is_number(text):
        return "number"
    return "bool" if text.lower() in _BOOLS else form_of_word(text)


def form_of_word(text: str) -> str:
    """Return the form of a text that is known to be a text: date or text."""
    return "date" if _DATE.fullmatch(text) else "text"


def form_of_value(value: Any) -> str:
    """Return the form of a typed value that is not missing."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return form_of_whole(value) if value.bit_length() <= _MOST_BITS else "text"
    if isinstance(value, str):
        return form_of_word(value)
    if isinstance(value, _TIMES):
        return "date"
    return "number" if isinstance(value, float) else NESTED


def shorten(cell: Any) -> str:
    """Return the cell as a message shows it, at most about 40 characters."""
    shown = repr(cell)
    return shown if len(shown) <= 40 else f"{shown[:36]}...{shown[-1]}"


def _bare(cell: str) -> str:
    """Return the number that a cell with a sign of money, per cent or spaces shows; "" if none."""
    bare = _DRESS.sub("", cell).replace("\N{MINUS SIGN}", "-")
    share = cell.rstrip().endswith("%")
    return (f"{bare}, or as a share of one" if share else bare) if is_number(bare) else ""


def _not_a(what: str, cell: Any, column: str, *, shown: bool) -> str:
    """Return the words that refuse a cell, with the ways out."""
    if isinstance(cell, list | dict):
        return (
            f"column {column!r} holds an object or a list; "
            "flatten it to one value a column, or leave it out with"
            f" {naming('--drop-columns', column)}"
        )
    if not shown:
        return f"column {column!r}: a cell is not {what}; change it (its value is not shown)"
    if what == "a number" and is_number(str(cell).replace(",", "")):
        return (
            f"column {column!r}: {shorten(cell)} is not {what}; "
            "write a decimal point (or --decimal ,), and nothing between thousands"
        )
    if what == "a number" and (bare := _bare(str(cell))):
        return f"column {column!r}: {shorten(cell)} is not {what}; write it as {bare}"
    return (
        f"column {column!r}: {shorten(cell)} is not {what}; "
        f"if it means missing, --na-values {shorten(str(cell))}; "
        f"to read the column as text, {naming('--dtype', column, '=text')}"
    )


def _number(cell: Any) -> float:
    """Return a cell as a float; ValueError where it is not a number."""
    if isinstance(cell, str) and not is_number(cell):
        raise ValueError(cell)
    return float(cell)


def _long(cell: Any) -> int:
    """Return a cell as a whole number of any length; ValueError where it is none."""
    if isinstance(cell, float) and not cell.is_integer():
        raise ValueError(cell)
    return int(cell)


def _switch(cell: Any) -> bool:
    """Return a cell as a bool; KeyError where it is not one."""
    return cell if isinstance(cell, bool) else _SWITCHES[str(cell).strip().lower()]


def _text(cell: Any) -> str:
    """Return a cell as a text; TypeError where it is an object or a list."""
    if isinstance(cell, list | dict):
        raise TypeError(cell)
    return str(cell)


def _object_array(cells: Sequence[Any]) -> Cells:
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return values


_ACTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "number": (_number, "a number"),
    LONG: (_long, "a whole number"),
    "bool": (_switch, "true or false"),
    "bool?": (_switch, "true or false"),
    "text": (_text, "a text"),
}


def convert(
    cells: Sequence[Any],
    kind: str,
    *,
    missing: Missing,
    column: str,
    where: Callable[[int], str],
    reasons: dict[int, str],
    shown: bool = True,
) -> Cells:
    """
    Turn raw cells into the array of a kind.

    Parameters
    ----------
    cells
        Texts, numbers, bools or None (rows,).
    kind
        ``number`` (float64), ``long`` (object: int or NaN), ``bool`` (numpy bool), ``bool?``
        (object: bool or NaN) or ``text`` (object: str or NaN).
    where
        The place of cell i, for the reason.
    reasons
        Takes the reason of each cell that does not fit the kind, the first one of its row; in the
        array the cell is missing.
    shown
        Whether the reason shows the cell.

    """
    act, what = _ACTS[kind]
    read = missing.pointed if kind == "number" else str
    values: list[Any] = []
    for i, cell in enumerate(cells):
        if missing.has(cell):
            values.append(np.nan)
            continue
        try:
            values.append(act(read(cell) if isinstance(cell, str) else cell))
        except (ValueError, KeyError, TypeError, OverflowError):
            reasons.setdefault(i, f"{where(i)}, {_not_a(what, cell, column, shown=shown)}")
            values.append(np.nan)
    if kind == "number":
        return np.array(values, dtype=np.float64)
    return np.array(values, dtype=np.bool_) if kind == "bool" else _object_array(values)


def as_text(cells: Sequence[Any]) -> Cells:
    """Return the cells as text for the output; missing is the empty text."""
    return _object_array(["" if c is None or c != c else str(c) for c in cells])  # noqa: PLR0124  # NaN
