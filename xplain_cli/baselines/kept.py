"""The nearest row of a class that is still of it with what a row holds: where cells are held."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import Ask, Assigned
from xplain_cli.baselines.candidates import nearest_members
from xplain_cli.baselines.held_cells import HeldCells
from xplain_cli.baselines.members import TableMembers
from xplain_cli.errors import LostRowError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.batches import repeated

_ROUNDS = (8, 40, 80)
"""How many of the nearest are asked at a time; most rows end in the first round."""
_MOST = sum(_ROUNDS)


def most_tried(found: TableMembers) -> int:
    """Return how many candidates of a row are asked at most: none where nothing is held."""
    if not found.held:
        return 0
    return min(_MOST, max(map(len, found.by_class.values()), default=0))


def _lost(found: TableMembers, index: int, tried: int) -> LostRowError:
    held = ", ".join(map(repr, found.held))
    return LostRowError(
        f"--hold: none of the {tried} nearest rows of class {found.outputs[index]!r} stays in it"
        f" with this row's own {held}; hold less, or take another baseline (-b median)"
    )


@dataclass(frozen=True)
class _Search:
    """Candidates of some rows, nearest first: places and distances of each."""

    found: TableMembers
    rows: pd.DataFrame
    classes: IntArray
    order: Sequence[tuple[IntArray, FloatArray]]

    def stays(self, due: Sequence[int], some: slice, ask: Ask) -> list[BoolArray]:
        """Say which of some candidates stay in the class with the cells that each row holds."""
        places = [self.order[i][0][some] for i in due]
        counts = [len(own) for own in places]
        owner = np.repeat(due, counts)
        mixed = HeldCells(repeated(self.rows, owner), self.found.free).with_cells(
            repeated(self.found.table, np.concatenate(places))
        )
        same = ask(mixed).argmax(axis=1) == self.classes[owner]
        return np.split(same, np.cumsum(counts)[:-1])


def _search(found: TableMembers, rows: pd.DataFrame, classes: IntArray) -> _Search:
    order: list[tuple[IntArray, FloatArray]] = []
    for i, (places, apart) in enumerate(found.distances(rows, classes)):
        if not len(places):
            raise LostRowError(found.lonely(int(classes[i])))
        nearest = np.argsort(apart, kind="stable")[:_MOST]
        order.append((places[nearest], apart[nearest]))
    return _Search(found, rows, classes, order)


def nearest_kept(
    found: TableMembers, rows: pd.DataFrame, classes: IntArray, ask: Ask
) -> tuple[IntArray, FloatArray, IntArray]:
    """
    Return the nearest member of each row's class that stays in it with the row's held cells.

    Returns
    -------
    best : (b,) places of members; far : (b,) their distances; asked : (b,) model inputs

    Raises
    ------
    LostRowError
        No member may stand in for a row.
    """
    if not found.held:
        best, far = nearest_members(found, rows, classes)
        return best, far, np.zeros(len(best), dtype=np.int64)
    search = _search(found, rows, classes)
    chosen, asked = np.full(len(rows), -1), np.zeros(len(rows), dtype=np.int64)
    start = 0
    for size in _ROUNDS:
        due = [i for i, own in enumerate(search.order) if chosen[i] < 0 and len(own[0]) > start]
        some = slice(start, start + size)
        for i, stays in zip(due, search.stays(due, some, ask) if due else (), strict=True):
            asked[i] += len(stays)
            chosen[i] = start + int(stays.argmax()) if stays.any() else -1
        start += size
    for i in np.flatnonzero(chosen < 0).tolist():
        raise _lost(found, int(classes[i]), len(search.order[i][0]))
    own = list(zip(search.order, chosen.tolist(), strict=True))
    best = np.array([places[at] for (places, _), at in own], dtype=np.int64)
    return best, np.array([apart[at] for (_, apart), at in own]), asked


@dataclass(frozen=True)
class KeptMember:
    """Assigns each row the nearest member of a class that its held cells leave there."""

    members: TableMembers
    wanted: int | None

    k: ClassVar[int] = 1
    has_origins: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    @property
    def most_asked(self) -> int:
        """Model inputs that finding the baseline of a row takes at most."""
        return most_tried(self.members)

    def assign(self, rows: pd.DataFrame, classes: IntArray, ask: Ask) -> Assigned:
        """Give each row its nearest."""
        best, far, asked = nearest_kept(self.members, rows, classes, ask)
        origins = [self.members.origins[i] for i in best.tolist()]
        return Assigned(self.members.values(best, rows), origins, asked, far)
