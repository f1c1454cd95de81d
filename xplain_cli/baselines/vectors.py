"""Rows as vectors in [-1, 1], for what is learned of them, and as the points of a gradient.

A number stands between the least and the largest of the training rows, a category is a 1 among
zeros. What a vector cannot hold, a missing cell or a category that nobody has seen, stays as the
row has it: its places are *fixed*.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.baselines.tables import cells_of
from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray

_LARGEST_PLAIN = 16  # pixels of a side, above which pixels must be looked at with their neighbours
_PROBES = 8
_APART = 1e-6


@dataclass(frozen=True)
class VectorForm:
    """
    What the places of a vector stand for.

    Attributes
    ----------
    width
        How many there are.
    groups
        First and last place + 1 of each category.
    steps
        Of each place how far whole numbers are apart; 0 where any number may stand.
    shape
        (h, w, c) of pictures; None for rows of tables.
    """

    width: int
    groups: tuple[tuple[int, int], ...] = ()
    steps: tuple[float, ...] = ()
    shape: tuple[int, int, int] | None = None

    @property
    def is_large(self) -> bool:
        """Whether these are pictures that are looked at pixel by pixel with their neighbours."""
        return self.shape is not None and max(self.shape[:2]) > _LARGEST_PLAIN

    @property
    def is_number(self) -> BoolArray:
        """Which places are no part of a category, (D,)."""
        found = np.ones(self.width, dtype=np.bool_)
        for start, stop in self.groups:
            found[start:stop] = False
        return found

    def settled(self, made: FloatArray) -> FloatArray:
        """Return vectors whose categories are one 1 among zeros, and whose whole numbers are so."""
        found = np.clip(made, -1.0, 1.0)
        steps = np.array(self.steps)
        for j in np.flatnonzero(steps > 0).tolist():
            found[:, j] = np.rint((found[:, j] + 1) / steps[j]) * steps[j] - 1
        for start, stop in self.groups:
            best = made[:, start:stop].argmax(axis=1)
            found[:, start:stop] = np.arange(stop - start) == best[:, None]
        return found


@dataclass(frozen=True)
class Matrix:
    """How the points of a gradient move with vectors: by a matrix (D, P)."""

    matrix: FloatArray

    def along(self, steps: FloatArray) -> FloatArray:
        """Return the steps (m, P) of points of steps (m, D) of vectors."""
        return np.asarray(steps @ self.matrix)

    def back(self, slopes: FloatArray) -> FloatArray:
        """Return derivatives (m, D) by vectors of those (m, P) by points."""
        return np.asarray(slopes.reshape(len(slopes), -1) @ self.matrix.T)


@dataclass(frozen=True)
class Places:
    """
    How the points of a gradient move with vectors: each number by one of the vector.

    Attributes
    ----------
    shape
        Of a point.
    places : (P,) int
        Which number of a vector moves each of a point.
    factors : (P,) float
        How far.
    """

    shape: tuple[int, ...]
    places: IntArray
    factors: FloatArray

    def along(self, steps: FloatArray) -> FloatArray:
        """Return the steps (m, ...) of points of steps (m, D) of vectors."""
        return np.asarray(steps[:, self.places] * self.factors).reshape(len(steps), *self.shape)

    def back(self, slopes: FloatArray) -> FloatArray:
        """Return derivatives (m, D) by vectors of those (m, ...) by points."""
        found = np.empty((len(slopes), len(self.places)))
        found[:, self.places] = slopes.reshape(len(slopes), -1) * self.factors
        return found


class Pull(Protocol):
    """How the points of a gradient move with vectors."""

    def along(self, steps: FloatArray) -> FloatArray:
        """Return the steps (m, ...) of points of steps (m, D) of vectors."""

    def back(self, slopes: FloatArray) -> FloatArray:
        """Return derivatives (m, D) by vectors of those (m, ...) by points."""


class Space(Protocol):
    """How rows of a modality and vectors become each other; picklable."""

    @property
    def form(self) -> VectorForm:
        """What the places of a vector stand for."""

    def vectors(self, rows: Any) -> tuple[FloatArray, BoolArray]:
        """Return the vectors (m, D) of rows, and which of their places are fixed."""

    def rows(self, vectors: FloatArray, rows: Any) -> Any:
        """Return rows of vectors; what a vector shares with that of its row, in *rows*, stays."""

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON values."""


@dataclass(frozen=True)
class TableColumn:
    """
    A column of the training rows.

    Attributes
    ----------
    name
        What it is called.
    low, high
        The least and the largest number.
    whole
        Whether all numbers are whole.
    levels
        Of a category, its values; else none.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    levels: tuple[Any, ...] = ()

    @property
    def width(self) -> int:
        """How many places it takes."""
        return len(self.levels) or 1

    @property
    def step(self) -> float:
        """How far whole numbers are apart in a vector; 0: any number may stand there."""
        return 2 / (self.high - self.low) if self.whole and self.high > self.low else 0.0


@dataclass(frozen=True)
class TableSpace:
    """Rows of a table as vectors."""

    columns: tuple[TableColumn, ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """The first place of each column, and the width of all."""
        return tuple(np.cumsum([0, *(one.width for one in self.columns)]).tolist())

    @property
    def form(self) -> VectorForm:
        """What the places of a vector stand for."""
        starts = self.starts
        spans = zip(self.columns, starts, starts[1:], strict=False)
        groups = tuple((start, stop) for one, start, stop in spans if one.levels)
        steps = [one.step for one in self.columns for _ in range(one.width)]
        return VectorForm(starts[-1], groups, tuple(steps))

    @property
    def stays(self) -> BoolArray:
        """Places (D,) that never move: those of columns with one value."""
        return ~_moving(self)

    def places(self, names: Collection[str]) -> BoolArray:
        """Return the places (D,) that some columns take."""
        return np.repeat(
            [one.name in names for one in self.columns], [one.width for one in self.columns]
        )

    def vectors(self, rows: pd.DataFrame) -> tuple[FloatArray, BoolArray]:
        """Return the vectors (m, D) of rows, and which of their places are fixed."""
        made = np.zeros((len(rows), self.starts[-1]))
        fixed = np.zeros(made.shape, dtype=np.bool_)
        for one, at in zip(self.columns, self.starts, strict=False):
            if one.levels:
                own = _codes(rows[one.name], one.levels)
                span = slice(at, at + one.width)
                made[:, span] = own[:, None] == np.arange(one.width)
                fixed[:, span] = (own < 0)[:, None]
                continue
            cells = rows[one.name].to_numpy(dtype=np.float64)
            half = (one.high - one.low) / 2
            fixed[:, at] = np.isnan(cells) | (half == 0)
            with np.errstate(invalid="ignore"):
                scaled = np.clip((cells - one.low) / (half or 1.0) - 1, -1, 1)
            made[:, at] = np.where(fixed[:, at], 0.0, scaled)
        return made, fixed

    def rows(self, vectors: FloatArray, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows of vectors; what a vector shares with that of its row, in *rows*, stays."""
        own, fixed = self.vectors(rows)
        columns = {str(c): rows[c].to_numpy().copy() for c in rows.columns}
        for one, at in zip(self.columns, self.starts, strict=False):
            span = slice(at, at + one.width)
            moved = ((vectors[:, span] != own[:, span]) & ~fixed[:, span]).any(axis=1)
            if one.levels:
                values = np.empty(len(one.levels), dtype=object)
                values[:] = one.levels
                made: Any = values[vectors[:, span].argmax(axis=1)]
            else:
                made = one.low + (vectors[:, at] + 1) * ((one.high - one.low) / 2)
                made = np.rint(made) if one.whole else made
            columns[one.name][moved] = made[moved].astype(columns[one.name].dtype)
        return pd.DataFrame(columns)

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {"columns": [asdict(one) | {"levels": list(one.levels)} for one in self.columns]}


def _codes(column: "pd.Series[Any]", levels: Sequence[Any]) -> IntArray:
    """Return the place of each cell among the levels; -1 where it is missing or none of them."""
    place = {level: i for i, level in enumerate(levels)}
    return np.array([place.get(cell, -1) for cell in cells_of(column)], dtype=np.int64)


def measured_space(rows: pd.DataFrame, discrete: frozenset[str]) -> TableSpace:
    """Measure the range of numbers and the values of categories in training rows."""
    columns = []
    for column in rows.columns:
        if column in discrete:
            held = [one.item() if hasattr(one, "item") else one for one in cells_of(rows[column])]
            levels = dict.fromkeys(cell for cell in held if cell is not None)
            columns.append(TableColumn(column, levels=tuple(sorted(levels, key=repr))))
            continue
        cells = rows[column].to_numpy(dtype=np.float64)
        known = cells[np.isfinite(cells)]
        whole = bool(len(known) and (known == np.rint(known)).all())
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        columns.append(TableColumn(column, low, high, whole))
    return TableSpace(tuple(columns))


@dataclass(frozen=True)
class PictureSpace:
    """
    Pictures (h, w, c) of one size as vectors.

    Attributes
    ----------
    shape
        (h, w, c).
    low, high
        The ends of the range of their values.
    form_numbers
        How the model takes them, which must be the same later.
    """

    shape: tuple[int, int, int]
    low: float
    high: float
    form_numbers: dict[str, Any]

    @property
    def form(self) -> VectorForm:
        """What the places of a vector stand for."""
        width = int(np.prod(self.shape))
        return VectorForm(width, (), (0.0,) * width, self.shape)

    @property
    def stays(self) -> BoolArray:
        """Places (D,) that never move: none."""
        return self.places(())

    def places(self, _names: Collection[str]) -> BoolArray:
        """Return the places (D,) that some columns take: none, as pictures have no columns."""
        return np.zeros(self.form.width, dtype=np.bool_)

    def vectors(self, rows: Sequence[NDArray[Any]]) -> tuple[FloatArray, BoolArray]:
        """Return the vectors (m, D) of pictures, no place of which is fixed."""
        flat = np.stack([np.asarray(one, dtype=np.float64).ravel() for one in rows])
        made = np.clip((flat - self.low) / ((self.high - self.low) / 2) - 1, -1, 1)
        return made, np.zeros(made.shape, dtype=np.bool_)

    def rows(self, vectors: FloatArray, rows: Sequence[NDArray[Any]]) -> list[FloatArray]:
        """Return pictures of vectors; what a vector shares with that of its row stays."""
        own, _ = self.vectors(rows)
        made = self.low + (vectors + 1) * ((self.high - self.low) / 2)
        plain = np.stack([np.asarray(one, dtype=np.float64).ravel() for one in rows])
        found = np.where(vectors == own, plain, made)
        return [one.reshape(self.shape) for one in found]

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self) | {"shape": list(self.shape)}


def table_pull(
    space: TableSpace, rows: pd.DataFrame, enter: Callable[[pd.DataFrame], FloatArray]
) -> Matrix:
    """
    Find how the points of a model move with the vectors of rows, by asking how it enters some.

    Raises
    ------
    UsageError
        The cells of a row enter it together, as after an imputation from its neighbours.
    """
    first = {one.name: one.levels[0] if one.levels else one.low for one in space.columns}
    other: list[tuple[str, Any]] = []
    for one in space.columns:
        other += [(one.name, level) for level in one.levels or (one.high,)]
    table = {
        name: [value, *(new if column == name else value for column, new in other)]
        for name, value in first.items()
    }
    probes = pd.DataFrame({name: _typed(cells, rows[name]) for name, cells in table.items()})
    points = enter(probes[list(rows.columns)])
    matrix = points[1:] - points[0]
    numbers = space.form.is_number
    matrix[numbers] /= 2  # from one end of [-1, 1] to the other
    pull = Matrix(matrix)
    vectors, fixed = space.vectors(rows)
    whole = np.flatnonzero(~fixed[:, : space.form.width][:, _moving(space)].any(axis=1))[:_PROBES]
    if len(whole) > 1:
        seen, step = enter(rows.iloc[whole]), vectors[whole[1:]] - vectors[whole[0]]
        apart = np.abs(seen[0] + pull.along(step) - seen[1:]).max()
        if apart > _APART * max(1.0, float(np.abs(seen).max())):
            raise UsageError(
                "ganmex follows a model into which each column enters by itself, and in this one"
                " columns act on each other before the first layer; take -b nearest"
            )
    return pull


def _moving(space: TableSpace) -> BoolArray:
    """Return the places that a column with more than one value takes."""
    return np.repeat(
        [bool(one.levels) or one.high > one.low for one in space.columns],
        [one.width for one in space.columns],
    )


def _typed(cells: list[Any], like: "pd.Series[Any]") -> Any:
    return np.array(cells, dtype=object).astype(like.to_numpy().dtype)


def picture_pull(
    space: PictureSpace, enter: Callable[[Sequence[NDArray[Any]]], FloatArray]
) -> Places:
    """
    Find which number of a point each pixel becomes, and by which factor, by asking the model.

    One picture for each binary digit of the pixels' numbers: a number of a point that is bright in
    those pictures whose digit is 1 is the pixel of that number.
    """
    width = int(np.prod(space.shape))
    digits = max(1, (width - 1).bit_length())
    bits = (np.arange(width) >> np.arange(digits)[:, None]) & 1
    flat = np.concatenate([np.zeros((1, width)), np.ones((1, width)), bits])
    pictures = space.low + flat * (space.high - space.low)
    points = enter([one.reshape(space.shape) for one in pictures])
    dark, bright = points[0].ravel(), points[1].ravel()
    nearer = np.abs(points[2:].reshape(digits, -1) - dark) > np.abs(bright - dark) / 2
    places = (nearer * (1 << np.arange(digits))[:, None]).sum(axis=0)
    if len(places) != width or (np.bincount(places, minlength=width) != 1).any():
        raise UsageError("ganmex follows a model that takes each pixel once, and this one does not")
    return Places(points.shape[1:], places, (bright - dark) / 2)


def space_of(facts: dict[str, Any]) -> TableSpace | PictureSpace:
    """
    Return a space of its JSON values.

    Raises
    ------
    KeyError, TypeError, ValueError
        They are no such values.
    """
    if "columns" in facts:
        return TableSpace(tuple(_column_of(one) for one in facts["columns"]))
    height, width, channels = map(int, facts["shape"])
    low, high = float(facts["low"]), float(facts["high"])
    if min(height, width, channels) < 1 or not (_is_number(high - low) and low < high):
        raise ValueError("a size and a range of pictures")
    return PictureSpace((height, width, channels), low, high, dict(facts["form_numbers"]))


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and bool(np.isfinite(value))


def _column_of(facts: dict[str, Any]) -> TableColumn:
    """Return a column of its JSON values, each of the kind that all who read it take it for."""
    one = TableColumn(**facts | {"levels": tuple(facts["levels"])})
    ranged = _is_number(one.low) and _is_number(one.high) and one.low <= one.high
    plain = all(type(level) in {str, int, float, bool} for level in one.levels)
    if not (type(one.name) is str and ranged and type(one.whole) is bool and plain):
        raise TypeError(f"a name, a range and values of column {one.name!r}")
    return one
