"""The task that a method is handed, the requests that it may yield, and their answers."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, FloatArray, IntArray
from xplain_cli.features import Block, Draw, MaskedRows, Masker, Perturbation, Sampler, Split
from xplain_cli.methods.additive import Additive, fit_additive, level_sums


class UnexplainedError(Exception):
    """Rows of a block that have no explanation, with the reasons; the others can have theirs."""

    def __init__(self, reasons: dict[int, str]) -> None:
        super().__init__(f"{len(reasons)} rows")
        self.reasons = reasons


@dataclass(frozen=True)
class NeedPool:
    """Asks for the pool of draws that all rows of the run share; the answer is a ``Pool``."""


@dataclass(frozen=True)
class NeedOutputs:
    """Asks for the model's outputs on inputs (m,); the answer is (m, k) on the explained scale."""

    inputs: Any


@dataclass(frozen=True)
class NeedMasks:
    """
    Asks for the model's outputs on masked rows (``features.MaskedRows.masked``).

    Attributes
    ----------
    rows : places of rows in the task's block
    masks : (m, n) bool for each of these rows, True where a feature stays

    The answer is ``MaskOutputs``.
    """

    rows: Sequence[int]
    masks: Sequence[BoolArray]


@dataclass(frozen=True)
class MaskOutputs:
    """Outputs (m, k) on the explained scale for each row; (b,) model inputs that each took."""

    outputs: Sequence[FloatArray]
    asked: IntArray


L = TypeVar("L", bound=Perturbation)
S = TypeVar("S", bound=Split)


@dataclass(frozen=True)
class Pool:
    """
    Draws that serve every row: their law does not depend on the row.

    Attributes
    ----------
    draw : Draw
        The draws of all repeats, one after the other: r * m of them.
    outputs : (r * m, k) float
        The model's outputs on the explained scale.
    repeats : int
        r, the number of independent scrambles.
    frequencies : tuple of (levels,) arrays
        Of each feature the frequency of each code; empty where the law is no product of bins.
    """

    draw: Draw
    outputs: FloatArray
    repeats: int
    frequencies: tuple[FloatArray, ...] = ()

    @property
    def levels(self) -> tuple[int, ...]:
        """Of each feature the number of its codes."""
        return tuple(map(len, self.frequencies))

    @cached_property
    def stand_in(self) -> Additive:
        """The additive stand-ins of the outputs, less what they are at the first draw."""
        # a constant model then has outputs of exactly 0
        return fit_additive(
            self.draw.codes, self.levels, self.outputs - self.outputs[0], self.repeats
        )

    @cached_property
    def by_level(self) -> tuple[FloatArray, FloatArray]:
        """
        What draws of each level have left.

        Returns
        -------
        counts : (r, levels of all features)
            Shares of the draws of a repeat that have the level.
        sums : (r, k, levels of all features)
            What the stand-in leaves of each output in these draws, over all draws of the repeat.
        """
        size = len(self.outputs) // self.repeats
        left = np.concatenate([np.ones((1, len(self.outputs))), self.stand_in.residuals])
        parts = [slice(r * size, (r + 1) * size) for r in range(self.repeats)]
        codes = np.asarray(self.draw.codes)  # a view of a file is slow to slice
        found = [level_sums(codes[:, at], self.levels, left[:, at]) for at in parts]
        shares = np.stack(found) / size
        return shares[:, 0], shares[:, 1:]


def kernel_weights(distances: Any, width: float) -> FloatArray:
    """Return exp(-d / (2 width^2)) of squared distances (m,); whole ones are looked up."""
    factor = -0.5 / width**2
    if distances.dtype.kind == "i":
        table = np.exp(np.arange(distances.max(initial=0) + 1) * factor)
        return np.asarray(table.take(distances), dtype=np.float64)
    return np.asarray(np.exp(distances * factor), dtype=np.float64)


@dataclass(frozen=True)
class Task(Generic[L, S]):
    """
    A block of rows to explain, all with equally many features.

    Attributes
    ----------
    perturbation, block
        How features are drawn, and the b rows split into features.
    pairs : (b, t, 2) int
        Of each row's t targets the (plus, minus) output columns; minus -1 for a single output.
    predictions : (b, t) float
        The explained numbers at the rows themselves.
    margin
        One decision margin stands for two classes (see ``targets.pair_values``).
    seed, samples, repeats
        The run's seed, draws per repeat, repeats.
    leaves
        Leaf boxes of a tree model, where the method asked for them.
    probabilities
        Whether the model's outputs are explained as probabilities.
    """

    perturbation: L
    block: S
    pairs: IntArray
    predictions: FloatArray
    margin: bool
    seed: int
    samples: int
    repeats: int
    leaves: Any = None
    probabilities: bool = False

    def bounds(self, row: int, target: int) -> tuple[float, float] | None:
        """Return between which numbers a target lies; None where nobody knows."""
        if not self.probabilities:
            return None
        return (0.0, 1.0) if self.pairs[row, target, 1] < 0 else (-1.0, 1.0)

    @property
    def n(self) -> int:
        """How many features each row has."""
        return int(self.block.counts[0])


TableTask: TypeAlias = Task[Sampler, Block]
MaskTask: TypeAlias = Task[Masker, MaskedRows]
Explaining: TypeAlias = Generator[object, Any, Attribution]
"""Yields requests, is sent what ``engine.model_calls.ANSWERS`` makes of them, returns the rest."""
