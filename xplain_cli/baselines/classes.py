"""Baselines that are real rows of a class: its medoid, or the nearest of it to each row.

The nearest one is the minimum-distance training sample: realistic, of the class, and near if data
are dense.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from xplain_cli.baselines.assignment import FittedBaseline, reads_nothing
from xplain_cli.baselines.candidates import NearestMember
from xplain_cli.baselines.kept import KeptMember
from xplain_cli.baselines.members import class_named, of_whom, table_members
from xplain_cli.baselines.tables import Distance, TableReference
from xplain_cli.explanation import FloatArray

_MOST_CELLS = 4_000_000
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

    def fit(self, reference: TableReference) -> FittedBaseline:
        """Fit it."""
        index = class_named(reference, self.class_)
        found = table_members(reference, index)
        return KeptMember(found, index) if found.held else NearestMember(found, index)


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
