"""Kernel SHAP: Shapley values as a weighted fit of coalitions that adds up by constraint.

Lundberg and Lee 2017, arXiv:1705.07874; paired coalitions as in Covert and Lee 2021,
arXiv:2012.01536. Sizes of coalitions that the budget holds are enumerated from the outside in; the
others are drawn by a scrambled Sobol sequence (one coordinate for the size, the ranks of the others
for the features), each with its complement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Any, ClassVar

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.cache import Cache
from xplain_cli.methods.dealt_coalitions import deal
from xplain_cli.methods.defaults import no_constants
from xplain_cli.methods.requests import Explaining, MaskTask
from xplain_cli.methods.shapley import (
    CoalitionEstimate,
    Coalitions,
    all_coalitions,
    condensed,
    draw_sizes,
    explain_by,
    kernel_mass,
    spread_of,
)
from xplain_cli.methods.sobol import sobol_points
from xplain_cli.samples import (
    DEALT_BUDGET,
    DEALT_GOAL,
    SHAPLEY_BUDGET,
    all_dealt_fit,
    all_masks_fit,
    enough_samples,
)
from xplain_cli.seeds import COALITIONS, stream

_ENUMERATED = -1


@dataclass(frozen=True, eq=False)
class WeightedCoalitions:
    """
    Coalitions with the weights of the Shapley kernel.

    Attributes
    ----------
    masks : (1 + m, n) bool
        The empty one, then the others.
    weights : (m,)
        Shapley kernel over the probability of being drawn.
    owners : (m,) int
        The repeat that drew it; -1 where it is enumerated.
    count : int
        r, the number of repeats.
    """

    masks: BoolArray
    weights: FloatArray
    owners: IntArray
    count: int

    empty: ClassVar[int] = 1
    baselines: ClassVar[None] = None

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the errors."""
        return float(max(self._units - 1, 1))

    @property
    def _units(self) -> int:
        """What varies independently: repeats, or the pairs of a single one."""
        return self.count if self.count > 1 else int((self.owners >= 0).sum()) // 2

    @cached_property
    def _shares(self) -> FloatArray:
        """The share of the features in each coalition, (m,)."""
        return np.asarray(self.masks[1:].mean(axis=1), dtype=np.float64)

    @cached_property
    def _centred(self) -> FloatArray:
        """Masks less their share, (m, n): the sum of the weights has no say."""
        return self.masks[1:] - self._shares[:, None]

    def _weights_of(self, repeat: int | None) -> FloatArray:
        """Return weights of all coalitions, or as if one repeat alone had been drawn."""
        if repeat is None:
            return self.weights
        own = np.where(self.owners == repeat, self.weights * self.count, 0.0)
        return np.where(self.owners == _ENUMERATED, self.weights, own)

    def _solver(self, weights: FloatArray) -> FloatArray:
        matrix = (self._centred.T * weights) @ self._centred
        # the sum of the weights is no part of the fit; so it stays no part of its inverse either
        matrix += np.trace(matrix) / len(matrix) ** 2
        return np.asarray(np.linalg.pinv(matrix, hermitian=True), dtype=np.float64)

    @cached_property
    def _inverse(self) -> FloatArray:
        return self._solver(self.weights)

    @cached_property
    def _operators(self) -> tuple[FloatArray, FloatArray]:
        """What turns values into weights: of all coalitions (n, m), of each repeat (r, n, m)."""
        right = self._centred.T
        pooled = self._inverse @ (right * self.weights)
        if self.count == 1:
            return pooled, pooled[None]
        own = [self._weights_of(repeat) for repeat in range(self.count)]
        return pooled, np.stack([self._solver(w) @ (right * w) for w in own])

    def read(self, values: FloatArray, own: FloatArray) -> CoalitionEstimate:
        """Turn a row's values (t, 1 + m) and its own (t,) into weights with their errors."""
        pooled, single = self._operators
        gain = own - values[:, 0]
        level = values[:, 1:] - values[:, :1] - self._shares * gain[:, None]
        even = np.repeat(gain[:, None] / self.masks.shape[1], self.masks.shape[1], axis=1)
        weights = np.stack([pooled @ part for part in level])
        repeats = np.stack([[one @ part for part in level] for one in single]) + even
        missed = level - np.stack([self._centred @ part for part in weights])
        return CoalitionEstimate(weights + even, self._factors(missed), repeats)

    def _factors(self, missed: FloatArray) -> FloatArray:
        """Return error factors from what the fit misses (t, m), clustered by repeats or pairs."""
        found = []
        for part in missed * self.weights:
            scores = self._centred * part[:, None]
            drawn = scores[self.owners >= 0]  # repeat by repeat, complements side by side
            units = drawn.reshape(self._units, -1, drawn.shape[1]).sum(axis=1) * self._units
            found.append(spread_of(units @ self._inverse))
        error_factors = np.stack(found, axis=1)
        return error_factors if self.count > 1 else condensed(error_factors)


def _enumerated(n: int, budget: int, least: int) -> tuple[list[BoolArray], list[FloatArray], int]:
    """
    Enumerate sizes of coalitions from the outside in, as long as each has its share of the budget.

    Returns
    -------
    masks with their complements, weights, and the smallest size that is left
    """
    masks, weights, size = [], [], 1
    while size < n - size:
        sizes, count = np.arange(size, n - size + 1), 2 * comb(n, size)
        if budget * 2 * draw_sizes(n, sizes)[0] < count or budget - count < least:
            break
        inside = np.array(list(combinations(range(n), size)))
        some = np.zeros((len(inside), n), dtype=bool)
        np.put_along_axis(some, inside, values=True, axis=1)
        masks.append(np.stack([some, ~some], axis=1).reshape(-1, n))
        weights.append(np.full(count, kernel_mass(n, sizes)[0] / comb(n, size)))
        budget -= count
        size += 1
    return masks, weights, size


def weigh_coalitions(n: int, budget: tuple[int, int], seed: int) -> WeightedCoalitions:
    """Enumerate outer sizes, and sample pairs of the others in each repeat."""
    samples, repeats = budget
    masks, weights, least = _enumerated(n, samples * repeats, 4 * repeats)
    owners = [np.full(len(part), _ENUMERATED) for part in masks]
    sizes = np.arange(least, n - least + 1)
    probability = draw_sizes(n, sizes)
    pairs = max(2, (samples * repeats - sum(map(len, masks))) // (2 * repeats))
    own = kernel_mass(n, sizes) / probability / (2 * pairs * repeats)
    for repeat in range(repeats):
        points = sobol_points(n + 1, pairs, stream(COALITIONS, seed, n, repeat))
        drawn = np.searchsorted(probability.cumsum()[:-1], points[:, 0], side="right")
        ranks = points[:, 1:].argsort(axis=1).argsort(axis=1)
        some = ranks < sizes[drawn][:, None]
        masks.append(np.stack([some, ~some], axis=1).reshape(-1, n))
        weights.append(np.repeat(own[drawn], 2))
        owners.append(np.full(2 * pairs, repeat))
    empty = np.zeros((1, n), dtype=bool)
    return WeightedCoalitions(
        np.concatenate([empty, *masks]), np.concatenate(weights), np.concatenate(owners), repeats
    )


# a boolean of each mask, and solvers in double precision, of features and controls
_COALITIONS: Cache[Coalitions] = Cache(lambda made: 60 * made.masks.size, 1 << 28)


def _every_coalition(n: int) -> Coalitions:
    """Return all coalitions, made once."""
    return _COALITIONS.get(n, lambda: all_coalitions(n))


def _coalitions(n: int, budget: tuple[int, int], seed: int) -> Coalitions:
    """Return the coalitions of all rows with n features, made once."""
    if all_masks_fit(n, budget):
        return _every_coalition(n)
    return _COALITIONS.get((n, budget, seed), lambda: weigh_coalitions(n, budget, seed))


@dataclass(frozen=True)
class KernelShap:
    """
    Shapley values of the features between the row and its baseline.

    Exact where all 2^n coalitions fit into the budget. Base and weights add up to the prediction.

    Attributes
    ----------
    rows
        Where a row has many baselines (``-b sample:k=50``), on which of them a coalition is asked:
        one, each equally often (``methods.dealt_coalitions``), or all.
    """

    rows: str = field(default="one", metadata={"choices": ("one", "all")})

    needs: ClassVar[frozenset[str]] = frozenset()
    instead: ClassVar[str] = ""
    exact: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    sampled: ClassVar[bool] = True

    facts = no_constants

    @property
    def wants(self) -> Wants:
        """What it wants of the perturbation."""
        return Wants(deals=self.rows == "one")

    def default_budget(self, perturbation: Masker) -> tuple[int, int]:
        """Return the default (samples per repeat, repeats)."""
        return DEALT_BUDGET if self._deals(perturbation.traits.copies) else SHAPLEY_BUDGET

    def default_goal(self, perturbation: Masker) -> float | None:
        """Return the precision to which rows are asked where nobody says, if there is one."""
        return DEALT_GOAL if self._deals(perturbation.traits.copies) else None

    def _deals(self, copies: int) -> bool:
        return copies > 1 and self.rows == "one"

    def row_inputs(self, perturbation: Masker, n: int, budget: tuple[int, int]) -> int:
        """Return how many masks of its own a row with n features is asked on at most."""
        samples, repeats = enough_samples(n, budget[0]), budget[1]
        copies = perturbation.traits.copies
        if not self._deals(copies):
            return 1 << n if all_masks_fit(n, (samples, repeats)) else 1 + samples * repeats
        if all_dealt_fit(n, copies, (samples, repeats)):
            return 1 << n
        return 1 + -(-2 * (samples // 2) * repeats // copies)  # a mask is asked on all copies

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        budget = enough_samples(task.n, task.samples), task.repeats
        if not self._deals(task.block.copies):
            made = _coalitions(task.n, budget, task.seed)
        elif all_dealt_fit(task.n, task.block.copies, budget):
            made = _every_coalition(task.n)
        else:
            return explain_by(task, _Dealt(task, budget))
        return explain_by(task, [made] * len(task.block))


class _Dealt(Sequence[Coalitions]):
    """The coalitions of each row, which depend on its baselines; rows mostly share them."""

    def __init__(self, task: MaskTask, budget: tuple[int, int]) -> None:
        self._block: Any = task.block
        self._key = task.n, budget, task.seed

    def __len__(self) -> int:
        return len(self._block)

    def __getitem__(self, row: Any) -> Any:
        numbers, owners = self._block.baseline_numbers(row)
        key = (*self._key, numbers.tobytes(), owners.tobytes())
        return _COALITIONS.get(key, lambda: deal(numbers, owners, *self._key))
