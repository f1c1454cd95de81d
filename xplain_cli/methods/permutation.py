"""Shapley values by walking from the baseline to the row, one feature at a time.

Castro, Gomez and Tejada 2009; every order is walked forwards and backwards (antithetic pairs, as in
Mitchell et al. 2022, arXiv:2104.12199). Each walk adds up to the difference exactly.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.cache import Cache
from xplain_cli.methods.defaults import coalitions_sampled, no_constants
from xplain_cli.methods.requests import Explaining, MaskTask
from xplain_cli.methods.shapley import (
    CoalitionEstimate,
    Coalitions,
    all_coalitions,
    explain_by,
    spread_of,
)
from xplain_cli.samples import all_masks_fit
from xplain_cli.seeds import ORDERS, stream


@dataclass(frozen=True)
class Permutation:
    """
    Shapley values as means over orders in which features are put back.

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
        if all_masks_fit(n, budget):
            return 1 << n
        return 1 + 2 * _pairs(n, budget) * (n - 1) * budget[1]

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        walks = _walks(task.n, (task.samples, task.repeats), task.seed)
        return explain_by(task, [walks] * len(task.block))


@dataclass(frozen=True, eq=False)
class Walks:
    """
    Orders in which features are put back.

    Attributes
    ----------
    orders : (r, p, n) int
        The feature of each step; orders 2i and 2i + 1 are each other's reverse.
    """

    orders: IntArray

    empty: ClassVar[int] = 1
    baselines: ClassVar[None] = None

    @cached_property
    def masks(self) -> BoolArray:
        """The empty coalition, then those on the way, (1 + r p (n - 1), n)."""
        n = self.orders.shape[-1]
        steps = np.arange(1, n)[:, None] > self._places.reshape(-1, 1, n)
        return np.concatenate([np.zeros((1, n), dtype=bool), steps.reshape(-1, n)])

    @cached_property
    def _places(self) -> IntArray:
        """The step at which each feature is put back, (r, p, n)."""
        return self.orders.argsort(axis=-1)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the errors."""
        repeats, orders, _ = self.orders.shape
        return float((repeats if repeats > 1 else orders // 2) - 1)

    def read(self, values: FloatArray, own: FloatArray) -> CoalitionEstimate:
        """Turn a row's values (t, m) and its own (t,) into weights with their errors."""
        repeats, orders, n = self.orders.shape
        t = len(values)
        ends = (t, repeats, orders, 1)
        steps = np.concatenate(
            [
                np.broadcast_to(values[:, :1, None, None], ends),
                values[:, 1:].reshape(t, repeats, orders, n - 1),
                np.broadcast_to(own[:, None, None, None], ends),
            ],
            axis=-1,
        )
        gains = np.take_along_axis(np.diff(steps, axis=-1), self._places[None], axis=-1)
        single = gains.mean(axis=2).transpose(1, 0, 2)
        pairs = gains[:, 0].reshape(t, -1, 2, n).mean(axis=2).transpose(1, 0, 2)
        return CoalitionEstimate(
            single.sum(axis=0) / repeats, spread_of(single if repeats > 1 else pairs), single
        )


def _pairs(n: int, budget: tuple[int, int]) -> int:
    """Return how many orders, each with its reverse, the samples of a repeat hold."""
    samples, repeats = budget
    return max(1 if repeats > 1 else 2, samples // (2 * (n - 1)))


def draw_walks(n: int, budget: tuple[int, int], seed: int) -> Walks:
    """Draw orders: in each repeat as many pairs as its samples hold."""
    pairs, orders = _pairs(n, budget), []
    for repeat in range(budget[1]):
        forwards = stream(ORDERS, seed, n, repeat).random((pairs, n)).argsort(axis=1)
        orders.append(np.stack([forwards, forwards[:, ::-1]], axis=1).reshape(-1, n))
    return Walks(np.stack(orders))


_WALKS: Cache[Coalitions] = Cache(lambda made: 9 * made.masks.size, 1 << 28)


def _walks(n: int, budget: tuple[int, int], seed: int) -> Coalitions:
    """Return the walks of all rows with n features, drawn once."""

    def make() -> Coalitions:
        return all_coalitions(n) if all_masks_fit(n, budget) else draw_walks(n, budget, seed)

    return _WALKS.get((n, budget, seed), make)
