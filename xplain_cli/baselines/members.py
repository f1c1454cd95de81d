"""Reference rows of a table that are of a class, and how far they are from other rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xplain_cli.baselines.candidates import check_classes, class_index, find_members
from xplain_cli.baselines.tables import Distance, TableReference
from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.batches import repeated

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
    held: tuple[str, ...] = ()

    @property
    def free(self) -> tuple[str, ...]:
        """The columns that a baseline may change."""
        return tuple(c for c in self.table.columns if c not in self.held)

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
        reference.held,
    )


def of_whom(name: str | None, labels: str | None) -> str:
    """Say of which class a row is, and what says so."""
    whose = "the class it is explained against" if name is None else f"class {name}"
    return whose if labels is None else f"{whose}, by the model and by column {labels!r}"
