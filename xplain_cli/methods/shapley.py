"""Shapley values between a row and its baseline: the common part of both ways to sample them.

The players are features; a coalition's value is the explained number where only its features stay.
Shapley 1953; Lundberg and Lee 2017, arXiv:1705.07874.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, FloatArray, IntArray
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
        """The masks (m, n): the first ones are empty, none is full."""

    @property
    def empty(self) -> int:
        """How many of the masks are empty: their mean is the base."""

    @property
    def baselines(self) -> IntArray | None:
        """The baseline on which each mask is asked, (m,); None: all of them."""

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

    empty: ClassVar[int] = 1
    baselines: ClassVar[None] = None

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


def explain_by(task: MaskTask, coalitions: Sequence[Coalitions]) -> Explaining:
    """Explain a block of rows, all with equally many features, by the coalitions of each."""
    masks = coalitions[0].masks
    step = max(1, int(_SLICE_BYTES / (8 * masks.size / task.n * task.pairs.shape[1])))
    parts = []
    for start in range(0, len(task.block), step):
        rows = range(start, min(start + step, len(task.block)))
        some = [coalitions[row] for row in rows]
        dealt = [one.baselines for one in some if one.baselines is not None]
        answer: MaskOutputs = yield NeedMasks(rows, [one.masks for one in some], dealt or None)
        parts.append(_attribution(task, some, rows, answer))
    return concatenate(parts)


def _attribution(
    task: MaskTask, coalitions: Sequence[Coalitions], rows: Sequence[int], answer: MaskOutputs
) -> Attribution:
    values = [
        pair_values(outputs, task.pairs[row], margin=task.margin)
        for row, outputs in zip(rows, answer.outputs, strict=True)
    ]
    read = [
        # one by one: last digits must not depend on how many rows stand together
        one.read(own, task.predictions[row])
        for one, row, own in zip(coalitions, rows, values, strict=True)
    ]
    weights = np.stack([one.weights for one in read])
    b, t, _ = weights.shape
    repeats = np.stack([one.repeats for one in read], axis=1)
    exact, first = len(repeats) == 0, coalitions[0]
    return Attribution(
        weights=weights,
        base=np.stack([own[:, : first.empty].mean(axis=1) for own in values]),
        error_factors=np.stack([one.error_factors for one in read], axis=1),
        own_error=np.zeros(weights.shape),
        degrees=first.degrees,
        repeats=repeats,
        local_r2=np.full((b, t), np.nan),
        locality=np.full((b, t), np.nan),
        effective_share=np.ones(b),
        selected=np.ones(weights.shape, dtype=bool),
        n_repeats=1 if exact else len(repeats),
        n_samples=(len(first.masks) - first.empty + 1) // max(1, len(repeats)),
        n_inputs=answer.asked,
        exact=exact,
    )


def kernel_mass(n: int, sizes: IntArray) -> FloatArray:
    """Return the weight of all coalitions of a size together under the Shapley kernel."""
    return np.asarray((n - 1) / (sizes * (n - sizes)), dtype=np.float64)


def draw_sizes(n: int, sizes: IntArray) -> FloatArray:
    """Return how often each size is drawn: between the kernel's own law and equally often."""
    roots = np.sqrt(kernel_mass(n, sizes))
    return np.asarray(roots / roots.sum(), dtype=np.float64)


def condensed(error_factors: FloatArray) -> FloatArray:
    """Return as many factors (n, t, n) as features, with the same covariance."""
    found = []
    for part in error_factors.transpose(1, 0, 2):
        spread, axes = np.linalg.eigh(part.T @ part)
        found.append((axes * np.sqrt(np.maximum(spread, 0.0))).T)
    return np.stack(found, axis=1)


def spread_of(units: FloatArray) -> FloatArray:
    """Return error factors (s, t, n) of the mean of independent units (s, t, n)."""
    count = len(units)
    mean = units.sum(axis=0) / count
    return np.asarray((units - mean) / np.sqrt(count * (count - 1)), dtype=np.float64)
