"""The baseline ``revert``: the nearest row of a class, with all given back that the class allows.

What is left to change is little, and the baseline is of the class by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import Ask, Assigned, reads_nothing
from xplain_cli.baselines.kept import most_tried, nearest_kept
from xplain_cli.baselines.members import TableMembers, class_named, of_whom, table_members
from xplain_cli.baselines.tables import TableReference, differ
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.batches import repeated


@dataclass(frozen=True)
class Revert:
    """
    The nearest row of a class, with as many of the row's own values as the class allows.

    Greedily: of all features that differ, the one whose return leaves the class most probable is
    given back first, while the model still says the class.

    Attributes
    ----------
    class_
        The class; default: the one against which each row is explained.
    labels
        A column of the background whose word must be the class too.
    """

    class_: str | None = field(default=None, metadata={"key": "class"})
    labels: str | None = None

    label: ClassVar[None] = None
    many: ClassVar[bool] = False
    numbers = reads_nothing

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return (
            "revert: absent features take their values in the nearest row of"
            f" {of_whom(self.class_, self.labels)}, of which as much as possible is given back"
            " while the model still says that class"
        )

    def fit(self, reference: TableReference) -> "RevertedMember":
        """Fit it."""
        index = class_named(reference, self.class_)
        return RevertedMember(table_members(reference, index), index, reference.members)


@dataclass(frozen=True)
class RevertedMember:
    """Assigns each row the nearest member of a class, and takes back what it can."""

    found: TableMembers
    wanted: int | None
    members: tuple[tuple[str, ...], ...]

    k: ClassVar[int] = 1
    has_origins: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    @property
    def most_asked(self) -> int:
        """Model inputs of a row that differs in all features, and gets back all but one."""
        return most_given_back(len(self.members)) + most_tried(self.found)

    def assign(self, rows: pd.DataFrame, classes: IntArray, ask: Ask) -> Assigned:
        """Give back features, one a round, all candidates of all rows asked together."""
        best, _, asked = nearest_kept(self.found, rows, classes, ask)
        base = repeated(self.found.table, best)
        table, more = give_back(rows, base, self.members, classes, ask)
        names = [f"{self.found.origins[i]}, reverted" for i in best.tolist()]
        return Assigned(table, names, asked + more)


def most_given_back(features: int) -> int:
    """Return the model inputs of a row that differs in all features, and gets back all but one."""
    return features * (features + 1) // 2


def give_back(
    rows: pd.DataFrame,
    base: pd.DataFrame,
    members: Sequence[tuple[str, ...]],
    classes: IntArray,
    ask: Ask,
) -> tuple[pd.DataFrame, IntArray]:
    """
    Give rows' own values back to their baselines, as far as each baseline stays in its class.

    Parameters
    ----------
    rows, base
        b rows and their baselines.
    members
        The columns of each feature; all others stay the row's own.
    classes : (b,)
        The class of each baseline.
    ask
        Asks the model.

    Returns
    -------
    the baselines, and the model inputs that each took, (b,)
    """
    changed = differ(rows, base, members)
    asked = np.zeros(len(rows), dtype=np.int64)
    going = np.asarray(changed.any(axis=1), dtype=np.bool_)
    while going.any():
        owner, feature = np.nonzero(changed & going[:, None])
        outputs = ask(_mixed(rows, base, members, owner, changed, feature))
        asked += np.bincount(owner, minlength=len(rows))
        back = _best(outputs, owner, feature, classes, len(rows))
        going &= back >= 0
        done = np.flatnonzero(back >= 0)
        changed[done, back[done]] = False
        going &= changed.any(axis=1)
    whole = np.arange(len(rows))
    return _mixed(rows, base, members, whole, changed, np.full(len(rows), -1)), asked


def _mixed(
    rows: pd.DataFrame,
    base: pd.DataFrame,
    members: Sequence[tuple[str, ...]],
    owner: IntArray,
    changed: BoolArray,
    back: IntArray,
) -> pd.DataFrame:
    """Return for each *owner* its baseline, with one more feature *back* (-1: none)."""
    theirs = changed[owner]
    some = np.flatnonzero(back >= 0)
    theirs[some, back[some]] = False
    b, free = len(rows), {c for own in members for c in own}
    columns = {c: rows[c].take(owner).reset_index(drop=True) for c in rows if c not in free}
    for j, own in enumerate(members):
        for c in own:
            both = pd.concat([rows[c], base[c].astype(rows[c].dtype)], ignore_index=True)
            places = np.where(theirs[:, j], b + owner, owner)
            columns[c] = both.take(places).reset_index(drop=True)
    return pd.DataFrame(columns)[list(rows.columns)]


def _best(
    outputs: FloatArray, owner: IntArray, feature: IntArray, classes: IntArray, b: int
) -> IntArray:
    """Return for each row the feature whose return leaves its class most probable; -1: none."""
    wanted = classes[owner]
    stays = outputs.argmax(axis=1) == wanted
    scores = np.where(stays, outputs[np.arange(len(outputs)), wanted], -np.inf)
    best = np.full(b, -1)
    order = np.lexsort((feature, -scores, owner))
    firsts = order[np.unique(owner[order], return_index=True)[1]]
    good = firsts[stays[firsts]]
    best[owner[good]] = feature[good]
    return best
