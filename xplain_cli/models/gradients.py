"""The capability ``gradient``: a model's scores, their derivatives, and how a target reads them.

Models answer probabilities or scores; what a straight path is followed by are the scores, the
numbers before a softmax or a sigmoid. A ``Readout`` says which number of them is explained, and
its derivative by the scores, so that models differentiate scores alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray

IDENTITY, SOFTMAX, SIGMOID, SHARES = "identity", "softmax", "sigmoid", "shares"
"""How scores become outputs: as they are; by a softmax; each by a sigmoid; by sigmoids that are
divided by their sum."""

_PANEL = 4.0
"""Change of the scores over which 16 Gauss-Legendre nodes integrate a sigmoid to 1e-16."""

INPUT = ""
"""In place of the name of a layer: the input itself."""

Slopes: TypeAlias = Callable[[FloatArray], FloatArray]
"""Of scores (m, k): the derivatives (m, k) of what is explained by them."""


@dataclass(frozen=True)
class Kinks:
    """
    Where a path bends in the scores: between neighbours all scores are linear.

    Attributes
    ----------
    shares : (m,) float
        Ascending from 0, the baseline, to 1, the row.
    scores : (m, k) float
        The scores there.
    """

    shares: FloatArray
    scores: FloatArray


@dataclass(frozen=True)
class UnitText:
    """
    A text as one end of a path through the embedding of its tokens.

    Attributes
    ----------
    text
        The text itself.
    spans
        Of each unit, the (start, end) of every place where it stands, in code points.
    absent
        Whether its units are those of the baseline, else its own.
    token
        What stands for a unit that is absent; None: what the model says (``Gradient.absent``).
    """

    text: str
    spans: tuple[tuple[tuple[int, int], ...], ...] = ()
    absent: bool = False
    token: str | None = None


@dataclass(frozen=True)
class Gradient:
    """
    How a model's scores change with its inputs.

    Attributes
    ----------
    enter
        Returns rows as the numbers (m, ...) that derivatives are taken by. A cell of a category
        becomes several of them.
    leave
        Adds up numbers (p, ...) of that shape over what each column, or pixel, of a batch became:
        (p, columns). Pixels stand row by row, the channels of one side by side. Of ``UnitText``
        it is over the tokens of each unit; numbers that are held are those of the points.
    scores
        Returns the scores (m, k) float64 at points (m, ...).
    derive
        Returns the derivatives (m, ...) float64 of what is read of the scores, and these (m, k).
    link
        How scores become the model's outputs: ``IDENTITY``, ``SOFTMAX``, ``SIGMOID``, ``SHARES``.
    kinks
        Of paths from starts (q, ...) along steps: where they bend; None for one of more pieces than
        the number says. None where the scores are not piecewise linear.
    smooth
        Whether the scores have no kink anywhere.
    single
        Whether it computes in single precision.
    batch_rows
        How many points it is asked together.
    shape
        At a layer: the lengths of its value for one row; then derivatives are taken by that value.
    held
        How many of the last numbers of a point do not move on a path: the row's own, which scores
        rest on past the layer; of a text, its number.
    absent
        Of texts: what stands for a token that is absent where nobody names one, as outputs say it.
    """

    enter: Callable[[Any], FloatArray]
    leave: Callable[[FloatArray], FloatArray]
    scores: Callable[[FloatArray], FloatArray]
    derive: Callable[[FloatArray, Slopes], tuple[FloatArray, FloatArray]]
    link: str = IDENTITY
    kinks: Callable[[FloatArray, FloatArray, int], Sequence[Kinks | None]] | None = None
    smooth: bool = False
    single: bool = False
    batch_rows: int = 512
    shape: tuple[int, ...] = ()
    held: int = 0
    absent: str = ""

    @property
    def grid(self) -> tuple[int, int] | None:
        """The lengths (height, width) of a layer that lies over a picture; else None."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else None


def _softplus(x: FloatArray) -> FloatArray:
    return np.asarray(np.logaddexp(0.0, x), dtype=np.float64)


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x), dtype=np.float64)


def _others(scores: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return log of the sum of exp over the other scores (m,), and each one's share (m, k)."""
    rest = scores.copy()
    rest[np.arange(len(rest)), at] = -np.inf
    top = rest.max(axis=1, keepdims=True)
    powers = np.exp(rest - top)
    total = powers.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], powers / total


def _logit(scores: FloatArray, at: IntArray, link: str) -> tuple[FloatArray, FloatArray]:
    """Return the log-odds (m,) of one output of each row, and their slopes (m, k)."""
    rows = np.arange(len(scores))
    own, slopes = scores[rows, at], np.zeros(scores.shape)
    if link == SIGMOID:
        slopes[rows, at] = 1.0
        return own, slopes
    if link == IDENTITY:  # the scores are probabilities
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes[rows, at] = 1 / (own * (1 - own))
            return np.log(own) - np.log1p(-own), slopes
    if link == SOFTMAX:
        total, shares = _others(scores, at)
        slopes -= shares
        slopes[rows, at] = 1.0
        return own - total, slopes
    total, shares = _others(-_softplus(-scores), at)
    slopes -= shares * _sigmoid(-scores)
    slopes[rows, at] = _sigmoid(-own)
    return -_softplus(-own) - total, slopes


def linked(scores: FloatArray, link: str) -> FloatArray:
    """Return the outputs (m, k) that a link makes of scores."""
    if link == IDENTITY:
        return scores
    columns = [_sigmoid(_logit(scores, np.full(len(scores), j), link)[0]) for j in _each(scores)]
    return np.column_stack(columns)


def log_odds(scores: FloatArray, link: str, *, paired: bool) -> FloatArray:
    """Return log p (m, k) of all outputs where they are *paired*, else log(p / (1 - p))."""
    columns = [_logit(scores, np.full(len(scores), j), link)[0] for j in _each(scores)]
    found = np.column_stack(columns)
    return -_softplus(-found) if paired else found


def _each(scores: FloatArray) -> range:
    return range(scores.shape[1])


@dataclass(frozen=True)
class Readout:
    """
    Which number of a row's scores is explained.

    Attributes
    ----------
    pairs : (m, 2) int
        The (plus, minus) outputs of each row; minus -1 for a single one.
    link
        How scores become outputs.
    scale
        ``probability``, ``log-odds`` or ``raw``.
    margin
        One decision margin stands for two classes (see ``targets.compare``).
    """

    pairs: IntArray
    link: str
    scale: str
    margin: bool = False

    def of(self, rows: Any) -> "Readout":
        """Return the readout of some of the rows, by their places."""
        return replace(self, pairs=self.pairs[rows])

    @property
    def straight(self) -> bool:
        """Whether the number is linear in the scores, on every row."""
        if self.scale == "raw" or (self.link == IDENTITY and self.scale == "probability"):
            return True
        single = self.pairs[:, 1] < 0
        if self.scale != "log-odds":
            return False
        alone = self.link == SIGMOID and single.all()
        return bool(alone or (self.link == SOFTMAX and not single.any()))

    def _side(self, scores: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the number (m,) of one output of each row, and its slopes (m, k)."""
        rows = np.arange(len(scores))
        if self.scale == "raw" or (self.link == IDENTITY and self.scale == "probability"):
            slopes = np.zeros(scores.shape)
            slopes[rows, at] = 1.0
            return scores[rows, at], slopes
        logit, slopes = _logit(scores, at, self.link)
        if self.scale == "probability":
            own, other = _sigmoid(logit), _sigmoid(-logit)
            return own, (own * other)[:, None] * slopes
        return logit, slopes

    def _log(self, scores: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return log p (m,) of one output of each row, and its slopes (m, k)."""
        if self.link == SOFTMAX:  # in a pair the common sum cancels
            slopes = np.zeros(scores.shape)
            slopes[np.arange(len(scores)), at] = 1.0
            return scores[np.arange(len(scores)), at], slopes
        logit, slopes = _logit(scores, at, self.link)
        return -_softplus(-logit), _sigmoid(-logit)[:, None] * slopes

    def fixed_slopes(self, outputs: int) -> FloatArray | None:
        """Return its slopes (m, outputs) where they hang on no score; else None."""
        if self.margin or not self.straight:
            return None
        rows, paired = np.arange(len(self.pairs)), np.flatnonzero(self.pairs[:, 1] >= 0)
        slopes = np.zeros((len(rows), outputs))
        slopes[rows, self.pairs[:, 0]] = 1.0
        slopes[paired, self.pairs[paired, 1]] -= 1.0
        return slopes

    def read(self, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the explained number (m,) of scores (m, k), and its slopes (m, k)."""
        plus, minus = self.pairs[:, 0], self.pairs[:, 1]
        paired = minus >= 0
        if not paired.any():
            return self._side(scores, plus)
        side = self._log if self.scale == "log-odds" else self._side
        first, second = side(scores, plus), side(scores, np.maximum(minus, 0))
        halved = 0.5 if self.margin else 1.0
        value, slopes = halved * (first[0] - second[0]), halved * (first[1] - second[1])
        if paired.all():
            return value, slopes
        alone = self._side(scores, plus)
        return np.where(paired, value, alone[0]), np.where(paired[:, None], slopes, alone[1])

    def slopes(self, scores: FloatArray) -> FloatArray:
        """Return the derivatives (m, k) of the explained number by the scores."""
        return self.read(scores)[1]

    def mean_slopes(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """
        Return the mean derivatives (m, k) on the straight lines between scores.

        By 16 Gauss-Legendre nodes on each stretch over which no two scores come nearer, or go
        apart, by more than 4: the poles of a sigmoid then lie so far off that nothing is missed.
        """
        if self.straight:
            return self.slopes(low)
        change = high - low
        spread = change.max(axis=1) - np.minimum(change.min(axis=1), 0.0)
        panels = np.maximum(1, np.ceil(np.maximum(spread, np.abs(change).max(axis=1)) / _PANEL))
        # powers of two, so that few sizes are computed apart
        panels = np.exp2(np.ceil(np.log2(panels))).astype(np.int64)
        found = np.empty(low.shape)
        for count in np.unique(panels).tolist():
            rows = np.flatnonzero(panels == count)
            found[rows] = self.of(rows)._panelled(low[rows], change[rows], min(count, 1 << 10))  # noqa: SLF001 - own class
        return found

    def _panelled(self, low: FloatArray, change: FloatArray, panels: int) -> FloatArray:
        nodes, weights = np.polynomial.legendre.leggauss(16)
        found = np.zeros(low.shape)
        for panel in range(panels):
            for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
                share = (panel + (node + 1) / 2) / panels
                found += weight / (2 * panels) * self.slopes(low + share * change)
        return found
