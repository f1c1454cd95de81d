"""Baselines of pictures that are of the class each is explained against: given once it is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from xplain_cli.baselines.assignment import NO_CLASS, Ask, Assigned, FittedBaseline, foils
from xplain_cli.explanation import IntArray
from xplain_cli.modalities.image.compose import PictureRow

FOIL_COLUMNS = ("baseline_class", "baseline_in_class", "judge_in_class", "n_changed")
"""What is said of such a baseline, in stability.csv."""


def asks_late(hidden: FittedBaseline) -> bool:
    """Say whether pictures get their baseline only when the model has answered on them."""
    return bool(getattr(hidden, "judges", False))


@dataclass(frozen=True)
class GivenPicture:
    """
    The baseline of one picture, found already (``FittedBaseline``).

    Attributes
    ----------
    assigned
        It.
    facts
        What is said of it, by column.
    """

    assigned: Assigned
    facts: Mapping[str, Any] = field(default_factory=dict)

    k: ClassVar[int] = 1
    wanted: ClassVar[int] = NO_CLASS
    most_asked: ClassVar[int] = 0
    has_origins: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    def assign(self, rows: Any, classes: IntArray, ask: Ask) -> Assigned:  # noqa: ARG002 - it is known
        """Return it."""
        return self.assigned


def given_pictures(
    rows: Sequence[PictureRow], pairs: IntArray, outputs: Any, ask: Ask
) -> tuple[list[PictureRow], IntArray]:
    """
    Give pictures their baselines, each of the class that its picture is explained against.

    Parameters
    ----------
    rows
        Pictures that have been read, with one and the same baseline to be.
    pairs : (b, t, 2) int
        Each picture's targets.
    outputs : (b, k) float
        The model's outputs at the pictures.
    ask
        Asks the model.

    Returns
    -------
    the pictures with their baselines, and the model inputs that these took, (b,)
    """
    giver: Any = rows[0].hidden
    b = len(rows)
    classes = foils(pairs, outputs) if giver.wanted is None else np.full(b, giver.wanted)
    given = giver.assign(rows, classes, ask)
    handed = [row.form.apply(one) for row, one in zip(rows, given.values, strict=True)]
    inside = ask(np.stack(handed)).argmax(axis=1) == classes
    made = []
    for i, row in enumerate(rows):
        apart = handed[i].astype(np.float64) - row.seen.astype(np.float64)
        own = Assigned(
            [given.values[i]],
            [given.origins[i]],
            given.asked[i : i + 1],
            np.array([np.sqrt((apart * apart).sum())]),
        )
        pixels = (given.values[i] != row.values).any(axis=2)
        facts = {
            "baseline_class": giver.outputs[int(classes[i])],
            "baseline_in_class": float(inside[i]),
            "judge_in_class": float(given.judged[i]),
            "n_changed": len(np.unique(row.labels[pixels])),
        }
        made.append(replace(row, hidden=GivenPicture(own, facts)))
    return made, given.asked + 1


def foil_facts(rows: Sequence[PictureRow | None]) -> dict[str, Any]:
    """Return what is said of such baselines, by column; nothing where there are none."""
    said = [getattr(row.hidden, "facts", None) if row else None for row in rows]
    if not any(said):
        return {}
    found = {}
    for name in FOIL_COLUMNS:
        cells = [one[name] if one else None for one in said]
        words = name == "baseline_class"
        found[name] = np.array(cells, dtype=object if words else np.float64)
    return found
