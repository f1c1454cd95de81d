"""Kernel SHAP: Shapley values as a weighted fit of coalitions that adds up by constraint.

Lundberg and Lee 2017, arXiv:1705.07874; paired coalitions as in Covert and Lee 2021,
arXiv:2012.01536. Sizes of coalitions that the budget holds are enumerated from the outside in; the
others are drawn by a scrambled Sobol sequence (one coordinate for the size, the ranks of the others
for the features), each with its complement.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import ClassVar

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.cache import Cache
from xplain_cli.methods.defaults import coalitions_sampled, no_constants
from xplain_cli.methods.designs import sobol_points
from xplain_cli.methods.requests import Explaining, MaskTask
from xplain_cli.methods.shapley import (
    CoalitionEstimate,
    Coalitions,
    all_coalitions,
    explain_by,
    spread_of,
)
from xplain_cli.samples import all_masks_fit, enough_samples
from xplain_cli.seeds import COALITIONS, stream

_ENUMERATED = -1


@dataclass(frozen=True)
class KernelShap:
    """
    Shapley values of the features between the row and its baseline.

    Exact where all 2^n coalitions fit into the budget. Base and weights add up to the prediction.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    instead: ClassVar[str] = ""
    exact: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants()
    sampled: ClassVar[bool] = True

    default_budget = coalitions_sampled
    facts = no_constants

    def row_inputs(self, _law: Masker, n: int, budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row with n features takes at most."""
        samples, repeats = enough_samples(n, budget[0]), budget[1]
        return 1 << n if all_masks_fit(n, (samples, repeats)) else 1 + samples * repeats

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        samples = enough_samples(task.n, task.samples)
        return explain_by(task, _coalitions(task.n, (samples, task.repeats), task.seed))


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
        return error_factors if self.count > 1 else _condensed(error_factors)


def _condensed(error_factors: FloatArray) -> FloatArray:
    """Return as many factors (n, t, n) as features, with the same covariance."""
    found = []
    for part in error_factors.transpose(1, 0, 2):
        spread, axes = np.linalg.eigh(part.T @ part)
        found.append((axes * np.sqrt(np.maximum(spread, 0.0))).T)
    return np.stack(found, axis=1)


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
        if budget * 2 * _drawing(n, sizes)[0] < count or budget - count < least:
            break
        inside = np.array(list(combinations(range(n), size)))
        some = np.zeros((len(inside), n), dtype=bool)
        np.put_along_axis(some, inside, values=True, axis=1)
        masks.append(np.stack([some, ~some], axis=1).reshape(-1, n))
        weights.append(np.full(count, _mass(n, sizes)[0] / comb(n, size)))
        budget -= count
        size += 1
    return masks, weights, size


def _mass(n: int, sizes: IntArray) -> FloatArray:
    """Return the weight of all coalitions of a size together under the Shapley kernel."""
    return np.asarray((n - 1) / (sizes * (n - sizes)), dtype=np.float64)


def _drawing(n: int, sizes: IntArray) -> FloatArray:
    """Return how often each size is drawn: between the kernel's own law and equally often."""
    roots = np.sqrt(_mass(n, sizes))
    return np.asarray(roots / roots.sum(), dtype=np.float64)


def weigh_coalitions(n: int, budget: tuple[int, int], seed: int) -> WeightedCoalitions:
    """Enumerate outer sizes, and sample pairs of the others in each repeat."""
    samples, repeats = budget
    masks, weights, least = _enumerated(n, samples * repeats, 4 * repeats)
    owners = [np.full(len(part), _ENUMERATED) for part in masks]
    sizes = np.arange(least, n - least + 1)
    perturbation = _drawing(n, sizes)
    pairs = max(2, (samples * repeats - sum(map(len, masks))) // (2 * repeats))
    own = _mass(n, sizes) / perturbation / (2 * pairs * repeats)
    for repeat in range(repeats):
        points = sobol_points(n + 1, pairs, stream(COALITIONS, seed, n, repeat))
        drawn = np.searchsorted(perturbation.cumsum()[:-1], points[:, 0], side="right")
        ranks = points[:, 1:].argsort(axis=1).argsort(axis=1)
        some = ranks < sizes[drawn][:, None]
        masks.append(np.stack([some, ~some], axis=1).reshape(-1, n))
        weights.append(np.repeat(own[drawn], 2))
        owners.append(np.full(2 * pairs, repeat))
    empty = np.zeros((1, n), dtype=bool)
    return WeightedCoalitions(
        np.concatenate([empty, *masks]), np.concatenate(weights), np.concatenate(owners), repeats
    )


_COALITIONS: Cache[Coalitions] = Cache(lambda made: 40 * made.masks.size, 1 << 28)


def _coalitions(n: int, budget: tuple[int, int], seed: int) -> Coalitions:
    """Return the coalitions of all rows with n features, made once."""

    def make() -> Coalitions:
        return all_coalitions(n) if all_masks_fit(n, budget) else weigh_coalitions(n, budget, seed)

    return _COALITIONS.get((n, budget, seed), make)
