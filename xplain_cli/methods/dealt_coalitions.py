"""Shapley values against many baselines, each coalition asked on one of them.

A coalition's value is a mean over k baselines. For a given number of model inputs the error is
least where no coalition is asked twice: so each pair of a coalition and its complement is dealt one
baseline, every baseline equally often. Sizes are drawn equally often: these are the leverage scores
of the Shapley regression (Musco and Witter 2024, arXiv:2410.01917), and as what a fit misses grows
towards the middle sizes here, they need 6 to 8 % fewer inputs than the square root of the kernel,
which is best where coalitions are asked on all baselines (``shapley.draw_sizes``).

What baselines add to the error is taken out again by regression: each baseline has a game of its
own, whose players' gains add up to f(row) - f(baseline) and depend on how the baseline's cells
differ from those of the others. These controls have mean 0 over the baselines, or over the sizes of
coalitions, whatever the features; so they take variance out and bring no bias in, and as they
depend on no output, weights stay linear in the outputs. The weights of a linear model have no error
at all.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.shapley import (
    CoalitionEstimate,
    condensed,
    kernel_mass,
    spread_of,
)
from xplain_cli.methods.sobol import sobol_points
from xplain_cli.seeds import COALITIONS, stream

_PAIRS_A_CONTROL = 10  # measured: below, fitting a control costs more than it takes out
_COMPONENTS = 8
_ALIKE = 1e-10  # controls that are all but linear in others, as numbers with two values are


@dataclass(frozen=True, eq=False)
class Controls:
    """
    How k baselines deviate from each other; all columns have mean 0 over them.

    Attributes
    ----------
    cells : (k, q)
        Column by column.
    owners : (q,) int
        The feature that each of these belongs to.
    tilting : (k, p)
        The components that change how gains depend on the size of a coalition.
    mixing : (k, p)
        The components that change the gain of each feature.
    bent : bool
        Whether the gain of each feature may differ between middle and outer sizes.
    """

    cells: FloatArray
    owners: IntArray
    tilting: FloatArray
    mixing: FloatArray
    bent: bool


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
    controls : Controls
        What tells the baselines from each other.
    """

    halves: BoolArray
    dealt: IntArray
    importance: FloatArray
    repeats: int
    controls: Controls

    @cached_property
    def masks(self) -> BoolArray:
        """The empty coalition for each baseline, then each coalition and its complement."""
        n = self.halves.shape[1]
        pairs = np.stack([self.halves, ~self.halves], axis=1).reshape(-1, n)
        return np.concatenate([np.zeros((self.empty, n), dtype=bool), pairs])

    @cached_property
    def baselines(self) -> IntArray:
        """On which baseline each of the masks is asked."""
        return np.concatenate([np.arange(self.empty), np.repeat(self.dealt, 2)])

    @property
    def empty(self) -> int:
        """How many of the masks are empty: one for each baseline."""
        return len(self.controls.cells)

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
        """What a pair's difference is fitted by, (m, n + c): features, then controls."""
        controls, balance = self.controls, self._balance[:, None]
        bend = _bend(self.halves)[:, None]
        centred = self.halves - 0.5 - balance
        tilts = balance * controls.tilting[self.dealt]
        return np.concatenate(
            [
                centred,
                centred[:, controls.owners] * controls.cells[self.dealt],
                tilts,
                tilts * bend,
                *(centred * part[self.dealt, None] for part in controls.mixing.T),
                *([centred * bend] if controls.bent else []),
            ],
            axis=1,
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
    def _fitted_by_unit(self) -> FloatArray:
        """What turns coefficients into the weights of what they fit of each unit, (u, n, n + c)."""
        columns = self._columns.reshape(self._units, -1, self._columns.shape[1])
        return np.asarray(self._by_unit @ columns, dtype=np.float64)

    @cached_property
    def _freedom(self) -> float:
        """By how much errors grow, as coefficients were fitted to the same pairs."""
        pairs = len(self._columns)
        fitted = float(np.einsum("ij,ji->", self._solver, self._columns))  # less those alike
        return float(np.sqrt(pairs / (pairs - fitted)))

    def read(self, values: FloatArray, own: FloatArray) -> CoalitionEstimate:
        """Turn a row's values (t, k + 2 m) and its own (t,) into weights with their errors."""
        n, k = self.halves.shape[1], self.empty
        alone = values[:, :k]
        # each baseline's game has a gain of its own, which its players share
        gains = own[:, None] - alone[:, self.dealt]
        differences = (values[:, k::2] - values[:, k + 1 :: 2]) / 2 - self._balance * gains
        even = (own - alone.mean(axis=1))[:, None] / n
        weights, units = [], []
        for part in differences:
            found = self._solver @ part
            weights.append(_levelled(found[:n]))
            missed = self._missed_by_unit(part, found)
            units.append(_levelled(missed * self._units * self._freedom))
        centre, spread = np.stack(weights) + even, np.stack(units, axis=1)
        factors = spread_of(spread)
        if self.repeats == 1:
            return CoalitionEstimate(centre, condensed(factors), centre[None])
        return CoalitionEstimate(centre, factors, centre + spread)

    def _missed_by_unit(self, part: FloatArray, found: FloatArray) -> FloatArray:
        """Return what each unit adds to the weights (u, n) by what coefficients miss of it."""
        if self.repeats == 1:
            missed = part - self._columns @ found
            return np.asarray(self._by_unit[..., 0] * missed[:, None], dtype=np.float64)
        own = self._by_unit @ part.reshape(self._units, -1, 1)
        return np.asarray(own[..., 0] - self._fitted_by_unit @ found, dtype=np.float64)


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


def _bend(halves: BoolArray) -> FloatArray:
    """
    Return how far the size of each coalition (m, n) is from the middle, squared: (m,).

    In standard deviations from its mean over all sizes, so that the kernel, which weighs each size
    as often as 1 over its features inside times those outside, sees no sum of it in any feature.
    """
    n = halves.shape[1]
    every = (2 * np.arange(1, n) / n - 1) ** 2
    own = (2 * halves.mean(axis=1) - 1) ** 2 - every.mean()
    spread = every.std()
    # up to three features all sizes are as far from the middle, but for rounding
    return np.asarray(own / spread if n > 3 else np.zeros(len(own)), dtype=np.float64)


def _components(deviations: FloatArray) -> FloatArray:
    """Return the principal components of deviations (k, q) by which baselines differ most."""
    sides, sizes, _ = np.linalg.svd(deviations, full_matrices=False)
    found = sides[:, sizes > _ALIKE * sizes[:1].sum()][:, :_COMPONENTS]
    return np.asarray(found * np.sqrt(len(deviations)), dtype=np.float64)


def measure_controls(numbers: FloatArray, owners: IntArray, n: int, most: int) -> Controls:
    """
    Return the controls of k baselines: one kind after the other, as long as *most* holds it.

    Numbers (k, q) and their ranks, for each feature its own; the components of the ranks tilting;
    the first of them mixing; the bend; the second mixing, and the third.
    """
    cells = np.apply_along_axis(_deviations, 0, numbers)
    ranks = np.apply_along_axis(_deviations, 0, np.apply_along_axis(_ranks, 0, numbers))
    components = _components(ranks)
    costs = (cells.shape[1], ranks.shape[1], 2 * components.shape[1], n, n, n, n)
    left, kept = most, []
    for cost in costs:
        kept.append(cost <= left)
        left -= cost if kept[-1] else 0
    chosen = [part for part, keep in zip((cells, ranks), kept, strict=False) if keep]
    made = np.concatenate([np.empty((len(numbers), 0)), *chosen], axis=1)
    own = np.tile(owners, len(chosen)).astype(np.int64)
    moving = made.any(axis=0)
    return Controls(
        made[:, moving],
        own[moving],
        tilting=components[:, : components.shape[1] * kept[2]],
        mixing=components[:, : kept[3] + kept[5] + kept[6]],
        bent=kept[4],
    )


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
    own = kernel_mass(n, sizes) * len(sizes)  # each size is as likely
    halves, dealt, importance = [], [], []
    for repeat in range(repeats):
        source = stream(COALITIONS, seed, n, repeat, k)
        points = sobol_points(n + 1, pairs, source)
        drawn = np.minimum((points[:, 0] * len(sizes)).astype(np.int64), len(sizes) - 1)
        halves.append(points[:, 1:].argsort(axis=1).argsort(axis=1) < sizes[drawn][:, None])
        rounds = [source.permutation(k) for _ in range(-(-pairs // k))]
        dealt.append(np.concatenate(rounds)[:pairs])
        importance.append(own[drawn])
    made = measure_controls(numbers, owners, n, pairs * repeats // _PAIRS_A_CONTROL - n)
    return DealtCoalitions(
        np.concatenate(halves), np.concatenate(dealt), np.concatenate(importance), repeats, made
    )
