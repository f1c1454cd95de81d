"""Codes one feature of a table into bins or categories, and draws it."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.baselines.tables import moments
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.additive import PARTS

UNSEEN = -1
"""The code of a value that the background never shows: it matches no draw."""


class Cell(Protocol):
    """One feature: its law of drawing, and the code by which a draw matches a row."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Model input columns that the feature stands for; more than one for a group."""

    @property
    def frequencies(self) -> FloatArray:
        """Background frequency of each code, summing to 1; empty for a number without bins."""

    def code(self, frame: pd.DataFrame) -> IntArray:
        """Return the code of each row (b,), ``UNSEEN`` where the background has no such value."""

    def draw(self, uniform: FloatArray) -> tuple[IntArray, dict[str, Any]]:
        """Turn uniforms in [0, 1) (m,) into codes (m,) and values (m,) for each column."""


def _invert(uniform: FloatArray, frequencies: FloatArray) -> tuple[IntArray, FloatArray]:
    """Split uniforms into a code of the given frequencies and a fresh uniform inside it."""
    ends = np.cumsum(frequencies)
    ends /= ends[-1]
    last = int(np.flatnonzero(frequencies)[-1])
    codes = np.minimum(np.searchsorted(ends, uniform, side="right"), last)
    starts = np.concatenate([[0.0], ends[:-1]])
    widths = np.where(frequencies > 0, ends - starts, 1.0)
    inside = np.clip((uniform - starts[codes]) / widths[codes], 0.0, 1.0)
    return codes.astype(np.int64), inside


def draw_parts(cell: Cell, uniform: FloatArray) -> tuple[IntArray, dict[str, Any], Any]:
    """
    Draw a cell, and tell in which of ``PARTS`` equally likely parts of its bin each draw is.

    Returns
    -------
    Codes (m,), values (m,) for each column, parts (m,): 0 where a cell has none.
    """
    if not isinstance(cell, Binned):
        return *cell.draw(uniform), np.zeros(len(uniform), dtype=np.uint8)
    codes, inside = _invert(uniform, cell.frequencies)
    parts = np.minimum(inside * PARTS, PARTS - 1).astype(np.uint8)
    return codes, {cell.name: cell.values(codes, inside)}, parts


@dataclass(frozen=True)
class Binned:
    """
    A number cut into bins, drawn inside a bin from a truncated normal (LIME's law).

    Where a bin has no width its value is drawn, not the z-score that ``lime`` 0.2 draws there.
    Missing values are a bin of their own, the last one (``missing``).

    Attributes
    ----------
    edges : (c,) cut points; bin i holds edges[i-1] < x <= edges[i]
    lows, highs, means, sds : (c + 1,) of the background values in each bin
    frequencies : (c + 1,) or (c + 2,) with the missing bin
    """

    name: str
    edges: FloatArray
    lows: FloatArray
    highs: FloatArray
    means: FloatArray
    sds: FloatArray
    frequencies: FloatArray
    missing: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the one column."""
        return (self.name,)

    def code(self, frame: pd.DataFrame) -> IntArray:
        """Return the bin of each value; a missing value without a missing bin is unseen."""
        values = frame[self.name].to_numpy(dtype=np.float64)
        codes = np.searchsorted(self.edges, values).astype(np.int64)
        codes[np.isnan(values)] = len(self.means) if self.missing else UNSEEN
        return codes

    def draw(self, uniform: FloatArray) -> tuple[IntArray, dict[str, Any]]:
        """Draw a bin by frequency, then a value of its truncated normal by inversion."""
        codes, inside = _invert(uniform, self.frequencies)
        return codes, {self.name: self.values(codes, inside)}

    def values(self, codes: IntArray, inside: FloatArray) -> FloatArray:
        """Return the values (m,) that lie at shares *inside* of the bins *codes*."""
        from scipy.special import ndtr, ndtri

        mean, sd, low, high = self.means, self.sds, self.lows, self.highs
        below, above = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
        bins = np.minimum(codes, len(mean) - 1) if self.missing else codes
        drawn = ndtri(below[bins] + inside * (above - below)[bins])
        drawn *= sd[bins]
        drawn += mean[bins]
        # a bin without width has one value: both ends
        np.clip(drawn, low[bins], high[bins], out=drawn)
        if self.missing:
            drawn[codes == len(mean)] = np.nan
        return np.asarray(drawn, dtype=np.float64)

    def interval(self, lower: FloatArray, upper: FloatArray, missing: BoolArray) -> FloatArray:
        """
        Return P(lower < x <= upper | bin), (e, bins), for e intervals.

        ``missing`` (e,) says whether a missing value counts as inside.
        """
        from scipy.special import ndtr

        low, high = self.lows[None, :], self.highs[None, :]
        left, right = np.maximum(lower[:, None], low), np.minimum(upper[:, None], high)
        mean, sd = self.means[None, :], self.sds[None, :]
        whole = ndtr((high - mean) / sd) - ndtr((low - mean) / sd)
        part = ndtr((right - mean) / sd) - ndtr((left - mean) / sd)
        point = (lower[:, None] < low) & (low <= upper[:, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(low == high, point, np.clip(part / whole, 0.0, 1.0))
        share = np.where((right < left) & (low != high), 0.0, share)
        if self.missing:
            share = np.column_stack([share, missing.astype(np.float64)])
        return np.asarray(share, dtype=np.float64)


def cut(name: str, values: FloatArray, edges: FloatArray) -> Binned:
    """
    Measure the bins of a number's background values (b,) between *edges*.

    Sums run over sorted values, so that the result does not depend on the order of rows.
    """
    known = np.sort(values[~np.isnan(values)])
    n_missing = len(values) - len(known)
    edges = np.unique(edges)
    bins = np.split(known, np.searchsorted(known, edges, side="right"))
    counts = [len(part) for part in bins] + ([n_missing] if n_missing else [])
    measured = [moments(part) for part in bins]
    ends = (known[0], known[-1]) if len(known) else (0.0, 0.0)
    return Binned(
        name=name,
        edges=edges,
        lows=np.concatenate([[ends[0]], edges]),
        highs=np.concatenate([edges, [ends[1]]]),
        means=np.array([mean for mean, _ in measured]),
        # 1e-11 is lime's own guard against a spread of 0
        sds=np.array([sd for _, sd in measured]) + 1e-11,
        frequencies=np.array(counts, dtype=np.float64) / len(values),
        missing=n_missing > 0,
    )


def _keys(values: NDArray[Any]) -> list[Any]:
    """Make values hashable and equal across dtypes: missing is None, numpy scalars are Python's."""
    # NaN is what differs from itself
    return [None if v is None or v is pd.NA or v != v else v for v in values.tolist()]  # noqa: PLR0124  # NaN


@dataclass(frozen=True)
class Categories:
    """A discrete column: its background values, missing (None) among them, by frequency."""

    name: str
    levels: tuple[Any, ...]
    frequencies: FloatArray
    dtype: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the one column."""
        return (self.name,)

    def code(self, frame: pd.DataFrame) -> IntArray:
        """Return the level of each value; a value that the background lacks is unseen."""
        place = {level: i for i, level in enumerate(self.levels)}
        keys = _keys(frame[self.name].to_numpy())
        return np.fromiter((place.get(key, UNSEEN) for key in keys), np.int64, len(keys))

    def draw(self, uniform: FloatArray) -> tuple[IntArray, dict[str, Any]]:
        """Draw levels by their background frequency."""
        codes, _ = _invert(uniform, self.frequencies)
        levels = np.empty(len(self.levels), dtype=object)
        levels[:] = [np.nan if v is None else v for v in self.levels]  # as tables hold it
        return codes, {self.name: levels[codes].astype(self.dtype)}

    def interval(self, lower: FloatArray, upper: FloatArray, missing: BoolArray) -> FloatArray:
        """Return whether each level lies in lower < x <= upper, (e, levels), for numeric levels."""
        known = np.array([np.nan if v is None else float(v) for v in self.levels])
        inside = (lower[:, None] < known) & (known <= upper[:, None])
        return np.where(np.isnan(known), missing[:, None], inside).astype(np.float64)


def count(name: str, column: "pd.Series[Any]") -> Categories:
    """Count the levels of a discrete column, in an order that rows do not decide."""
    keys = _keys(column.to_numpy())
    levels: dict[Any, int] = {}
    for key in keys:
        levels[key] = levels.get(key, 0) + 1
    ordered = sorted(levels, key=lambda v: (v is None, type(v).__name__, v if v is not None else 0))
    counts = np.array([levels[v] for v in ordered], dtype=np.float64)
    numeric = column.dtype.kind in "fiub"
    dtype = column.dtype.name if numeric else "object"
    return Categories(name, tuple(ordered), counts / len(keys), dtype)


@dataclass(frozen=True)
class Gaussian:
    """A number without bins: normal with the background's mean and standard deviation."""

    name: str
    mean: float
    sd: float

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the one column."""
        return (self.name,)

    @property
    def frequencies(self) -> FloatArray:
        """Return nothing: there are no bins."""
        return np.empty(0)

    def code(self, frame: pd.DataFrame) -> IntArray:
        """Return zeros: there are no bins."""
        return np.zeros(len(frame), dtype=np.int64)

    def position(self, frame: pd.DataFrame) -> FloatArray:
        """Return the standardised values (b,)."""
        return (frame[self.name].to_numpy(dtype=np.float64) - self.mean) / self.sd

    def draw(self, uniform: FloatArray) -> tuple[IntArray, dict[str, Any]]:
        """Draw from the normal by inversion."""
        from scipy.special import ndtri

        # a Sobol point may be exactly 0, where the normal quantile is -inf
        normal = ndtri(np.clip(uniform, 2.0**-40, 1 - 2.0**-40))
        return np.zeros(len(uniform), dtype=np.int64), {self.name: self.mean + self.sd * normal}


@dataclass(frozen=True)
class Joint:
    """
    Several columns as one feature: drawn together from background rows, on when all match.

    Attributes
    ----------
    members : the columns' own codings; a draw matches a row when every member's code matches
    rows : the distinct background rows of these columns
    shares : (len(rows),) their frequencies
    row_codes : (len(rows),) the joint code of each
    codes : the joint code of each tuple of member codes
    """

    members: tuple[Binned | Categories, ...]
    rows: pd.DataFrame
    shares: FloatArray
    row_codes: IntArray
    codes: dict[tuple[int, ...], int]
    frequencies: FloatArray

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the group."""
        return tuple(member.name for member in self.members)

    def code(self, frame: pd.DataFrame) -> IntArray:
        """Return the joint code of each row; a combination that the background lacks is unseen."""
        parts = np.stack([member.code(frame) for member in self.members], axis=1)
        return np.array([self.codes.get(tuple(p), UNSEEN) for p in parts.tolist()], dtype=np.int64)

    def draw(self, uniform: FloatArray) -> tuple[IntArray, dict[str, Any]]:
        """Draw whole background rows of the group's columns."""
        picks, _ = _invert(uniform, self.shares)
        drawn = self.rows.iloc[picks]
        return self.row_codes[picks], {c: drawn[c].to_numpy() for c in self.columns}


def join(members: tuple[Binned | Categories, ...], background: pd.DataFrame) -> Joint:
    """Make one feature of several columns, its draws being the background's own combinations."""
    names = [member.name for member in members]
    table = background[names]
    shares = table.value_counts(dropna=False, sort=False)
    rows = shares.index.to_frame(index=False)
    order = rows.astype(str).sort_values(names, kind="stable").index.to_numpy()
    rows = rows.iloc[order].reset_index(drop=True).astype(table.dtypes.to_dict())
    frequencies = shares.to_numpy()[order] / len(table)
    parts = np.stack([member.code(rows) for member in members], axis=1).tolist()
    codes = {key: i for i, key in enumerate(sorted({tuple(p) for p in parts}))}
    row_codes = np.array([codes[tuple(p)] for p in parts], dtype=np.int64)
    joint: FloatArray = np.bincount(row_codes, weights=frequencies, minlength=len(codes)).astype(
        float
    )
    return Joint(members, rows, frequencies, row_codes, codes, joint)
