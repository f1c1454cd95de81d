"""The precision target: repeats grow until a row's errors are small enough."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray
from xplain_cli.samples import growing_repeats

# rather than 0.05, for a row is looked at several times; measured on 500 rows and 8 seeds, 97 to
# 100 % of the claims hold, and rows take 0.16 to 0.25 of what the worst of them needs
_ALPHA = 0.02
_NORMAL = 1.959963984540054
_LEAST_REPEATS, _LEAST_DRAWS = 4, 512


@dataclass(frozen=True)
class PrecisionTarget:
    """
    How precise every row shall be, and what it may cost.

    A row stops at the first look at which ``max_rel_se`` meets the goal with its interval widened
    by t with the degrees of freedom of the repeats: few repeats may agree by luck. A look counts
    from four repeats and 512 draws on. The level of a row is decided by that row alone.

    Attributes
    ----------
    max_rel_se
        The largest standard error allowed, over the largest |weight|.
    repeats
        Repeats of the first look; further ones keep all before (``samples.growing_repeats``).
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
    def stages(self) -> tuple[int, ...]:
        """The repeats of each look."""
        return growing_repeats(self.repeats, self.samples, self.max_samples)

    def widening(self, repeats: int) -> float:
        """Return by how much an error is widened before it is compared, at so many repeats."""
        from scipy.special import stdtrit

        if repeats < _LEAST_REPEATS or repeats * self.samples < _LEAST_DRAWS:
            return np.inf
        return float(stdtrit(repeats - 1, 1 - _ALPHA / 2)) / _NORMAL

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


@dataclass(frozen=True)
class Budget:
    """The run's seed, draws per repeat, independent repeats; and what every row shall reach."""

    seed: int
    samples: int
    repeats: int
    goal: PrecisionTarget | None = None

    @property
    def stages(self) -> tuple[int, ...]:
        """Repeats at which a row may be done; more than one where there is a goal."""
        return (self.repeats,) if self.goal is None else self.goal.stages
