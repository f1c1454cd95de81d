"""Columns that the user holds: each row keeps its own values there, whatever else is drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from xplain_cli.datasets.columns import named_by
from xplain_cli.errors import UsageError, naming, nearest
from xplain_cli.explanation import IntArray
from xplain_cli.models.batches import repeated
from xplain_cli.samples import MOST_POOLS


def parse_held(
    names: Sequence[str], columns: Sequence[str], groups: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """
    Return the columns that ``--hold`` names, by name, glob or group, in the model's order.

    Raises
    ------
    UsageError
        A name is no column of the model, a group would be held in part, or nothing is left.
    """
    held: set[str] = set()
    for pattern in names:
        hits = groups.get(pattern) or named_by(pattern, columns)
        if not hits:
            raise UsageError(
                f"--hold {pattern!r} matches no column of the model"
                f"{nearest(pattern, [*columns, *groups], '--hold')}"
            )
        held |= set(hits)
    for group, members in groups.items():
        others = [c for c in members if c not in held]
        if others and len(others) < len(members):
            inside = next(c for c in members if c in held)
            raise UsageError(
                f"--hold {inside!r}: is in group {group!r} with {others[0]!r}, which is not held;"
                f" hold the group ({naming('--hold', group)}), or leave the column out of it"
            )
    if held and len(held) == len(columns):
        raise UsageError("--hold names all columns of the model: nothing is left to explain")
    return tuple(c for c in columns if c in held)


@dataclass(frozen=True)
class HeldValues:
    """
    The columns that are held, and which values they have together.

    Attributes
    ----------
    columns
        In the model's order; empty where nothing is held.
    combinations : (c, columns) table
        The distinct rows of these columns in DATA, in an order that rows do not decide; none where
        each row has draws of its own.
    keys : (c,)
        SHA-256 of each of them.
    """

    columns: tuple[str, ...] = ()
    combinations: pd.DataFrame | None = None
    keys: tuple[bytes, ...] = ()

    @cached_property
    def places(self) -> dict[bytes, int]:
        """Where each combination stands."""
        return {key: place for place, key in enumerate(self.keys)}

    @property
    def pools(self) -> int:
        """How many pools of draws serve all rows: one for each combination."""
        return max(1, len(self.keys))

    def pool_of(self, keys: Sequence[bytes]) -> IntArray:
        """Return the place of each row's combination, by the keys of its held cells, (b,)."""
        return np.array([self.places.get(key, 0) for key in keys], dtype=np.int64)


NOTHING_HELD = HeldValues()


def find_combinations(
    columns: tuple[str, ...], tables: Iterable[tuple[pd.DataFrame, tuple[bytes, ...]]]
) -> HeldValues:
    """
    Return the distinct rows of held columns; no more than one beyond what gets pools are looked at.

    Parameters
    ----------
    tables
        Rows of these columns, piece by piece, with their keys.
    """
    found: dict[bytes, pd.DataFrame] = {}
    for table, keys in tables:
        for place, key in enumerate(keys):
            if key not in found and len(found) <= MOST_POOLS:
                found[key] = repeated(table, np.array([place]))
        if len(found) > MOST_POOLS:
            break
    order = sorted(found)
    rows = pd.concat([found[key] for key in order], ignore_index=True)
    return HeldValues(columns, rows, tuple(order))
