"""Decides the kind of each column: by the user, the model, or its cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli import datasets
from xplain_cli.datasets import LONG, Table
from xplain_cli.errors import RefusedError, nearest
from xplain_cli.explanation import FloatArray
from xplain_cli.models import Levels, LoadedModel

_PROBED = 512  # rows that tell which reading of its words the model knows
_UNSEEN = "\u2047"  # a word that no model was fitted with

Ask = Callable[[pd.DataFrame], FloatArray]


@dataclass(frozen=True)
class ModelColumns:
    """
    What a model knows of the columns of a table, by the table's own names.

    Attributes
    ----------
    discrete, numeric, levels, all_numeric
        As `LoadedModel` has them.
    """

    discrete: frozenset[str]
    numeric: frozenset[str]
    levels: Mapping[str, Levels]
    all_numeric: bool

    @property
    def unlisted(self) -> frozenset[str]:
        """The columns that the model takes as words without keeping a list of them."""
        return frozenset(c for c, known in self.levels.items() if known.values is None)

    @property
    def listed(self) -> frozenset[str]:
        """The columns that the model takes as words, and lists."""
        return frozenset(
            c
            for c, known in self.levels.items()
            if any(isinstance(value, str) for value in known.values or ())
        )


def known_columns(loaded: LoadedModel, columns: tuple[str, ...]) -> ModelColumns:
    """Return what a model knows of the columns that it is handed, in this order."""
    names = {c: c for c in columns}
    if loaded.columns is None:  # the model counts its columns
        names = {str(i): c for i, c in enumerate(columns)}
    return ModelColumns(
        frozenset(names[c] for c in loaded.discrete if c in names),
        frozenset(names[c] for c in loaded.numeric if c in names),
        {names[c]: known for c, known in loaded.levels.items() if c in names},
        loaded.all_numeric,
    )


def _all_numbers(known: Levels | None) -> bool:
    """Return whether all categories are numbers; True and False are none."""
    values = () if known is None else known.values or ()
    return bool(values) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in values
    )


def _by_model(column: str, look: str, known: ModelColumns, path: str) -> str:
    """
    Return the kind of a column whose cells have a look, as far as the model knows better.

    Raises
    ------
    RefusedError
        It holds dates, which the model takes neither as numbers nor as words.
    """
    levels = known.levels.get(column)
    if column in known.listed:
        return look if look == "category" else "text"
    if column in known.unlisted:
        return "text" if look in {"date", LONG} else look
    codes = _all_numbers(levels)
    number = known.all_numeric or column in known.numeric or codes
    if look == "date" and not number:
        raise RefusedError(
            f"{path}: column {column!r} holds dates, which are neither numbers nor"
            f" categories; make numbers of them (days, month), or take each date as a word"
            f" with --dtype {column}=text"
        )
    if look == LONG and codes and levels is not None and levels.values:
        return LONG if all(isinstance(v, int) for v in levels.values) else "number"
    return "number" if number and look in {"text", "category", "date", LONG} else look


def _kinds(table: Table, columns: tuple[str, ...], known: ModelColumns) -> dict[str, str]:
    """Return the kind of each column of one table; the user's own word stands above all."""
    seen = datasets.kinds(table, columns, known.discrete)
    path = table.paths[0]
    return {c: table.dtypes.get(c) or _by_model(c, look, known, path) for c, look in seen.items()}


def _merge(
    data: Mapping[str, str], background: Mapping[str, str], words: frozenset[str]
) -> dict[str, str]:
    """Let the background decide kinds, but for what one side alone shows of a column."""
    merged = {}
    for column, kind in background.items():
        pair = {kind, data[column]}
        merged[column] = kind
        if kind == "empty":
            merged[column] = data[column]
        for wider in ("number", LONG):  # whole numbers on one side only
            if wider in pair and pair <= {"number", LONG, "integer"}:
                merged[column] = wider
                break
        if column in words and "text" in pair:
            merged[column] = "text"
    return merged


def _answers(ask: Ask, rows: pd.DataFrame) -> FloatArray | None:
    """Return the model's answers; None where it fails."""
    try:
        return ask(rows)
    except Exception:  # noqa: BLE001 - a model may raise anything
        return None


class _Reading:
    """How a column of words may be read, and what the model makes of it."""

    def __init__(self, table: Table, kinds: Mapping[str, str], column: str, ask: Ask) -> None:
        self._table, self._kinds, self._column, self._ask = table, kinds, column, ask

    def _rows(self, kind: str) -> pd.DataFrame:
        kinds = {**self._kinds, self._column: kind}
        return next(datasets.chunks(self._table, kinds, [], _PROBED)).readable

    def same(self, first: str, second: str) -> bool:
        """Return whether the model answers alike, however the column is read."""
        one, other = (_answers(self._ask, self._rows(kind)) for kind in (first, second))
        return one is not None and other is not None and np.array_equal(one, other)

    def known(self, kind: str) -> bool:
        """Return whether the model tells any category, read so, from a word that is none."""
        rows = self._rows(kind)
        answers = _answers(self._ask, rows)
        none = _answers(self._ask, rows.assign(**{self._column: _unseen(rows[self._column])}))
        if answers is None:
            return False
        return none is None or not np.array_equal(answers, none)


def _unseen(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column with a word that is no category in place of each value."""
    return column.astype(object).where(column.isna(), _UNSEEN)


def _settle_words(
    table: Table, kinds: Mapping[str, str], unlisted: frozenset[str], ask: Ask
) -> dict[str, str]:
    """
    Return the kinds of columns of words that the model does not list.

    A cell of a format without types is handed on as it is written, one of a typed format as its
    type says. Only where the model knows none of these, and knows what they read as otherwise
    (True for a word and a bool, 3.0 for a word and the number 3), are they read so. Whole
    numbers that both readings hand on alike stay numbers.
    """
    signature = dict(kinds)
    for column in sorted(unlisted & set(kinds)):
        look = kinds[column]
        if column in table.dtypes or look in {"text", "category", "empty"}:
            continue
        reading = _Reading(table, signature, column, ask)
        plain = look == "integer" and datasets.is_plain(table, column)
        if plain and reading.same("text", look):
            continue
        first, second = (look, "text") if table.keeps_types and not plain else ("text", look)
        other = reading.known(second) and not reading.known(first)
        signature[column] = second if other else first
    return signature


def read_kinds(
    table: Table, source: Table, columns: tuple[str, ...], loaded: LoadedModel
) -> tuple[dict[str, str], ModelColumns]:
    """
    Return the kind of each model column, and what the model knows of them.

    Parameters
    ----------
    table, source
        DATA, and the table of the background; they may be one.

    Raises
    ------
    RefusedError
        A column holds dates, or the background lacks one.
    """
    known = known_columns(loaded, columns)
    kinds = _kinds(table, columns, known)
    if source is not table:
        missing = [c for c in columns if c not in source.columns]
        if missing:
            raise RefusedError(
                f"{source.paths[0]}: the background has no column {missing[0]!r}"
                f"{nearest(missing[0], source.columns)}"
            )
        words = known.listed | known.unlisted
        kinds = _merge(kinds, _kinds(source, columns, known), words)
    return _settle_words(source, kinds, known.unlisted, partial(_asked, loaded)), known


def _asked(loaded: LoadedModel, rows: pd.DataFrame) -> FloatArray:
    return loaded.bind(loaded.settle(rows)).predict(rows)
