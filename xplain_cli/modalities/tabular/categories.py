"""Finds categories that the model was not fitted with, and rows that it fails on."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from xplain_cli.datasets import Chunk
from xplain_cli.datasets.cells import shorten
from xplain_cli.errors import counted, nearest
from xplain_cli.models import Levels

_SHOWN = 5


def _unseen(column: "pd.Series[Any]", levels: Levels) -> dict[int, Any]:
    """Return the rows whose value is known and none of the levels, with the value."""
    values = levels.values or ()
    names = set() if levels.strict else {str(value) for value in values}
    other = ~column.isin([*values, *names]) & column.notna()
    rows = other.to_numpy().nonzero()[0].tolist()
    return {i: column.iloc[i] for i in rows}


def _listed(values: Iterable[Any]) -> str:
    shown = [shorten(value) for value in values]
    return ", ".join(shown[:_SHOWN]) + (f", ... ({len(shown)})" if len(shown) > _SHOWN else "")


def _named(value: Any, known: Levels) -> str:
    return f"the category {shorten(value)}{nearest(str(value), map(str, known.values or ()))}"


def _ways_out(known: Levels, *, shown: bool) -> str:
    """Say what the category may become; those of the model are values of its training data."""
    if not shown:
        return f"change it to one of the {len(known.values or ())} that it knows"
    return f"it knows {_listed(known.values or ())}: change it to one of them"


def set_apart(
    piece: Chunk, levels: Mapping[str, Levels], name: Callable[[int], str], *, shown: bool = True
) -> Chunk:
    """
    Return a chunk in which rows with a category that the model fails on have the reason.

    Parameters
    ----------
    name
        The file that a row of DATA stands in, for the reason.
    shown
        Whether the reason shows the category.
    """
    reasons: dict[int, str] = {}
    for column, known in levels.items():
        if not known.strict or column not in piece.table:
            continue
        for i, value in _unseen(piece.table[column], known).items():
            row = piece.start + i
            reasons.setdefault(
                i,
                f"{name(row)}: row {row}, column {column!r}: the model was not fitted with"
                f" {_named(value, known) if shown else 'its category'};"
                f" {_ways_out(known, shown=shown)}, or fit the model with handle_unknown='ignore'",
            )
    return replace(piece, reasons={**reasons, **piece.reasons})


def unseen_notes(
    pieces: Iterable[Chunk], levels: Mapping[str, Levels], name: str, *, shown: bool = True
) -> list[str]:
    """Return a note for each column of a table that holds categories unknown to the model."""
    counts: dict[str, Counter[Any]] = {column: Counter() for column in levels}
    for piece in pieces:
        for column, known in levels.items():
            found = _unseen(piece.table[column], known)
            counts[column].update(v for i, v in found.items() if i not in piece.reasons)
    notes = []
    for column, found in counts.items():
        if found:
            often = sorted(found, key=lambda value: (-found[value], str(value)))
            many = "1 category" if len(found) == 1 else f"{len(found)} categories"
            end = "their rows fail" if levels[column].strict else "the model takes them as unknown"
            notes.append(
                f"{name}: column {column!r}: {many} that the model was not fitted with, in"
                f" {counted(found.total())}{f': {_listed(often)}' if shown else ''}; {end}"
            )
    return notes
