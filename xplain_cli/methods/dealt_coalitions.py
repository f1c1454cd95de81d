"""Shapley values against many baselines, each coalition asked on one of them.

A coalition's value is a mean over k baselines. For a given number of model inputs the error is
least where no coalition is asked twice: so each pair of a coalition and its complement is dealt one
baseline, every baseline equally often. What baselines add to the error is taken out again by
regression: each baseline has a game of its own, whose players' gains add up to f(row) - f(baseline)
and depend on how the baseline's cells differ from those of the others (control variates, with mean
0 over the baselines). So the weights of a linear model have no error at all.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.shapley import (
    CoalitionEstimate,
    condensed,
    draw_sizes,
    kernel_mass,
    spread_of,
)
from xplain_cli.methods.sobol import sobol_points
from xplain_cli.seeds import COALITIONS, stream

_PAIRS_A_CONTROL = 10  # measured: below, fitting a control costs more than it takes out
_ALIKE = 1e-10  # controls that are all but linear in others, as numbers with two values are


@dataclass(frozen=True, eq=False)
class DealtCoalitions:
    """
    Pairs of complements, each asked on one of k baselines.

    Attributes
    ----------
    halves : (m, n) bool
        One coalition of each pair, repeat by repeat.
    dealt : (m,) int
        The baseline on which the pair is asked.
    importance : (m,)
        Shapley kernel over the probability of being drawn.
    repeats : int
        r; each holds m / r of the pairs.
    controls : (k, q)
        How baselines deviate from each other, column by column; their means are 0.
    owners : (q,) int
        The feature that each of these belongs to.
    """

    halves: BoolArray
    dealt: IntArray
    importance: FloatArray
    repeats: int
    controls: FloatArray
    owners: IntArray

    @cached_property
    def masks(self) -> BoolArray:
        """The empty coalition for each baseline, then each coalition and its complement."""
        n = self.halves.shape[1]
        pairs = np.stack([self.halves, ~self.halves], axis=1).reshape(-1, n)
        return np.concatenate([np.zeros((len(self.controls), n), dtype=bool), pairs])

    @cached_property
    def baselines(self) -> IntArray:
        """On which baseline each of the masks is asked."""
        return np.concatenate([np.arange(len(self.controls)), np.repeat(self.dealt, 2)])

    @property
    def empty(self) -> int:
        """How many of the masks are empty: one for each baseline."""
        return len(self.controls)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the errors."""
        return float(self._units - 1)

    @property
    def _units(self) -> int:
        """What varies independently: repeats, or the pairs of a single one."""
        return self.repeats if self.repeats > 1 else len(self.halves)

    @cached_property
    def _balance(self) -> FloatArray:
        """Half of the share of features inside a coalition, less that outside, (m,)."""
        return np.asarray(self.halves.mean(axis=1) - 0.5, dtype=np.float64)

    @cached_property
    def _columns(self) -> FloatArray:
        """What a pair's difference is fitted by, (m, n + q): features, then controls."""
        centred = self.halves - 0.5 - self._balance[:, None]
        return np.concatenate(
            [centred, centred[:, self.owners] * self.controls[self.dealt]], axis=1
        )

    @cached_property
    def _solver(self) -> FloatArray:
        """What turns differences of pairs into coefficients, (n + q, m)."""
        weighted = self._columns.T * self.importance
        matrix = weighted @ self._columns
        size = np.sqrt(np.diag(matrix))
        size[size == 0] = 1.0
        inverse = np.linalg.pinv(matrix / np.outer(size, size), rcond=_ALIKE, hermitian=True)
        return np.asarray((inverse / np.outer(size, size)) @ weighted, dtype=np.float64)

    @cached_property
    def _by_unit(self) -> FloatArray:
        """The solver's part for the features, of each unit: (u, n, m / u)."""
        n = self.halves.shape[1]
        parts = self._solver[:n].reshape(n, self._units, -1)
        return np.ascontiguousarray(parts.transpose(1, 0, 2))

    @cached_property
    def _freedom(self) -> float:
        """By how much errors grow, as coefficients were fitted to the same pairs."""
        pairs, fitted = self._columns.shape
        return float(np.sqrt(pairs / (pairs - fitted)))

    def read(self, values: FloatArray, own: FloatArray) -> CoalitionEstimate:
        """Turn a row's values (t, k + 2 m) and its own (t,) into weights with their errors."""
        n, k = self.halves.shape[1], len(self.controls)
        alone = values[:, :k]
        # each baseline's game has a gain of its own, which its players share
        gains = own[:, None] - alone[:, self.dealt]
        differences = (values[:, k::2] - values[:, k + 1 :: 2]) / 2 - self._balance * gains
        even = (own - alone.mean(axis=1))[:, None] / n
        weights, units = [], []
        for part in differences:
            found = self._solver @ part
            missed = part - self._columns @ found
            weights.append(_levelled(found[:n]))
            own_parts = self._by_unit @ missed.reshape(self._units, -1, 1)
            units.append(_levelled(own_parts[..., 0] * self._units * self._freedom))
        centre, spread = np.stack(weights) + even, np.stack(units, axis=1)
        factors = spread_of(spread)
        if self.repeats == 1:
            return CoalitionEstimate(centre, condensed(factors), centre[None])
        return CoalitionEstimate(centre, factors, centre + spread)


def _levelled(parts: FloatArray) -> FloatArray:
    """Return numbers (..., n) less their mean: gains that are shared add up to 0."""
    return np.asarray(parts - parts.mean(axis=-1, keepdims=True), dtype=np.float64)


def _ranks(cells: FloatArray) -> FloatArray:
    """Return the ranks of cells (k,), equal ones alike."""
    _, place, count = np.unique(cells, return_inverse=True, return_counts=True)
    return np.asarray((count.cumsum() - (count - 1) / 2)[place], dtype=np.float64)


def _deviations(numbers: FloatArray) -> FloatArray:
    """Return how each of some numbers (k,) deviates from their mean, in standard deviations."""
    known = np.isfinite(numbers)
    made = np.zeros(len(numbers))
    if not known.any():
        return made
    scale = np.abs(numbers[known]).max()
    made[known] = numbers[known] / (scale or 1.0)  # huge ones have no sum
    made[known] -= made[known].mean()
    spread = made.std()
    # numbers that are equal but for rounding deviate by nothing
    return made / spread if spread > 1e-12 else np.zeros(len(numbers))


def measure_controls(
    numbers: FloatArray, owners: IntArray, most: int
) -> tuple[FloatArray, IntArray]:
    """
    Return controls of k baselines and their owners: numbers (k, q) and their ranks.

    At most as many as *most*: both kinds, else the numbers, else none.
    """
    kinds = [
        np.apply_along_axis(_deviations, 0, numbers),
        np.apply_along_axis(_deviations, 0, np.apply_along_axis(_ranks, 0, numbers)),
    ]
    kept = kinds[: most // max(1, numbers.shape[1])]
    made = np.concatenate([np.empty((len(numbers), 0)), *kept], axis=1)
    own = np.tile(owners, len(kept)).astype(np.int64)
    moving = made.any(axis=0)
    return made[:, moving], own[moving]


def deal(
    numbers: FloatArray, owners: IntArray, n: int, budget: tuple[int, int], seed: int
) -> DealtCoalitions:
    """
    Draw pairs of coalitions in each repeat and deal them baselines.

    Parameters
    ----------
    numbers, owners : (k, q), (q,)
        Cells of the baselines as numbers, and the feature that each column belongs to.
    n
        Features.
    budget
        Coalitions of a repeat, repeats.
    seed
        The run's.
    """
    samples, repeats = budget
    k, pairs, sizes = len(numbers), max(2, samples // 2), np.arange(1, n)
    chance = draw_sizes(n, sizes)
    own = kernel_mass(n, sizes) / chance
    halves, dealt, importance = [], [], []
    for repeat in range(repeats):
        source = stream(COALITIONS, seed, n, repeat, k)
        points = sobol_points(n + 1, pairs, source)
        drawn = np.searchsorted(chance.cumsum()[:-1], points[:, 0], side="right")
        halves.append(points[:, 1:].argsort(axis=1).argsort(axis=1) < sizes[drawn][:, None])
        rounds = [source.permutation(k) for _ in range(-(-pairs // k))]
        dealt.append(np.concatenate(rounds)[:pairs])
        importance.append(own[drawn])
    made = measure_controls(numbers, owners, pairs * repeats // _PAIRS_A_CONTROL - n)
    return DealtCoalitions(
        np.concatenate(halves), np.concatenate(dealt), np.concatenate(importance), repeats, *made
    )
