"""Shapley values between a row and its baseline: the common part of both ways to sample them.

The players are features; a coalition's value is the explained number where only its features stay.
Shapley 1953; Lundberg and Lee 2017, arXiv:1705.07874.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, FloatArray
from xplain_cli.methods.designs import all_masks
from xplain_cli.methods.requests import Explaining, MaskOutputs, MaskTask, NeedMasks
from xplain_cli.methods.surrogate import concatenate
from xplain_cli.targets import pair_values

_SLICE_BYTES = 64e6


@dataclass(frozen=True)
class CoalitionEstimate:
    """
    What one row's values say.

    Attributes
    ----------
    weights : (t, n)
    error_factors : (s, t, n)
        Error factors; s = 0 where nothing was sampled.
    repeats : (r, t, n)
        Each repeat's own weights; r = 0 where nothing was sampled.
    """

    weights: FloatArray
    error_factors: FloatArray
    repeats: FloatArray


class Coalitions(Protocol):
    """Coalitions on which rows with as many features are asked, and how their values are read."""

    @property
    def masks(self) -> BoolArray:
        """The masks (m, n): the first one is empty, none is full."""

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the errors; inf where there are none."""

    def read(self, values: FloatArray, own: FloatArray) -> CoalitionEstimate:
        """Turn a row's values (t, m), and those of the full coalition (t,), into weights."""


@dataclass(frozen=True, eq=False)
class AllCoalitions:
    """
    All 2^n coalitions.

    Attributes
    ----------
    masks : (2^n - 1, n) bool
    operator : (n, 2^n)
        Of each coalition with k features: (k - 1)! (n - k)! / n! for a feature inside, and
        -k! (n - k - 1)! / n! for one outside.
    """

    masks: BoolArray
    operator: FloatArray
    degrees: float = np.inf

    def read(self, values: FloatArray, own: FloatArray) -> CoalitionEstimate:
        """Turn a row's values into its Shapley values."""
        level = np.column_stack([values, own]) - values[:, :1]
        weights = np.stack([self.operator @ part for part in level])
        nothing = np.empty((0, *weights.shape))
        return CoalitionEstimate(weights, nothing, nothing)


def all_coalitions(n: int) -> AllCoalitions:
    """Return all coalitions of n features."""
    from scipy.special import gammaln

    masks = all_masks(n)
    counts = masks.sum(axis=1)
    k = np.arange(n + 1)
    inside = np.exp(gammaln(np.maximum(k, 1)) + gammaln(n - k + 1) - gammaln(n + 1))
    outside = np.exp(gammaln(k + 1) + gammaln(np.maximum(n - k, 1)) - gammaln(n + 1))
    operator = np.where(masks.T, inside[counts], -outside[counts])
    return AllCoalitions(masks[:-1], np.ascontiguousarray(operator))


def explain_by(task: MaskTask, coalitions: Coalitions) -> Explaining:
    """Explain a block of rows, all with equally many features, by the same coalitions."""
    masks = coalitions.masks
    step = max(1, int(_SLICE_BYTES / (8 * masks.size / task.n * task.pairs.shape[1])))
    parts = []
    for start in range(0, len(task.block), step):
        rows = range(start, min(start + step, len(task.block)))
        answer: MaskOutputs = yield NeedMasks(rows, [masks] * len(rows))
        parts.append(_attribution(task, coalitions, rows, answer))
    return concatenate(parts)


def _attribution(
    task: MaskTask, coalitions: Coalitions, rows: Sequence[int], answer: MaskOutputs
) -> Attribution:
    values = [
        pair_values(outputs, task.pairs[row], margin=task.margin)
        for row, outputs in zip(rows, answer.outputs, strict=True)
    ]
    read = [
        # one by one: last digits must not depend on how many rows stand together
        coalitions.read(own, task.predictions[row])
        for row, own in zip(rows, values, strict=True)
    ]
    weights = np.stack([one.weights for one in read])
    b, t, _ = weights.shape
    repeats = np.stack([one.repeats for one in read], axis=1)
    exact = len(repeats) == 0
    return Attribution(
        weights=weights,
        base=np.stack([own[:, 0] for own in values]),
        error_factors=np.stack([one.error_factors for one in read], axis=1),
        own_error=np.zeros(weights.shape),
        degrees=coalitions.degrees,
        repeats=repeats,
        local_r2=np.full((b, t), np.nan),
        locality=np.full((b, t), np.nan),
        effective_share=np.ones(b),
        selected=np.ones(weights.shape, dtype=bool),
        n_repeats=1 if exact else len(repeats),
        n_samples=len(coalitions.masks) // max(1, len(repeats)),
        n_inputs=answer.asked,
        exact=exact,
    )


def spread_of(units: FloatArray) -> FloatArray:
    """Return error factors (s, t, n) of the mean of independent units (s, t, n)."""
    count = len(units)
    mean = units.sum(axis=0) / count
    return np.asarray((units - mean) / np.sqrt(count * (count - 1)), dtype=np.float64)
