"""Baselines that are real rows of a class: its medoid, or the nearest of it to each row.

The nearest one is the minimum-distance training sample: realistic, of the class, and near if data
are dense.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import reads_nothing
from xplain_cli.baselines.candidates import (
    NearestMember,
    check_classes,
    class_index,
    find_members,
)
from xplain_cli.baselines.tables import Distance, TableReference
from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.batches import repeated

_MOST_CELLS = 4_000_000
_INSTEAD = "median, mean, sample or row=ID"


def class_named(reference: TableReference, name: str | None) -> int | None:
    """
    Return the class of that name; None for None.

    Raises
    ------
    UsageError
        The model has no such class, or no classes.
    """
    if name is not None:
        return class_index(name, reference.classes, _INSTEAD)
    check_classes(reference.classes, _INSTEAD)
    return None


def rows_by_class(reference: TableReference, index: int | None) -> dict[int, IntArray]:
    """
    Return the places of the rows of a class; None: of every class that has some.

    Raises
    ------
    RefusedError
        The class that is named has none.
    """
    every: Sequence[int] = range(len(reference.outputs)) if index is None else [index]
    rows = find_members(reference, every).rows
    found = {i: np.array(own, dtype=np.int64) for i, own in rows.items() if len(own)}
    if index is not None and not found:
        raise RefusedError(
            f"--baseline: {_nothing(reference.outputs[index], reference.labels)}; name another"
            " class, or another --background"
        )
    return found


def _nothing(name: str, labels: str | None) -> str:
    """Say that no row of the background is of a class."""
    if labels is None:
        return f"the model puts no row of the background in class {name!r}"
    return (
        f"no row of the background is both labelled {name!r} in column {labels!r} and put in that"
        " class by the model"
    )


@dataclass(frozen=True)
class TableMembers:
    """Reference rows of each class, and how rows compare with them (``candidates.Members``)."""

    table: pd.DataFrame
    origins: tuple[str, ...]
    coded: FloatArray
    distance: Distance
    by_class: Mapping[int, IntArray]
    outputs: tuple[str, ...]
    labels: str | None = None

    def distances(
        self, rows: pd.DataFrame, classes: IntArray
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield for each row the places of its class's rows, and how far they are."""
        own = self.distance.coded(rows)
        nobody = np.empty(0, dtype=np.int64)
        for i, index in enumerate(classes.tolist()):
            places = self.by_class.get(index, nobody)
            yield places, self.distance.between(self.coded[places], own[i])

    def values(self, places: IntArray, rows: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002 - one form
        """Return some of the rows."""
        return repeated(self.table, places)

    def lonely(self, index: int) -> str:
        """Say that no reference row is of a class."""
        return (
            f"--baseline: {_nothing(self.outputs[index], self.labels)}, against which a row"
            " is to be explained; name a class (class=NAME), or another --background"
        )


def table_members(reference: TableReference, index: int | None) -> TableMembers:
    """
    Collect the reference rows of one class, or of every class that has some.

    Raises
    ------
    RefusedError
        The class that is named has none.
    """
    return TableMembers(
        reference.rows,
        reference.names,
        reference.coded,
        reference.distance,
        rows_by_class(reference, index),
        reference.outputs,
        reference.labels,
    )


_CLASS = field(default=None, metadata={"key": "class"})


@dataclass(frozen=True)
class Nearest:
    """
    The nearest reference row that the model puts in a class, by scaled L1.

    Attributes
    ----------
    class_
        The class; default: the one against which each row is explained.
    labels
        A column of the background whose word must be the class too.
    """

    class_: str | None = _CLASS
    labels: str | None = None

    label: ClassVar[None] = None
    many: ClassVar[bool] = False
    numbers = reads_nothing

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return (
            "nearest: absent features take their values in the nearest row of"
            f" {of_whom(self.class_, self.labels)}"
        )

    def fit(self, reference: TableReference) -> NearestMember:
        """Fit it."""
        index = class_named(reference, self.class_)
        return NearestMember(table_members(reference, index), index)


@dataclass(frozen=True)
class Medoid:
    """
    The reference row of a class with the least total distance to the others of it.

    Attributes
    ----------
    class_
        The class; default: the one against which each row is explained.
    labels
        A column of the background whose word must be the class too.
    """

    class_: str | None = _CLASS
    labels: str | None = None

    label: ClassVar[None] = None
    many: ClassVar[bool] = False
    numbers = reads_nothing

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return (
            "medoid: absent features take their values in the middle row of"
            f" {of_whom(self.class_, self.labels)}"
        )

    def fit(self, reference: TableReference) -> NearestMember:
        """Fit it: one candidate of each class."""
        index = class_named(reference, self.class_)
        found = table_members(reference, index)
        middles = {
            i: places[[_middle(found.coded[places], found.distance)]]
            for i, places in found.by_class.items()
        }
        return NearestMember(replace(found, by_class=middles), index)


def _middle(coded: FloatArray, distance: Distance) -> int:
    """Return the row with the least total distance to the others."""
    step = max(1, _MOST_CELLS // coded.size)
    totals = [
        distance.between(coded[at : at + step, None], coded[None]).sum(axis=1)
        for at in range(0, len(coded), step)
    ]
    return int(np.concatenate(totals).argmin())


def of_whom(name: str | None, labels: str | None) -> str:
    """Say of which class a row is, and what says so."""
    whose = "the class it is explained against" if name is None else f"class {name}"
    return whose if labels is None else f"{whose}, by the model and by column {labels!r}"
