"""Reference rows of tables: their distance from each other, and the features that differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import NO_CLASS
from xplain_cli.baselines.candidates import Batch, unlimited
from xplain_cli.explanation import BoolArray, FloatArray, IntArray

NO_LABEL, OTHER_LABEL = -1, -2


class TableFiles(Protocol):
    """Reads rows as the model takes them."""

    @property
    def model_id(self) -> str:
        """SHA-256 (hex) of the model, and its member."""

    def row(self, name: str) -> pd.DataFrame:
        """Return the one row of DATA with this id, or this number where there are no ids."""

    def table(self, path: str) -> pd.DataFrame:
        """Return the rows of a file."""

    def table_sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of a file of rows."""

    def sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of any file."""


@dataclass(frozen=True)
class Distance:
    """
    Scaled L1: sum of |x - y| / spread over numbers, 1 for each category that differs.

    Attributes
    ----------
    columns : names, in the model's order
    spreads : (c,) float
        Standard deviation in the reference rows, 1 where it is 0; 0 marks a category.
    levels : for each category, its values
    """

    columns: tuple[str, ...]
    spreads: FloatArray
    levels: tuple[tuple[Any, ...], ...]

    def coded(self, rows: pd.DataFrame) -> FloatArray:
        """Return rows as numbers (b, c) that compare: numbers over their spread, codes."""
        made = np.empty((len(rows), len(self.columns)))
        for j, column in enumerate(self.columns):
            if self.spreads[j] > 0:
                made[:, j] = rows[column].to_numpy(dtype=np.float64) / self.spreads[j]
                continue
            place = {level: i for i, level in enumerate(self.levels[j])}
            cells = cells_of(rows[column])
            made[:, j] = [place.get(cell, len(place)) for cell in cells]
        return made

    def between(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return the distances of coded rows (..., c), which broadcast against each other."""
        with np.errstate(invalid="ignore"):
            apart = np.abs(first - second)
            apart = np.where(first == second, 0.0, apart)  # infinity less itself
        missing = np.isnan(first) & np.isnan(second)
        apart = np.where(missing, 0.0, np.where(np.isnan(apart), 1.0, apart))
        apart = np.where(self.spreads > 0, apart, first != second)
        return np.asarray(apart.sum(axis=-1), dtype=np.float64)


def cells_of(column: "pd.Series[Any]") -> list[Any]:
    """Return values that hash and compare: missing is None."""
    values = column.to_numpy(dtype=object).tolist()
    return [None if v is None or v is pd.NA or v != v else v for v in values]  # noqa: PLR0124 - NaN


def moments(values: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation of finite values; (0, 0) of none, finite of huge ones."""
    if not len(values):
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        # as numpy's own mean and std, whose checks take longer than short sums
        mean = float(np.add.reduce(values) / len(values))
        away = values - mean
        sd = float(np.sqrt(np.add.reduce(away * away) / len(values)))
    if np.isfinite(mean) and np.isfinite(sd):
        return mean, sd
    scale = 2.0 ** int(np.frexp(np.abs(values).max())[1] - 1)
    return float((values / scale).mean() * scale), float((values / scale).std() * scale)


def measure_distance(rows: pd.DataFrame, discrete: frozenset[str]) -> Distance:
    """Measure the spread of numbers and the values of categories in reference rows."""
    spreads, levels = [], []
    for column in rows.columns:
        if column in discrete:
            spreads.append(0.0)
            levels.append(tuple(dict.fromkeys(cells_of(rows[column]))))
            continue
        values = np.sort(rows[column].to_numpy(dtype=np.float64))
        known = values[np.isfinite(values)]
        spreads.append(moments(known)[1] if len(known) and known[0] < known[-1] else 1.0)
        levels.append(())
    return Distance(tuple(rows.columns), np.array(spreads), tuple(levels))


@dataclass(frozen=True)
class TableReference:
    """
    Rows that stand for the training data, and what the model and their labels say of them.

    Attributes
    ----------
    rows : m rows, ordered by their values
    names : (m,)
        Where each of them stands, for the user.
    predicted : (m,) int
        The class that the model gives each; -1 for a model without classes.
    labelled : (m,) int
        Its label among the classes; ``NO_LABEL`` where nobody asked for one, ``OTHER_LABEL``
        where it is none of them, or missing.
    outputs : class names
    discrete
        Columns that are categories.
    members : columns of each feature
    seed
        The run's seed.
    files
        Reads rows that settings name.
    labels
        The column of the labels, if the user named one.
    held
        Columns that stay the own ones of each row.
    """

    rows: pd.DataFrame
    names: tuple[str, ...]
    predicted: IntArray
    labelled: IntArray
    outputs: tuple[str, ...]
    discrete: frozenset[str]
    members: tuple[tuple[str, ...], ...]
    seed: int
    files: TableFiles
    labels: str | None = None
    held: tuple[str, ...] = ()

    @property
    def model_id(self) -> str:
        """SHA-256 (hex) of the model, and its member."""
        return self.files.model_id

    @property
    def free(self) -> tuple[str, ...]:
        """The columns that a baseline may change."""
        return tuple(c for c in self.rows.columns if c not in self.held)

    @cached_property
    def distance(self) -> Distance:
        """How rows compare: in what a baseline may change."""
        return measure_distance(self.rows[list(self.free)], self.discrete)

    @cached_property
    def coded(self) -> FloatArray:
        """The rows as numbers that compare."""
        return self.distance.coded(self.rows)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the model's classes; none for a model without."""
        return self.outputs if (self.predicted >= 0).any() else ()

    def batches(self) -> Iterator[Batch[int]]:
        """Yield the places of all rows; one whose label is not what the model says has no class."""
        agree = (self.labelled == NO_LABEL) | (self.labelled == self.predicted)
        yield Batch(range(len(self.rows)), np.where(agree, self.predicted, NO_CLASS))

    room = unlimited


def _same(first: "pd.Series[Any]", second: "pd.Series[Any]") -> BoolArray:
    """Return where two columns hold the same value, missing ones too."""
    if first.dtype.kind == "f" and second.dtype.kind == "f":
        a, b = first.to_numpy(), second.to_numpy()
        return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))
    pairs = zip(cells_of(first), cells_of(second), strict=True)
    return np.array([a == b for a, b in pairs], dtype=bool)


def differ(
    first: pd.DataFrame, second: pd.DataFrame, members: Sequence[tuple[str, ...]]
) -> BoolArray:
    """Return in which features, of one or several columns each, rows differ: (b, n)."""
    parts = [
        ~np.array([_same(first[c], second[c]) for c in columns]).all(axis=0) for columns in members
    ]
    return np.asarray(np.column_stack(parts), dtype=np.bool_)
