"""When a row has been asked enough: repeats double until its errors are small."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray

_ALPHA = 0.05
_NORMAL = 1.959963984540054
_LEAST_REPEATS, _LEAST_DRAWS = 4, 512
_DOUBLINGS = 4


@dataclass(frozen=True)
class Goal:
    """
    How precise every row shall be, and what it may cost.

    A row stops at the first look at which ``max_rel_se`` meets the goal with its interval widened:
    by t with the degrees of freedom of the repeats, and by alpha / 2^look, since looking again and
    again would else find small errors by luck. A look counts from four repeats and 512 draws on.
    The level of a row is decided by that row alone.

    Attributes
    ----------
    max_rel_se
        The largest standard error allowed, over the largest |weight|.
    repeats
        Repeats of the first look; each further look doubles them and keeps all before.
    samples
        Draws in each repeat.
    max_samples
        At most so many draws in all.
    """

    max_rel_se: float
    repeats: int
    samples: int
    max_samples: int

    @property
    def looks(self) -> tuple[int, ...]:
        """The repeats of each look."""
        found = [self.repeats]
        while 2 * found[-1] * self.samples <= self.max_samples:
            found.append(2 * found[-1])
        return tuple(found)

    def widening(self, repeats: int) -> float:
        """Return by how much an error is widened before it is compared, at so many repeats."""
        from scipy.special import stdtrit

        if repeats < _LEAST_REPEATS or repeats * self.samples < _LEAST_DRAWS:
            return np.inf
        look = 1 + round(np.log2(repeats / self.repeats))
        return float(stdtrit(repeats - 1, 1 - _ALPHA / 2**look / 2)) / _NORMAL

    def reached(self, max_rel_se: Any, repeats: int) -> BoolArray:
        """Say of errors (any shape), 0 where the answer is exact, whether they meet the goal."""
        errors = np.asarray(max_rel_se, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # 0 times inf
            small = errors * self.widening(repeats) <= self.max_rel_se
        return np.asarray(small | (errors == 0), dtype=np.bool_)

    def count(self, stability: Any) -> tuple[int, int]:
        """Return how many rows of stability lines reached the goal, and how many there are."""
        done = stability[stability["status"] == "ok"]
        met = np.zeros(len(done), dtype=np.bool_)
        repeats = done["n_repeats"].to_numpy()
        for found in np.unique(repeats).tolist():
            at = repeats == found
            met[at] = self.reached(done["max_rel_se"].to_numpy()[at], int(found))
        rows = done["row"].to_numpy()
        return len(np.unique(rows)) - len(np.unique(rows[~met])), len(np.unique(rows))


def default_most(samples: int, repeats: int) -> int:
    """Return how many draws a row may take where nobody says: four doublings."""
    return samples * repeats << _DOUBLINGS
