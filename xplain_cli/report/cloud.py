"""The explanations behind a ranking, as weights and values of its strongest features."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import BoolArray, FloatArray, IntArray, Records
from xplain_cli.output.cells import cleaned

MOST = 1000
"""Explanations that figures draw; of more, some at equal distances."""
LEVELS = 5
"""Shades of a value, low to high."""


@dataclass(frozen=True)
class Values:
    """
    The values of one feature in n explanations.

    Attributes
    ----------
    numbers : (n,)
        The values, or of categories their places in ``names``; NaN where there is none.
    names
        The categories in alphabetical order; empty where values are numbers.
    """

    numbers: FloatArray
    names: tuple[str, ...] = ()

    @property
    def known(self) -> BoolArray:
        """Where there is a value (n,)."""
        return np.isfinite(self.numbers)

    def groups(self, most: int) -> IntArray:
        """Return in which of at most *most* groups each value is, from low to high; -1: none."""
        found = np.full(len(self.numbers), -1, dtype=np.int64)
        own = self.numbers[self.known]
        if not len(own):
            return found
        distinct = np.unique(own)
        if len(distinct) <= most:
            found[self.known] = np.searchsorted(distinct, own)
        else:
            cuts = np.unique(np.quantile(own, np.arange(1, most) / most))
            found[self.known] = np.searchsorted(cuts, own, side="left")
        return found


@dataclass(frozen=True)
class Cloud:
    """
    Some explanations of a run.

    Attributes
    ----------
    features
        The strongest first.
    weights : (n, f)
        Of each feature in each explanation; NaN where it has none.
    values
        Of each feature; None where they may not be shown.
    count
        How many explanations there are in all.
    target
        The one that is drawn where rows have several; else empty.
    """

    features: tuple[str, ...]
    weights: FloatArray
    values: tuple[Values, ...] | None
    count: int
    target: str = ""

    @property
    def said(self) -> str:
        """Which explanations are drawn."""
        n = len(self.weights)
        of = f" of {self.target}" if self.target else ""
        drawn = f"{n:,} of {self.count:,}" if n < self.count else f"all {n:,}"
        return f"{drawn} explanations{of}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


def values_of(cells: Sequence[Any]) -> Values:
    """Return cells as numbers where all are, else as categories."""
    there = [None if cell is None or pd.isna(cell) else cell for cell in cells]
    known = [cell for cell in there if cell is not None]
    if all(map(_is_number, known)):
        return Values(np.array([np.nan if c is None else float(c) for c in there]))
    texts = [None if cell is None else cleaned(cell) for cell in there]
    names = tuple(sorted({text for text in texts if text is not None}))
    places = {name: float(at) for at, name in enumerate(names)}
    return Values(np.array([np.nan if t is None else places[t] for t in texts]), names)


def _drawn(records: Records, target: str, step: float, seen: int) -> tuple[IntArray, int]:
    """Return the lines of a part that are drawn, and how many were looked at so far."""
    told = records.stability
    met = told["status"].eq("ok").to_numpy()
    if target:
        met = met & (told["target"].astype(str) == target).to_numpy()  # it may be read-only
    lines = np.flatnonzero(met)
    place = np.floor((seen + np.arange(len(lines) + 1)) / step)
    return lines[np.diff(place) > 0], seen + len(lines)


def gather(
    parts: Iterable[Records], features: Sequence[str], count: int, target: str, *, values: bool
) -> Cloud:
    """
    Gather the weights and values of features.

    Parameters
    ----------
    parts
        What each part of the run holds.
    features
        As the run names them.
    count
        Explanations of the target, in all.
    target
        The only one that is drawn; empty: any.
    values
        Whether values may be shown.
    """
    places = {name: at for at, name in enumerate(features)}
    rows: list[FloatArray] = []
    cells: list[list[Any]] = [[] for _ in features]
    seen, step = 0, max(1.0, count / MOST)
    for records in parts:
        lines, seen = _drawn(records, target, step, seen)
        starts = np.cumsum(records.lines) - records.lines
        for line in lines.tolist():
            own = records.weights.iloc[starts[line] : starts[line] + records.lines[line]]
            found, held = np.full(len(features), np.nan), [None] * len(features)
            for name, weight, value in zip(
                own["feature"], own["weight"], own["feature_value"], strict=True
            ):
                if name in places:
                    found[places[name]], held[places[name]] = weight, value
            rows.append(found)
            for column, cell in zip(cells, held, strict=True):
                column.append(cell)
    return Cloud(
        features=tuple(cleaned(name) for name in features),
        weights=np.array(rows).reshape(len(rows), len(features)),
        values=tuple(map(values_of, cells)) if values else None,
        count=count,
        target=cleaned(target) if target else "",
    )
