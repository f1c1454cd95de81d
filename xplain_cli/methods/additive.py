"""The additive stand-in of a model: least squares of its outputs on the bins of all features.

It is fitted once, to the draws that all rows share, and serves as a control variate: what LIME
says of a sum over features is known in closed form, so that only what the stand-in misses has to
be sampled. Each part of the draws has a stand-in fitted on the other parts (cross-fitting), so
whatever it is, no estimate is biased by it and no error understated.

Where there are many times more draws than bins, it cuts bins into parts: inside a bin a number is
drawn from a known law, so the mean over its parts is known too.

It is shrunk by a ridge penalty of n, for n features, against counts of draws: as if the bins of
all features together explained half of the variance. So with more bins than draws it does next to
no harm, where bins explain nothing; and as the penalty depends on no output, what is linear in the
outputs stays so: weights of A against B are those of A less those of B.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray, add_up

PARTS = 8
"""Equally likely parts of a bin that draws tell apart."""
_FOLDS = 8
_STEPS = 50
_TOLERANCE = 1e-5  # of the first residual; above, weights of A against B are not A less B
_BLOCK_LEVELS = 256
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
    The columns "feature j has level l" of all draws, in blocks of features, a byte a number.

    Parameters
    ----------
    codes : (n, N) int
        The level of each feature.
    starts : (n + 1,) int
        Where the levels of each feature begin among those of all.
    """

    def __init__(self, codes: Any, starts: IntArray) -> None:
        n, self._draws = codes.shape
        self._blocks: list[tuple[slice, Any]] = []
        first = 0
        for last in range(1, n + 1):
            if starts[last] - starts[first] >= _BLOCK_LEVELS or last == n:
                at = slice(int(starts[first]), int(starts[last]))
                feature = np.repeat(np.arange(first, last), np.diff(starts[first : last + 1]))
                level = np.arange(at.start, at.stop) - starts[feature]
                found = np.equal(codes[feature], level.astype(codes.dtype)[:, None])
                self._blocks.append((at, found.view(np.uint8)))
                first = last

    def by_draw(self, tables: Any) -> Any:
        """Return the sums of tables (levels, c) over the features of each draw, (N, c)."""
        total = np.zeros((self._draws, tables.shape[1]), dtype=tables.dtype)
        for place, block in self._blocks:
            total += block.astype(tables.dtype).T @ tables[place]
        return total

    def by_level(self, values: Any) -> Any:
        """Return the sums of values (N, c) over the draws of each level, (levels, c)."""
        return np.concatenate([block.astype(values.dtype) @ values for _, block in self._blocks])


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


def _conjugate(
    products: _Indicators, folds: _Folds, train: FloatArray, right: FloatArray, penalty: float
) -> FloatArray:
    """
    Solve the penalised normal equations of all folds and outputs by conjugate gradients.

    The draws of a product law make the equations nearly diagonal: a dozen steps do.

    Parameters
    ----------
    train : (f, levels)
        Draws of each level outside each fold.
    right : (f, k, levels)
        Sums of centred values over these draws.

    Returns
    -------
    (f, k, levels)
    """
    f, k, levels = right.shape
    outside = folds.edges[-1] - np.diff(folds.edges)
    shares = np.repeat((train / outside[:, None]).astype(np.float32), k, axis=0).T
    diagonal = np.repeat(train + penalty, k, axis=0).T.astype(np.float32)

    def applied(tables: Any) -> Any:
        fitted = products.by_draw(tables)
        fitted -= (shares * tables).sum(axis=0)
        for i, part in enumerate(folds.slices):
            fitted[part, i * k : (i + 1) * k] = 0
        return products.by_level(fitted) + np.float32(penalty) * tables

    residual = right.reshape(f * k, levels).T.astype(np.float32)
    toward = residual / diagonal
    tables = np.zeros_like(residual)
    length = (residual * toward).sum(axis=0)
    wanted = _TOLERANCE**2 * length
    for _ in range(_STEPS):
        active = length > wanted  # a column is done by itself, whatever the others need
        if not active.any():
            break
        image = applied(toward)
        step = np.where(active, _ratio(length, (toward * image).sum(axis=0)), 0)
        tables += step * toward
        residual -= step * image
        scaled = residual / diagonal
        before, length = length, (residual * scaled).sum(axis=0)
        toward = scaled + _ratio(length, before) * toward
    return tables.T.reshape(f, k, levels).astype(np.float64)


def _ratio(above: Any, below: Any) -> Any:
    """Return above / below, 0 where below is 0."""
    return np.where(below > 0, above / np.where(below > 0, below, 1), 0).astype(np.float32)


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
        columns = _Indicators(codes, starts)
        tables = _conjugate(columns, folds, train, right, float(len(levels)))
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
