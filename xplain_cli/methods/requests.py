"""The task that a method is handed, the requests that it may yield, and their answers."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, FloatArray, IntArray
from xplain_cli.features import (
    Block,
    Draw,
    MaskedRows,
    Masker,
    Perturbation,
    Sampler,
    Split,
)
from xplain_cli.methods.additive import PARTS, Additive, count_parts, fit_additive, level_sums


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
    baselines : (m,) int for each of these rows
        The one of the row's baselines on which each mask is asked; None: the mean over all.

    The answer is ``MaskOutputs``.
    """

    rows: Sequence[int]
    masks: Sequence[BoolArray]
    baselines: Sequence[IntArray] | None = None

    def lines(self) -> "Iterator[tuple[int, BoolArray, IntArray | None]]":
        """Yield each row with its masks and their baselines."""
        dealt: Sequence[IntArray | None] = self.baselines or [None] * len(self.masks)
        return zip(self.rows, self.masks, dealt, strict=True)


class DealtRows(MaskedRows, Protocol):
    """Rows with several baselines each (``copies``), on one of which a mask can be asked."""

    def masked_on(self, row: int, masks: BoolArray, baselines: IntArray) -> Any:
        """Return the model inputs (m, ...) of masks (m, n), each on one baseline, (m,)."""

    def baseline_numbers(self, row: int) -> tuple[FloatArray, IntArray]:
        """
        Return what tells the baselines of a row from each other.

        Returns
        -------
        numbers (k, q): cells, column by column, and how frequent a category is; NaN for missing
        ones; owners (q,): the feature that each column belongs to, of those that differ
        """


@dataclass(frozen=True)
class MaskOutputs:
    """Outputs (m, k) on the explained scale for each row; (b,) model inputs that each took."""

    outputs: Sequence[FloatArray]
    asked: IntArray


OWN, ZERO, MEAN = "", "zero", "mean"
"""Where paths begin: at the rows' baselines; or at a layer, at 0, or at the mean over rows."""

PLAIN, SQUARED, POSITIVE, AVERAGED = "", "squared", "positive", "averaged"
"""How derivatives are read; see ``NeedPath.reading``."""


@dataclass(frozen=True)
class NeedRoutes:
    """
    Asks for the straight paths from the baselines of the block's rows to the rows.

    Attributes
    ----------
    origin
        Where they begin: ``OWN``, ``ZERO`` or ``MEAN``. Of the last two there is one for each row.
    most
        Where paths bend is wanted of those with so many pieces at most; 0: it is not wanted.
    shifted
        Whether it is wanted how far numbers usually move (``features.MaskedRows.shifted``).

    The answer is ``Routes``.
    """

    most: int = 0
    shifted: bool = False
    origin: str = OWN


@dataclass(frozen=True)
class Routes:
    """
    Straight paths, k for each row: one from each of its baselines.

    Attributes
    ----------
    starts, steps : (b * k, ...)
        The baseline and the way from there to the row, as the model differentiates them.
    copies
        k.
    kinks : of each path
        Where it bends (``models.gradients.Kinks``); None where nobody knows.
    smooth
        Whether no path bends anywhere.
    rounding
        Of the model's numbers: 1e-12, or 1e-5 where it computes in single precision.
    asked : (b * k,) int
        Model inputs that finding kinks took.
    shifts : (b * k, ...), optional
        How far each number usually moves.
    entered
        Model inputs that both ends of a path took: at a layer they are what the model makes there.
    """

    starts: FloatArray
    steps: FloatArray
    copies: int
    kinks: Sequence[Any]
    smooth: bool
    rounding: float
    asked: IntArray
    shifts: FloatArray | None = None
    entered: int = 0


@dataclass(frozen=True)
class Noise:
    """
    Normal noise on the points of p paths.

    Attributes
    ----------
    seeds : of each path
        What its draws are seeded by; each node has one of its own.
    size
        Their standard deviation, in units of ``Routes.shifts``.
    """

    seeds: Sequence[tuple[int, ...]]
    size: float


@dataclass(frozen=True)
class PathSums:
    """
    What was added up along p paths.

    Attributes
    ----------
    sums : (p, n)
        Of each feature the weighted sum of derivatives, times its own way where that was asked.
    values : of each path, (m,)
        The explained number at its nodes, or at its kinks.
    asked : (p,) int
        Model inputs: one forward and one backward pass are one, and so is one forward pass.
    maps : (p, h, w), optional
        The same sums before they were added up over features, as maps that lie over pictures.
    """

    sums: FloatArray
    values: Sequence[FloatArray]
    asked: IntArray
    maps: FloatArray | None = None


@dataclass(frozen=True)
class NeedPath:
    """
    Asks for weighted sums of derivatives at nodes on paths, added in the order of the nodes.

    Attributes
    ----------
    routes
        The paths of the block.
    places : (p,) int
        Which of them each sum is taken on.
    pairs : (p, 2) int
        The (plus, minus) outputs whose number is differentiated.
    margin
        See ``targets.pair_values``.
    nodes, weights : of each sum, (m,)
        Shares of the way, 0 the baseline, 1 the row; and their weights.
    moved
        Whether derivatives are multiplied by the way that each number goes.
    reading
        What is taken in place of the derivatives: ``PLAIN``, themselves; ``SQUARED``, their squares
        over the sum of squares of all numbers that move; ``POSITIVE``, 0 for those below 0;
        ``AVERAGED``, of each channel of a layer their mean over its places.
    noise
        What is added to the points; None: nothing.

    The answer is ``PathSums``.
    """

    routes: Routes
    places: IntArray
    pairs: IntArray
    margin: bool
    nodes: Sequence[FloatArray]
    weights: Sequence[FloatArray]
    moved: bool = True
    reading: str = PLAIN
    noise: Noise | None = None


@dataclass(frozen=True)
class NeedPieces:
    """
    Asks for the integrals of derivatives along paths whose kinks are known, times the way.

    As all scores are linear on a piece, one derivative there stands for all. Attributes are those
    of ``NeedPath``; the answer is ``PathSums``.
    """

    routes: Routes
    places: IntArray
    pairs: IntArray
    margin: bool


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
    def part_counts(self) -> IntArray:
        """Of each feature into how many parts the stand-in cuts its bins, (n,)."""
        divided: BoolArray = np.asarray(self.draw.parts).max(axis=1, initial=0) > 0
        return count_parts(self.levels, divided, len(self.outputs))

    @cached_property
    def stand_in(self) -> Additive:
        """
        The additive stand-ins of the outputs, less what they are at the first draw.

        The levels of its tables are parts of bins (``part_counts``).
        """
        counts = self.part_counts
        codes, levels = np.asarray(self.draw.codes), self.levels
        if counts.max(initial=1) > 1:
            own = np.asarray(self.draw.parts) * counts[:, None] // PARTS
            codes = codes * counts[:, None] + own
            levels = tuple((counts * levels).tolist())
        # a constant model then has outputs of exactly 0
        return fit_additive(codes, levels, self.outputs - self.outputs[0], self.repeats)

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
