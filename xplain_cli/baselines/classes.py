"""Real rows of a class as baselines: its medoid, or the row of it that is nearest to each row.

The nearest one is the minimum-distance training sample: realistic, of the class, and near if data
are dense.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import Ask, Distance, Ground, Reference
from xplain_cli.baselines.files import Files
from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.batches import repeated

_MOST_CELLS = 4_000_000


def class_named(reference: Reference, name: str | None) -> int | None:
    """
    Return the class of that name; None for None.

    Raises
    ------
    UsageError
        The model has no such class, or no classes.
    """
    if (reference.predicted < 0).all():
        raise UsageError(
            "--baseline: the model has no classes; take median, mean, sample or row=ID"
        )
    if name is None:
        return None
    if name not in reference.outputs:
        raise UsageError(
            f"--baseline class={name}: the model has {', '.join(reference.outputs[:12])}"
            f"{nearest(name, reference.outputs)}"
        )
    return reference.outputs.index(name)


def of_class(reference: Reference, index: int) -> IntArray:
    """
    Return the reference rows of a class.

    Raises
    ------
    RefusedError
        There is none.
    """
    found = reference.of_class(index)
    if not len(found):
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
class Candidates:
    """Reference rows of each class, and how rows compare with them."""

    rows: pd.DataFrame
    names: tuple[str, ...]
    coded: FloatArray
    distance: Distance
    by_class: Mapping[int, IntArray]
    outputs: tuple[str, ...]
    labels: str | None = None

    def nearest(self, rows: pd.DataFrame, classes: IntArray) -> IntArray:
        """
        Return the place of the nearest candidate of each row's class, (b,).

        Raises
        ------
        RefusedError
            No reference row is of a class.
        """
        own = self.distance.coded(rows)
        best = np.empty(len(rows), dtype=np.int64)
        for i, index in enumerate(classes.tolist()):
            if index not in self.by_class:
                raise RefusedError(
                    f"--baseline: {_nothing(self.outputs[index], self.labels)}, against which a row"
                    " is to be explained; name a class (class=NAME), or another --background"
                )
            places = self.by_class[index]
            apart = self.distance.between(self.coded[places], own[i])
            best[i] = places[int(apart.argmin())]
        return best


def candidates(reference: Reference, index: int | None) -> Candidates:
    """Collect the reference rows of one class, or of every class that has some."""
    if index is not None:
        by_class = {index: of_class(reference, index)}
    else:
        every = {i: reference.of_class(i) for i in range(len(reference.outputs))}
        by_class = {i: found for i, found in every.items() if len(found)}
    return Candidates(
        reference.rows,
        reference.names,
        reference.coded,
        reference.distance,
        by_class,
        reference.outputs,
        reference.labels,
    )


@dataclass(frozen=True)
class NearestGiver:
    """Gives each row the nearest candidate of the wanted class."""

    found: Candidates
    wanted: int | None

    k: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0

    def give(self, rows: pd.DataFrame, classes: IntArray, ask: Ask) -> Ground:  # noqa: ARG002 - it asks nothing
        """Give each row its nearest."""
        best = self.found.nearest(rows, classes)
        origins = [self.found.names[i] for i in best.tolist()]
        return Ground(repeated(self.found.rows, best), origins, np.zeros(len(rows), dtype=np.int64))


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

    many: ClassVar[bool] = False

    @property
    def meaning(self) -> str:
        """What stands for "absent"."""
        return (
            "nearest: absent features take their values in the nearest row of"
            f" {of_whom(self.class_, self.labels)}"
        )

    def fit(self, reference: Reference, files: Files) -> NearestGiver:  # noqa: ARG002 - it names no file
        """Fit it."""
        index = class_named(reference, self.class_)
        return NearestGiver(candidates(reference, index), index)


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

    many: ClassVar[bool] = False

    @property
    def meaning(self) -> str:
        """What stands for "absent"."""
        return (
            "medoid: absent features take their values in the middle row of"
            f" {of_whom(self.class_, self.labels)}"
        )

    def fit(self, reference: Reference, files: Files) -> NearestGiver:  # noqa: ARG002 - it names no file
        """Fit it: one candidate of each class."""
        index = class_named(reference, self.class_)
        found = candidates(reference, index)
        middles = {
            i: places[[_middle(found.coded[places], found.distance)]]
            for i, places in found.by_class.items()
        }
        return NearestGiver(replace(found, by_class=middles), index)


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
