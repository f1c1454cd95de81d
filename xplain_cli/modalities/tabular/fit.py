"""Fits the sampler of a table to its background rows: a cell for each feature."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.baselines.tables import moments
from xplain_cli.datasets.columns import named_by
from xplain_cli.errors import RefusedError, UsageError, naming, nearest
from xplain_cli.explanation import IntArray
from xplain_cli.methods.discretizers import entropy_edges, quantile_edges
from xplain_cli.modalities.tabular.cells import (
    Binned,
    Categories,
    Cell,
    Gaussian,
    Joint,
    count,
    cut,
    join,
)
from xplain_cli.modalities.tabular.draws import TableSampler
from xplain_cli.modalities.tabular.held_values import NOTHING_HELD, HeldValues

_LARGEST = float(np.finfo(np.float64).max) / 4
_PARTS = {"quartile": 4, "decile": 10}


def parse_groups(groups: Sequence[str], columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """
    Read ``NAME=GLOB`` groups; several globs of one name add up.

    Raises
    ------
    UsageError
        A group that matches no column, or a column in two groups, or a name that is a column
        outside the group.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in groups:
        name, equals, pattern = text.partition("=")
        if not equals or not name or not pattern:
            raise UsageError(f"--group {text!r}: expected NAME=GLOB, such as city=city_*")
        hits = named_by(pattern, columns)
        if not hits:
            raise UsageError(
                f"--group {text!r} matches no column of the model{nearest(pattern, columns)}"
            )
        found[name] = tuple(dict.fromkeys(found.get(name, ()) + hits))
    owner: dict[str, str] = {}
    for name, members in found.items():
        for column in members:
            if owner.setdefault(column, name) != name:
                raise UsageError(f"--group: column {column!r} is in {owner[column]!r} and {name!r}")
        if name in columns and name not in members:
            raise UsageError(f"--group {name!r} is also the name of a column outside the group")
    return found


def _cell(
    name: str, column: "pd.Series[Any]", discretizer: str, labels: IntArray | None
) -> Binned | Gaussian:
    """Make the law of one number from its background values."""
    values = column.to_numpy(dtype=np.float64)
    if np.isinf(values).any():
        raise RefusedError(
            f"background: column {name!r} has infinite values; bins need finite numbers:"
            f" {naming('--drop-columns', name)}, or --na-values inf"
        )
    if np.nanmax(np.abs(values), initial=0.0) > _LARGEST:
        raise RefusedError(
            f"background: column {name!r} has values above {_LARGEST:.0e}, whose differences are"
            f" infinite: {naming('--drop-columns', name)}, or give it in a larger unit"
        )
    if discretizer == "none":
        if np.isnan(values).any():
            raise UsageError(
                f"lime:discretizer=none: column {name!r} has missing values in the background;"
                " a missing value has a bin but no place on a line: use discretizer=quartile"
            )
        mean, sd = moments(np.sort(values))
        return Gaussian(name, mean, sd or 1.0)
    if discretizer == "entropy":
        if labels is None:
            raise UsageError("lime:discretizer=entropy needs classes; use quartile or decile")
        return cut(name, values, entropy_edges(values, labels))
    return cut(name, values, quantile_edges(values, _PARTS[discretizer]))


def _joint(
    members: tuple[str, ...], background: pd.DataFrame, discrete: frozenset[str], discretizer: str
) -> Joint:
    """Make one feature of several columns; a column of two values is matched by value."""
    if discretizer not in _PARTS:
        discretizer = "quartile"
    cells: list[Binned | Categories] = []
    for name in members:
        column = background[name]
        few = column.nunique(dropna=False) <= 2
        if few or name in discrete:
            cells.append(count(name, column))
        else:
            parts = _PARTS[discretizer]
            values = column.to_numpy(dtype=np.float64)
            cells.append(cut(name, values, quantile_edges(values, parts)))
    return join(tuple(cells), background)


def table_law(
    background: pd.DataFrame,
    kinds: Mapping[str, str],
    discretizer: str,
    *,
    discrete: frozenset[str] = frozenset(),
    groups: Mapping[str, tuple[str, ...]] | None = None,
    labels: IntArray | None = None,
    held: HeldValues = NOTHING_HELD,
) -> TableSampler:
    """
    Measure LIME's law on background rows.

    Parameters
    ----------
    background : (b, columns) table
        Typed rows that stand for the training distribution, columns in the model's order.
    kinds
        Of each column: "integer" values are shown whole.
    discretizer
        "quartile", "decile", "entropy" or "none".
    discrete
        Columns taken as categories; the others are numbers.
    groups
        Features that stand for several columns.
    labels : (b,) int, optional
        The model's predicted class of each background row (for "entropy").
    held
        Columns that are not drawn.

    Raises
    ------
    UsageError, RefusedError
        A column that the discretizer cannot take, with the way out.
    """
    groups = groups or {}
    owner = {column: name for name, members in groups.items() for column in members}
    names: dict[str, None] = {}
    cells: list[Cell] = []
    for column in background.columns:
        name = owner.get(column, column)
        if name in names or column in held.columns:
            continue
        names[name] = None
        if column in owner:
            cells.append(_joint(groups[name], background, discrete, discretizer))
        elif column in discrete:
            cells.append(count(column, background[column]))
        else:
            cells.append(_cell(column, background[column], discretizer, labels))
    columns = tuple(background.columns)
    return TableSampler(tuple(names), tuple(cells), columns, tuple(kinds[c] for c in columns), held)
