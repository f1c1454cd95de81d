"""Which rows a decision goes against, and in which direction a weight does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xplain_cli.errors import UsageError, nearest

_VERSUS = ":vs:"


@dataclass(frozen=True)
class Side:
    """
    How an explained number speaks of the class that is bad news.

    Attributes
    ----------
    sign
        1 if the class grows with the number, -1 if it shrinks.
    flipped
        Whether the number is the probability of the only other class.
    """

    sign: int
    flipped: bool = False

    def toward(self, number: float) -> float:
        """Return the number, or the answer of an explanation, as that of the class."""
        return 1 - number if self.flipped else self.sign * number


@dataclass(frozen=True)
class WrongSide:
    """
    The class that is bad news, and from where on a row is on its side.

    Attributes
    ----------
    against
        The class.
    outputs
        All classes.
    scale
        The scale of the explained numbers.
    threshold
        As asked for; None: 0.5 of a probability, else 0.
    """

    against: str
    outputs: tuple[str, ...]
    scale: str
    threshold: float | None = None

    def side(self, target: str) -> Side | None:
        """Return how a target speaks of the class; None: not at all."""
        first, versus, second = target.partition(_VERSUS)
        if self.against == target or (versus and first == self.against):
            return Side(1)
        if versus and second == self.against:
            return Side(-1)
        if not versus and len(self.outputs) == 2 and target in self.outputs:
            return Side(-1, flipped=self.scale.startswith("probability"))
        return None

    def least(self, target: str) -> float:
        """
        Return the number of the class from which on a row is on the wrong side.

        Raises
        ------
        UsageError
            Nothing says so: a raw score of one of several classes.
        """
        if self.threshold is not None:
            return self.threshold
        if _VERSUS in target:
            return 0.0
        if self.scale.startswith("probability"):
            return 0.5
        if len(self.outputs) <= 2 or self.scale.startswith("log-odds"):
            return 0.0
        raise UsageError(
            f"--threshold: from which {self.scale} score of {self.against!r} on is a row on the"
            " wrong side? name it, or explain with -t predicted:vs:runner-up"
        )

    def is_wrong(self, toward: float, target: str) -> bool:
        """Say whether a row with such a number of the class is on the wrong side."""
        return math.isfinite(toward) and toward >= self.least(target)


def check_class(against: str, outputs: Sequence[str]) -> None:
    """
    Refuse a class that the model does not have.

    Raises
    ------
    UsageError
        With the classes that there are.
    """
    if against not in outputs:
        raise UsageError(
            f"--against {against!r}: the model has no such class; it has {', '.join(outputs)}"
            f"{nearest(against, outputs)}"
        )
