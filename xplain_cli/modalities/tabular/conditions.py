"""The bins of LIME's features in words and numbers: what the weight of a bin speaks of.

A weight of LIME on binned draws says what the target gains when the value lies in the row's bin
rather than outside it; without the bin it cannot be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import CodedWords, FloatArray, IntArray
from xplain_cli.modalities.tabular.cells import Binned, Categories, Cell, Joint

COLUMNS = ("condition", "bin_low", "bin_high")


@dataclass(frozen=True)
class Bins:
    """
    What the codes of one feature mean.

    Attributes
    ----------
    words : (codes,) object
        Each as a condition; None where there is no bin.
    lows, highs : (codes,)
        Its ends, low < value <= high; NaN where it is open, or no interval.
    """

    words: Any
    lows: FloatArray
    highs: FloatArray


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _between(name: str, low: float, high: float) -> str:
    """Return an interval in words; an open end is no part of them."""
    if np.isnan(low):
        return f"{name} has any value" if np.isnan(high) else f"{name} <= {_shown(high)}"
    return (
        f"{name} > {_shown(low)}" if np.isnan(high) else f"{_shown(low)} < {name} <= {_shown(high)}"
    )


def _of_numbers(cell: Binned) -> Bins:
    edges = cell.edges.astype(np.float64).tolist()
    lows, highs = [np.nan, *edges], [*edges, np.nan]
    words = [_between(cell.name, low, high) for low, high in zip(lows, highs, strict=True)]
    words += [f"{cell.name} is missing"] * cell.missing
    none = [np.nan] * cell.missing
    return Bins(np.array(words, dtype=object), np.array(lows + none), np.array(highs + none))


def _of_categories(cell: Categories) -> Bins:
    words = [
        f"{cell.name} is missing" if level is None else f"{cell.name} = {_shown(level)}"
        for level in cell.levels
    ]
    unknown = np.full(len(words), np.nan)
    return Bins(np.array(words, dtype=object), unknown, unknown)


def _of_group(cell: Joint) -> Bins:
    """Join the conditions of the columns of a group."""
    members = [bins_of(member) for member in cell.members]
    words = np.full(len(cell.codes), None, dtype=object)
    for own, code in cell.codes.items():
        parts = (str(bins.words[at]) for bins, at in zip(members, own, strict=True))
        words[code] = " and ".join(parts)
    unknown = np.full(len(words), np.nan)
    return Bins(words, unknown, unknown)


def bins_of(cell: Cell) -> Bins:
    """Return what the codes of a feature mean; of a number without bins its one code has none."""
    if isinstance(cell, Binned):
        return _of_numbers(cell)
    if isinstance(cell, Categories):
        return _of_categories(cell)
    if isinstance(cell, Joint):
        return _of_group(cell)
    return Bins(np.array([None], dtype=object), np.array([np.nan]), np.array([np.nan]))


def conditions(cells: Sequence[Cell], codes: IntArray) -> dict[str, Any]:
    """
    Return the bins in which rows lie.

    Parameters
    ----------
    cells
        Of each of n features.
    codes : (b, n)
        The rows' own; one that the background has not (below 0) has no condition.

    Returns
    -------
    ``COLUMNS`` to (b, n): ``CodedWords``, and arrays of numbers or NaN.
    """
    places, words = np.full(codes.shape, -1), dict[str, int]()
    lows, highs = np.full(codes.shape, np.nan), np.full(codes.shape, np.nan)
    for j, bins in enumerate(map(bins_of, cells)):
        own = codes[:, j]
        known = (own >= 0) & (own < len(bins.words))
        said = [-1 if one is None else words.setdefault(one, len(words)) for one in bins.words]
        places[known, j] = np.array(said)[own[known]]
        lows[known, j], highs[known, j] = bins.lows[own[known]], bins.highs[own[known]]
    return dict(zip(COLUMNS, (CodedWords(places, list(words)), lows, highs), strict=True))


def edges_said(cells: Sequence[Cell]) -> dict[str, list[float]]:
    """Return the inner edges of each number that is cut into bins, for the manifest."""
    numbers = [member for cell in cells for member in getattr(cell, "members", (cell,))]
    return {cell.name: cell.edges.tolist() for cell in numbers if isinstance(cell, Binned)}
