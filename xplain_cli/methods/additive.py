"""The additive stand-in of a model: least squares of its outputs on the bins of all features.

It is fitted once, to the draws that all rows share, and serves as a control variate: what LIME
says of a sum over features is known in closed form, so that only what the stand-in misses has to
be sampled. Each part of the draws has a stand-in fitted on the other parts (cross-fitting), so
whatever it is, no estimate is biased by it and no error understated.

Where there are many times more draws than bins, it cuts bins into parts: inside a bin a number is
drawn from a known law, so the mean over its parts is known too.

It is shrunk by a ridge penalty of n, for n features, against counts of draws: as if the bins of
all features together explained half of the variance. So with more bins than draws it does next to
no harm, where bins explain nothing.

Neither the penalty nor the number of steps that solve for it depends on any output, so what is
linear in the outputs stays so: weights of A against B are those of A less those of B.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray, add_up

PARTS = 8
"""Equally likely parts of a bin that draws tell apart."""
_FOLDS = 8
_TOLERANCE = 1e-2  # of the first error; what steps leave of it is sampled like all that is left
_LEAST_SPREAD = 0.05
_BLOCK_NUMBERS, _BLOCK_DRAWS = 1 << 18, 64  # about what caches hold, and products still like
_LEVELS_A_DRAW = 0.1


@dataclass(frozen=True)
class Additive:
    """
    Stand-ins g(x) = constant + sum_j table[level of feature j], for k outputs.

    Attributes
    ----------
    tables : (r, k, levels of all features)
        Of each repeat the mean of the stand-ins that are set against its draws.
    constants : (r, k)
    residuals : (k, r * m)
        The outputs less the stand-ins, each fitted on other draws.
    """

    tables: FloatArray
    constants: FloatArray
    residuals: FloatArray


class _Indicators:
    """
    The columns "feature j has level l" of all draws, in blocks of draws, a byte a number.

    Parameters
    ----------
    codes : (n, N) int
        The level of each feature.
    starts : (n + 1,) int
        Where the levels of each feature begin among those of all.
    """

    def __init__(self, codes: Any, starts: IntArray) -> None:
        levels, total = int(starts[-1]), codes.shape[1]
        whole = np.empty((levels, total), dtype=np.bool_)
        for own, start, stop in zip(codes, starts[:-1], starts[1:], strict=True):
            level = np.arange(stop - start).astype(codes.dtype)[:, None]
            np.equal(own, level, out=whole[start:stop])
        step = max(_BLOCK_DRAWS, _BLOCK_NUMBERS // max(levels, 1))
        parts = [slice(at, min(at + step, total)) for at in range(0, total, step)]
        self._blocks = [(at, whole.view(np.uint8)[:, at]) for at in parts]
        self._numbers = np.empty((levels, step), dtype=np.float32)

    def normal(self, tables: Any, means: Any, kept: Any) -> Any:
        """
        Return the normal equations' left sides without a penalty, (levels, c).

        Parameters
        ----------
        tables : (levels, c) float32
        means : (c,)
            Means of their sums over the features of a draw.
        kept : (N, f)
            1 for the draws that count in each part of the columns, else 0.
        """
        total = np.zeros_like(tables)
        for at, block in self._blocks:
            numbers = self._numbers[:, : block.shape[1]]
            numbers[:] = block
            fitted = numbers.T @ tables
            fitted -= means
            parts = fitted.reshape(len(fitted), kept.shape[1], -1)
            parts *= kept[at, :, None]
            total += numbers @ fitted
        return total


def units_of(values: FloatArray) -> FloatArray:
    """
    Return of each line of values (k, m) the power of two below its largest, 1 if it is 0: (k,).

    In these units squares neither vanish nor overflow in single precision, and nothing is rounded.
    """
    largest = np.abs(values).max(axis=1)
    return np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0)


def count_parts(levels: tuple[int, ...], divided: BoolArray, total: int) -> IntArray:
    """
    Return into how many parts the bins of each feature are cut, (n,): a power of two up to 8.

    All levels together are then at most a tenth of the draws: with more of them the stand-in errs
    by more than it finds.

    Parameters
    ----------
    levels
        Of each feature the number of its bins.
    divided : (n,)
        Whether draws tell the parts of its bins apart.
    total
        Number of draws.
    """
    cut = int(np.array(levels)[divided].sum())
    parts = 1
    while 2 * parts <= PARTS and 2 * parts * cut + sum(levels) - cut <= total * _LEVELS_A_DRAW:
        parts *= 2
    return np.where(divided, parts, 1)


def level_starts(levels: tuple[int, ...]) -> IntArray:
    """Return where the levels of each feature begin among those of all, (n + 1,)."""
    return np.concatenate([[0], np.cumsum(levels)]).astype(np.int64)


def level_sums(codes: Any, levels: tuple[int, ...], values: FloatArray) -> FloatArray:
    """
    Sum values (k, m) over the draws of each level, of codes (n, m).

    Returns
    -------
    (k, levels of all features)
    """
    starts = level_starts(levels)
    found = np.empty((len(values), int(starts[-1])))
    for j, count in enumerate(levels):
        own = codes[j].astype(np.int64)
        for i, row in enumerate(values):
            found[i, starts[j] : starts[j + 1]] = np.bincount(own, row, count)
    return found


@dataclass(frozen=True)
class _Folds:
    """
    Consecutive parts of the draws, for each of which a stand-in is fitted on the others.

    Attributes
    ----------
    edges : (f + 1,) int
        Where the parts begin and end.
    shares : (r, f)
        Of the draws of each repeat the share that lies in each part.
    """

    edges: IntArray
    shares: FloatArray

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.edges) - 1

    @property
    def slices(self) -> list[slice]:
        """The places of the draws of each part."""
        return [slice(a, b) for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)]


def _fold(total: int, repeats: int) -> _Folds:
    """Cut the draws into about eight parts; a part is some repeats, or lies within one."""
    size = total // repeats
    if repeats >= _FOLDS:
        edges = np.linspace(0, repeats, _FOLDS + 1).astype(np.int64) * size
    else:
        inside = np.linspace(0, size, min(-(-_FOLDS // repeats), size) + 1).astype(np.int64)
        begun = np.arange(repeats)[:, None] * size + inside[None, :-1]
        edges = np.append(begun.ravel(), total)
    starts = np.arange(repeats)[:, None] * size
    low, high = np.maximum(edges[:-1], starts), np.minimum(edges[1:], starts + size)
    return _Folds(edges, np.maximum(high - low, 0) / size)


def _spectrum(train: FloatArray, starts: IntArray, penalty: float) -> tuple[float, float]:
    """
    Return between which numbers the eigenvalues of the scaled normal equations lie.

    Features are drawn independently, so those of their correlations follow Marchenko and Pastur
    (1967, doi:10.1070/SM1967v001n04ABEH001994); a penalty draws them towards 1. Single ones beyond
    do no harm: up to the sum of both ends no error grows.
    """
    outside = max(float(train[:, : int(starts[1])].sum(axis=1).min()), 1.0)
    share = float(starts[-1] - (len(starts) - 1)) / outside
    shown = float(train.max())
    shown /= shown + penalty
    lowest, highest = max(0.0, 1 - math.sqrt(share)) ** 2, (1 + math.sqrt(share)) ** 2
    return 1 - shown * (1 - lowest), 1 + shown * (highest - 1)


def _solve(
    products: _Indicators, folds: _Folds, train: FloatArray, right: FloatArray, ends: Any
) -> FloatArray:
    """
    Solve the penalised normal equations of all folds and outputs by Chebyshev's iteration.

    Golub and Varga 1961, doi:10.1007/BF01386013; Saad 2003, algorithm 12.1. The draws of a product
    law make the equations nearly diagonal: half a dozen steps do. Unlike with conjugate gradients
    each step is linear in the right side.

    Parameters
    ----------
    train : (f, levels)
        Draws of each level outside each fold.
    right : (f, k, levels)
        Sums of centred values over these draws.
    ends
        The penalty, and between which numbers the eigenvalues lie.

    Returns
    -------
    (f, k, levels)
    """
    f, k, levels = right.shape
    penalty, low, high = ends
    outside = np.maximum(folds.edges[-1] - np.diff(folds.edges), 1)
    shares = np.repeat((train / outside[:, None]).astype(np.float32), k, axis=0).T
    diagonal = np.repeat(train + penalty, k, axis=0).T.astype(np.float32)
    kept = np.ones((int(folds.edges[-1]), f), dtype=np.float32)
    for i, part in enumerate(folds.slices):
        kept[part, i] = 0
    middle, half = (low + high) / 2, max((high - low) / 2, _LEAST_SPREAD)
    narrow = (math.sqrt(middle + half) - math.sqrt(middle - half)) ** 2 / (2 * half)
    steps = max(2, math.ceil(math.log(_TOLERANCE / 2) / math.log(narrow)))
    residual = right.reshape(f * k, levels).T.astype(np.float32)
    toward = residual / diagonal * np.float32(1 / middle)
    tables, before = toward.copy(), half / middle
    for _ in range(steps - 1):
        residual -= products.normal(toward, (shares * toward).sum(axis=0), kept)
        residual -= np.float32(penalty) * toward
        now = 1 / (2 * middle / half - before)
        toward *= np.float32(now * before)
        toward += residual / diagonal * np.float32(2 * now / half)
        tables += toward
        before = now
    return tables.T.reshape(f, k, levels).astype(np.float64)


def _look_up(codes: Any, starts: IntArray, tables: FloatArray) -> FloatArray:
    """Return the sums of tables (k, levels) over the features of draws (n, m): (k, m)."""
    total = np.zeros((len(tables), codes.shape[1]))
    for j, start in enumerate(starts[:-1]):
        total += tables[:, start + codes[j].astype(np.int64)]
    return total


def fit_additive(
    codes: Any, levels: tuple[int, ...], outputs: FloatArray, repeats: int
) -> Additive:
    """
    Fit the additive stand-ins of k outputs to the draws of all repeats.

    Parameters
    ----------
    codes : (n, r * m) int
        The level of each feature.
    levels
        Of each feature the number of levels.
    outputs : (r * m, k) float
        An output that is 0 everywhere has a stand-in of exactly 0.
    """
    codes, units = np.asarray(codes), units_of(outputs.T)
    values = np.ascontiguousarray(outputs.T / units[:, None])
    total, k = outputs.shape
    starts, folds = level_starts(levels), _fold(total, repeats)
    both = np.concatenate([np.ones((1, total)), values])
    found = np.stack([level_sums(codes[:, at], levels, both[:, at]) for at in folds.slices])
    counts, sums = found[:, 0], found[:, 1:]
    train, known = add_up(counts) - counts, add_up(sums) - sums
    own = np.stack([values[:, at].sum(axis=1) for at in folds.slices])
    means = (own.sum(axis=0) - own) / np.maximum(total - np.diff(folds.edges), 1)[:, None]
    tables = np.zeros((len(folds), k, int(starts[-1])))
    if len(folds) > 1:
        right = known - train[:, None, :] * means[:, :, None]
        penalty = float(len(levels))
        ends = (penalty, *_spectrum(train, starts, penalty))
        tables = _solve(_Indicators(codes, starts), folds, train, right, ends)
    shares = train / np.maximum(total - np.diff(folds.edges), 1)[:, None]
    constants = means - (tables * shares[:, None, :]).sum(axis=-1)
    residuals = values.copy()
    for i, at in enumerate(folds.slices):
        residuals[:, at] -= constants[i][:, None] + _look_up(codes[:, at], starts, tables[i])
    return Additive(
        np.tensordot(folds.shares, tables, 1) * units[:, None],
        folds.shares @ constants * units,
        residuals * units[:, None],
    )
