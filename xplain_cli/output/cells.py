"""Turns the columns of a frame into text for csv, or into plain values for JSON."""

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.quality.closing_table import JOINERS

INTEGERS = frozenset({
    "row",
    "rank",
    "feature_index",
    "n_repeats",
    "n_samples",
    "n_model_inputs",
    "n_omitted",
    "n_changed",
    "n_features",
    "n_units",
    "n_truncated",
})
"""Our columns of whole numbers; a missing value makes pandas hold them as floats."""

MOST_LETTERS = 80
"""Letters of a name, an id or a value in prose; what is longer ends in three dots."""
_MOST_NAMES = 40
_ARMED = re.compile(r"'*[=+\-@\t\r\0]")
_DISARMED = re.compile(r"'+[=+\-@\t\r\0]")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_PLACES = re.compile(r"[\[\],0-9-]*", re.ASCII)
_BARE = {int, float, type(None)}


def guard(text: str) -> str:
    """
    Put ``'`` before text that a spreadsheet would run (CWE-1236).

    That is text that begins with ``= + - @``, TAB, CR or NUL; a number alone is no formula, and
    stays (a class ``-1``, an id ``+1``). Text that looks guarded already gets one more, so that
    ``unguard(guard(text)) == text`` for every text.
    """
    return f"'{text}" if _ARMED.match(text) and not _NUMBER.fullmatch(text) else text


def unguard(text: str) -> str:
    """Return the text that ``guard`` was given."""
    return text[1:] if _DISARMED.match(text) else text


def cleaned(value: object, most: int = MOST_LETTERS) -> str:
    """Return a text in one line of at most *most* letters, control characters spelled out."""
    text = "".join(
        " " if c.isspace() else c if c.isprintable() or c in JOINERS else repr(c)[1:-1]
        for c in str(value)[: most + 1]
    )
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(names: Sequence[str]) -> str:
    """Return names one after the other, and how many more there are."""
    shown = ", ".join(cleaned(name) for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def plain(value: Any) -> Any:
    """Return a cell as a JSON value; ``None`` for every kind of missing or infinite number."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    return None if value is pd.NA or value is pd.NaT else str(value)


def _whole(values: list[Any]) -> list[Any]:
    return [value if value is None else int(value) for value in values]


def plains(column: "pd.Series[Any]", *, is_integer: bool = False) -> list[Any]:
    """Return a column as JSON values: str, int, float, bool or ``None`` (missing, infinite)."""
    dtype, values = column.dtype, column.tolist()
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        return values
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        if dtype != np.float64:
            values = [float(str(value)) for value in column.to_numpy()]
        values = [value if math.isfinite(value) else None for value in values]
    else:
        values = [plain(value) for value in values]
    return _whole(values) if is_integer else values


def _number(value: float) -> str:
    return "" if value != value else repr(value)  # noqa: PLR0124 (the fastest test for NaN)


def _text(value: Any, escape: Callable[[str], str]) -> str:
    """Return one cell of a mixed column; only text can be a formula, numbers are left alone."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, list) and _PLACES.fullmatch(said := repr(value).replace(" ", "")):
        return escape(said)  # whole numbers alone, such as spans: this is their JSON, made sooner
    if isinstance(value, list | tuple | dict):
        value = json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)
    return escape(str(value))


def _integer_text(value: float) -> str:
    return "" if value != value else str(int(value))  # noqa: PLR0124 (the fastest test for NaN)


def _number_texts(column: "pd.Series[Any]", *, is_integer: bool) -> list[str]:
    """Return a column of one numeric type as text."""
    if column.dtype.kind in "iub":
        return list(map(str, column.tolist()))
    if is_integer:
        return list(map(_integer_text, column.tolist()))
    if column.dtype != np.float64:
        return ["" if np.isnan(value) else str(value) for value in column.to_numpy()]
    found = list(map(repr, column.tolist()))
    for at in np.flatnonzero(column.isna()).tolist():
        found[at] = ""
    return found


def texts(
    column: "pd.Series[Any]", escape: Callable[[str], str] = str, *, is_integer: bool = False
) -> list[str]:
    """
    Return a column as text.

    Floats are the shortest text that reads back the same, missing cells are empty, and *escape*
    is called on what is text (once per distinct text where a column holds nothing else).
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iubf":
        return _number_texts(column, is_integer=is_integer)
    values = column.tolist()
    kinds = set(map(type, values))
    if kinds == {str}:
        known = {value: escape(value) for value in set(values)}
        return list(map(known.__getitem__, values))
    if is_integer:
        values = plains(column, is_integer=True)
    elif kinds <= _BARE:
        return ["" if v is None or v != v else repr(v) for v in values]  # noqa: PLR0124 - NaN
    return [_text(value, escape) for value in values]
