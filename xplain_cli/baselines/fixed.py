"""Baselines that are one row for all: mean, median, mode or zero of the reference rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import NO_CLASS, Ask, Assigned, reads_nothing
from xplain_cli.baselines.tables import TableReference, moments
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.batches import repeated

_OTHERS = "categories take their most frequent value"


@dataclass(frozen=True)
class Fixed:
    """
    The same k baselines for every row.

    Attributes
    ----------
    table, origin, wanted
        The baselines, what names them, the class that they are of.
    drawn
        Whether they are a sample of more rows: their mean then has an error.
    """

    table: pd.DataFrame
    origin: str
    wanted: int | None = NO_CLASS
    drawn: bool = False

    most_asked: ClassVar[int] = 0
    has_origins: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    @property
    def k(self) -> int:
        """Baselines of each row."""
        return len(self.table)

    def assign(self, rows: pd.DataFrame, classes: IntArray, ask: Ask) -> Assigned:  # noqa: ARG002 - no row, class or model matters
        """Give every row the same."""
        b = len(rows)
        places = np.tile(np.arange(self.k), b)
        return Assigned(
            repeated(self.table, places), [self.origin] * b, np.zeros(b, dtype=np.int64)
        )


def _most_frequent(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the most frequent value, the first one in the order of the rows among equals."""
    counts = column.value_counts(dropna=False, sort=False)
    best = counts.index[int(counts.to_numpy().argmax())]
    found = column.isna() if pd.isna(best) else column == best
    return column[found.to_numpy(dtype=bool)].iloc[:1].reset_index(drop=True)


def one_row(reference: TableReference, number: Callable[[FloatArray], float]) -> pd.DataFrame:
    """Return a row of one number for each column of numbers, and the mode of each category."""
    columns: dict[str, pd.Series[Any]] = {}
    for c in reference.rows.columns:
        column = reference.rows[c]
        if c in reference.discrete:
            columns[c] = _most_frequent(column)
            continue
        values = np.sort(column.to_numpy(dtype=np.float64))
        known = values[np.isfinite(values)]
        columns[c] = pd.Series([number(known) if len(known) else np.nan], dtype=np.float64)
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Zero:
    """Zero for numbers."""

    label: ClassVar[None] = None
    sentence: ClassVar[str] = f"zero: absent numbers are 0; {_OTHERS}"
    reads: ClassVar[str] = "categories"
    many: ClassVar[bool] = False
    numbers = reads_nothing

    def fit(self, reference: TableReference) -> Fixed:
        """Fit it."""
        return Fixed(one_row(reference, lambda _: 0.0), "zero")


@dataclass(frozen=True)
class Mean:
    """The mean of the reference rows, missing values left out."""

    label: ClassVar[None] = None
    sentence: ClassVar[str] = f"mean: absent numbers are the background's mean; {_OTHERS}"
    many: ClassVar[bool] = False
    numbers = reads_nothing

    def fit(self, reference: TableReference) -> Fixed:
        """Fit it."""
        return Fixed(one_row(reference, lambda known: moments(known)[0]), "mean")


def _median(known: FloatArray) -> float:
    """Return the median of sorted numbers (m,): numpy's, but where the sum of two overflows."""
    low, high = float(known[(len(known) - 1) // 2]), float(known[len(known) // 2])
    both = low + high
    return both / 2 if np.isfinite(both) else low / 2 + high / 2


@dataclass(frozen=True)
class Median:
    """The median of the reference rows, missing values left out; between the middle two of them."""

    label: ClassVar[None] = None
    sentence: ClassVar[str] = f"median: absent numbers are the background's median; {_OTHERS}"
    many: ClassVar[bool] = False
    numbers = reads_nothing

    def fit(self, reference: TableReference) -> Fixed:
        """Fit it."""
        return Fixed(one_row(reference, _median), "median")


@dataclass(frozen=True)
class Mode:
    """The most frequent value of each column."""

    label: ClassVar[None] = None
    sentence: ClassVar[str] = "mode: absent features take the background's most frequent value"
    many: ClassVar[bool] = False
    numbers = reads_nothing

    def fit(self, reference: TableReference) -> Fixed:
        """Fit it."""
        rows = reference.rows
        return Fixed(pd.DataFrame({c: _most_frequent(rows[c]) for c in rows.columns}), "mode")
