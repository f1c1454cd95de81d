"""A control variate: a stand-in for the model whose surrogate is known without model inputs.

A control variate: g is fitted to the model's outputs on a row's masks, its own surrogate is taken
from many masks that the model is never asked on, and the surrogate of the model less g is added.
The expectation stays that of the model; the variance is that of what g misses. One fit serves all
repeats of a row, and the errors are widened by the numbers that it took.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray, add_up
from xplain_cli.methods.cache import Cache
from xplain_cli.methods.designs import Design, all_masks, enumerate_masks, sample_masks
from xplain_cli.methods.linear_codes import code_rows
from xplain_cli.methods.requests import MaskTask
from xplain_cli.methods.solvers import centre, gram_on, penalised
from xplain_cli.methods.surrogate import Control, Sums
from xplain_cli.samples import enough_samples
from xplain_cli.seeds import FREE_MASKS

_FREE_MASKS = 1 << 14
_ENUMERATED = 14
_LEAST_SPREAD = 1e-3  # of a probability's own variance, p (1 - p)
_CLIP = 1e-4
_COLUMNS = 8
_BITS = 11  # a table of 2^11 numbers stays near the processor
_NOTHING = 1e-15
_COARSE = 1e-6  # keeps idle columns at 0, well above rounding in single precision
_BLOCK = 1024


@cache
def _bits(count: int) -> FloatArray:
    """Return the bits of the numbers below 2^count, (2^count, count)."""
    return np.ascontiguousarray(all_masks(count), dtype=np.float64)


def _sums_of_subsets(values: FloatArray) -> FloatArray:
    """Return the sum of every subset of k values, by the number whose bits choose it: (2^k,)."""
    low = len(values) // 2
    high = _bits(len(values) - low) @ values[low:]
    return np.asarray(np.add.outer(high, _bits(low) @ values[:low]).ravel(), dtype=np.float64)


def _sums_by_bit(counted: FloatArray, bits: int) -> FloatArray:
    """Return the sums of numbers (r, 2^bits) over the places that have each bit: (r, bits)."""
    low = bits // 2
    parts = counted.reshape(len(counted), -1, 1 << low)
    halves = parts.sum(axis=1) @ _bits(low), parts.sum(axis=2) @ _bits(bits - low)
    return np.concatenate(halves, axis=1)


@dataclass(frozen=True)
class _Masks:
    """
    Masks as an index model sees them: centred, with the logarithm of the share that stays.

    Every 11 features of a mask are one number, so that sums over features are looked up, and sums
    over masks are counted by it: a product with the masks would read them all, as numbers.
    """

    design: Design

    @property
    def bytes(self) -> int:
        """About how many bytes it will take: masks as bits and as numbers."""
        return 9 * self.design.masks.size

    @property
    def groups(self) -> list[slice]:
        """The features of each number."""
        n = self.design.masks.shape[-1]
        return [slice(at, min(at + _BITS, n)) for at in range(0, n, _BITS)]

    @cached_property
    def numbers(self) -> list[IntArray]:
        """Each group of features of each mask as a number, (r * m,)."""
        masks = self.design.masks.reshape(-1, self.design.masks.shape[-1])
        packed = [np.packbits(masks[:, own], axis=1, bitorder="little") for own in self.groups]
        worth = np.array([1, 256])
        return [found @ worth[: found.shape[1]] for found in packed]

    @cached_property
    def placed(self) -> list[IntArray]:
        """The same, those of each set of masks behind those of the ones before it."""
        r, m = self.design.weights.shape
        behind = np.repeat(np.arange(r), m)
        return [
            found + (behind << (own.stop - own.start))
            for found, own in zip(self.numbers, self.groups, strict=True)
        ]

    @cached_property
    def columns(self) -> FloatArray:
        """[1, masks less 1/2], (1 + n, r * m), in double precision."""
        masks = self.design.masks.reshape(-1, self.design.masks.shape[-1])
        return _centred(masks, np.float64)

    @cached_property
    def coarse(self) -> Any:
        """The same in single precision."""
        masks = self.design.masks.reshape(-1, self.design.masks.shape[-1])
        return _centred(masks, np.float32)

    @cached_property
    def counts(self) -> IntArray:
        """How many features stay, (r * m,)."""
        return np.asarray(self.design.masks.sum(axis=-1).ravel(), dtype=np.int64)

    @cached_property
    def shares(self) -> FloatArray:
        """log((k + 1/2) / (n + 1/2)) for k = 0..n features that stay, (n + 1,)."""
        n = self.design.masks.shape[-1]
        return np.asarray(np.log((np.arange(n + 1) + 0.5) / (n + 0.5)), dtype=np.float64)

    @cached_property
    def logs(self) -> FloatArray:
        """The same of each mask, (r * m,)."""
        return self.shares[self.counts]

    @cached_property
    def own(self) -> FloatArray:
        """Weighted Gram matrix of [1, masks less 1/2] in each set, (r, 1 + n, 1 + n)."""
        n = self.design.masks.shape[-1]
        found = np.zeros((len(self.design.weights), 1 + n, 1 + n))
        roots = np.sqrt(self.design.weights)
        for i, masks in enumerate(self.design.masks):
            for start in range(0, len(masks), _BLOCK):  # a block stays near the processor
                block = _centred(masks[start : start + _BLOCK], np.float64)
                block *= roots[i, start : start + _BLOCK]
                found[i] += block @ block.T
        return found

    @cached_property
    def inverses(self) -> dict[float, FloatArray]:
        """Inverse normal matrices (r, n, n) by penalty: one for all rows."""
        return {}

    def index(self, tables: Sequence[FloatArray]) -> FloatArray:
        """Return (masks less 1/2) . direction, (r * m,), of a direction's ``_tables``."""
        found: FloatArray | None = None
        for numbers, table in zip(self.numbers, tables, strict=True):
            part = table.take(numbers)
            found = part if found is None else np.add(found, part, out=found)
        if found is None:
            raise ValueError("masks without a feature")
        return found

    def totals(self, weighted: FloatArray) -> FloatArray:
        """Return the sums of values (r * m,) where each feature stays, set by set: (r, n)."""
        r = len(self.design.weights)
        found = []
        for placed, own in zip(self.placed, self.groups, strict=True):
            bits = own.stop - own.start
            counted = np.bincount(placed, weighted, r << bits).reshape(r, 1 << bits)
            found.append(_sums_by_bit(counted, bits))
        return np.concatenate(found, axis=1)

    def _inverse(self, ridge: float) -> FloatArray:
        """Return the inverse of the centred normal matrix of each set, (r, n, n)."""
        if ridge not in self.inverses:
            n = self.design.masks.shape[-1]
            self.inverses[ridge] = np.linalg.inv(penalised(centre(self.own, n)[0], ridge))
        return self.inverses[ridge]

    def surrogates(self, values: FloatArray, ridge: float) -> tuple[FloatArray, FloatArray]:
        """
        Fit values (t, r * m) in each set of masks.

        Returns
        -------
        beta : (r, t, n)
        intercept : (r, t)
        """
        r, t = len(self.design.weights), len(values)
        means = self.own[:, 0, 1:] / self.own[:, 0, :1]
        beta, intercept = np.empty((r, t, means.shape[1])), np.empty((r, t))
        for at, own in enumerate(values * self.design.weights.ravel()):
            total = own.reshape(r, -1).sum(axis=1)
            right = self.totals(own) - 0.5 * total[:, None] - total[:, None] * means
            beta[:, at] = (self._inverse(ridge) @ right[:, :, None])[:, :, 0]
            level = total / self.own[:, 0, 0]
            intercept[:, at] = level - (beta[:, at] * (means + 0.5)).sum(axis=-1)
        return beta, intercept


def _centred(masks: BoolArray, kind: Any) -> Any:
    """Return [1, masks less 1/2], (1 + n, m)."""
    found = np.empty((1 + masks.shape[1], len(masks)), dtype=kind)
    found[0] = 1
    np.subtract(masks.T, kind(0.5), out=found[1:])
    return found


def _tables(direction: FloatArray) -> list[FloatArray]:
    """Return the sums of a direction over every choice of each group of features, centred."""
    groups = [direction[at : at + _BITS] for at in range(0, len(direction), _BITS)]
    tables = [_sums_of_subsets(own) for own in groups]
    tables[0] -= 0.5 * direction.sum()
    return tables


@dataclass(frozen=True)
class _IndexModel:
    """
    g = low + (high - low) sigmoid(polynomial in the index s and in log(share)).

    With ``bounds`` None the link is the identity. ``size`` c is the sum of |direction|, ``tables``
    are those of the direction, ``terms`` (8,) on [1, s, s t, s t^2, t, t^2, s^2 / c, s^3 / c^2].
    """

    tables: Sequence[FloatArray]
    size: float
    terms: FloatArray
    bounds: tuple[float, float] | None

    def answer(self, masks: _Masks, index: FloatArray | None = None) -> FloatArray:
        """Return g on masks, (r * m,); *index* is s there, where it is known."""
        s = masks.index(self.tables) if index is None else index
        t, a, c = masks.shares, self.terms, self.size
        value: FloatArray = s * (a[7] / c**2)
        value += a[6] / c
        value *= s
        value += (a[1] + t * (a[2] + t * a[3])).take(masks.counts)
        value *= s
        value += (a[0] + t * (a[4] + t * a[5])).take(masks.counts)
        if self.bounds is None:
            return value
        low, high = self.bounds
        found = _sigmoid(value)
        if (low, high) != (0.0, 1.0):
            found *= high - low
            found += low
        return found


def _size(direction: FloatArray) -> float:
    return float(np.abs(direction).sum()) + 1e-12


def _sigmoid(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)) in the place of x: it is made for every mask of every row."""
    found: FloatArray = np.minimum(np.negative(x, out=x), 500, out=x)
    np.exp(found, out=found)
    found += 1
    return np.divide(1, found, out=found)


def _weighted(columns: FloatArray, weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the coefficients of a weighted fit; a trace of ridge keeps idle columns at 0."""
    right = columns * weights
    matrix = right @ columns.T
    sizes = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    matrix /= sizes[:, None] * sizes
    matrix[np.diag_indices_from(matrix)] += 1e-11
    solved = np.linalg.solve(matrix, right @ values / sizes) / sizes
    return np.asarray(solved, dtype=np.float64)


def _direction(masks: _Masks, weights: FloatArray, values: FloatArray) -> FloatArray:
    """
    Return the slopes (n,) of a weighted fit on the features, in single precision.

    They choose the stand-in and nothing else: whatever they are, its surrogate is that of its own
    answers, and what it misses is fitted as well.
    """
    roots = np.sqrt(weights)
    rows = masks.coarse * roots.astype(np.float32)
    matrix = (rows @ rows.T).astype(np.float64)  # computed as half a product (BLAS syrk)
    right = (rows @ (roots * values).astype(np.float32)).astype(np.float64)
    sizes = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    matrix /= sizes[:, None] * sizes
    matrix[np.diag_indices_from(matrix)] += _COARSE
    return np.asarray((np.linalg.solve(matrix, right / sizes) / sizes)[1:], dtype=np.float64)


def _columns(s: FloatArray, t: FloatArray, c: float) -> FloatArray:
    columns = np.empty((_COLUMNS, len(s)))
    columns[0], columns[1], columns[4] = 1.0, s, t
    np.multiply(s, t, out=columns[2])
    np.multiply(columns[2], t, out=columns[3])
    np.multiply(t, t, out=columns[5])
    np.multiply(s, s / c, out=columns[6])
    np.multiply(columns[6], s / c, out=columns[7])
    return columns


def _fit(
    masks: _Masks, values: FloatArray, bounds: tuple[float, float] | None
) -> tuple[_IndexModel, FloatArray] | None:
    """
    Fit g to the explained numbers (r * m,) on masks; None where a line misses nothing.

    The link of the values is regressed on the features, then on the eight terms; with a sigmoid
    one step of the logistic fit follows. More steps gained nothing measurable. Also returns the
    index of g on the masks.
    """
    weights = masks.design.weights.ravel()
    if bounds is None:
        target = values
        coefficients = _weighted(masks.columns, weights, values)
        missed = weights @ (values - coefficients @ masks.columns) ** 2
        if missed <= _NOTHING * (weights @ (values - weights @ values / weights.sum()) ** 2):
            return None
        share, own, direction = values, weights, coefficients[1:]
    else:
        low, high = bounds
        share = (values - low) / (high - low)
        clipped = np.clip(share, _CLIP, 1 - _CLIP)
        target = np.log(clipped) - np.log1p(-clipped)
        own = weights * (np.maximum(share * (1 - share), 0) + _LEAST_SPREAD)
        direction = _direction(masks, own, target)
    tables, size = _tables(direction), _size(direction)
    index = masks.index(tables)
    columns = _columns(index, masks.logs, size)
    terms = _weighted(columns, own, target)
    if bounds is not None:
        answered = _sigmoid(terms @ columns)
        spread = np.maximum(answered * (1 - answered), 1e-6)
        terms = terms + _weighted(columns, weights * spread, (share - answered) / spread)
    return _IndexModel(tables, size, terms, bounds), index


_SEEN: Cache[_Masks] = Cache(lambda masks: masks.bytes, 1 << 28)


def _masks_of(design: Design) -> _Masks:
    return _SEEN.get(design, lambda: _Masks(design))


def _free_masks(inclusion: str, kernel: tuple[float, ...], repeats: int, seed: int) -> _Masks:
    """Return masks for the stand-in alone: all of them, or as many sets as there are repeats."""
    n = len(kernel) - 1

    def make() -> _Masks:
        weights = np.array(kernel)
        if n <= _ENUMERATED:
            return _Masks(enumerate_masks(inclusion, weights))
        count = enough_samples(n, _FREE_MASKS // repeats)
        coded = code_rows(n, count) if inclusion == "bernoulli" else 0
        name, budget = "codes" if coded else "sobol", (coded or count, repeats)
        return _Masks(sample_masks(name, inclusion, weights, budget, (seed,), FREE_MASKS))

    return _SEEN.get((inclusion, kernel, repeats, seed), make)


def controlled_by_logit(
    seen: Sums,
    task: MaskTask,
    rows: Sequence[int],
    design: Design,
    values: FloatArray,
    ridge: float,
) -> Sums:
    """
    Return what rows see of their masks once a stand-in explains most of it.

    Parameters
    ----------
    seen
        The same without a stand-in.
    task, rows, design
        The rows and their masks.
    values : (b, t, r * m)
        The explained numbers.
    ridge
        The penalty of the surrogate.
    """
    repeats, n = seen.repeats, seen.n
    masks = _masks_of(design)
    free = _free_masks(task.perturbation.inclusion, design.kernel, repeats, task.seed)
    own = np.zeros(values.shape)
    sets = len(free.design.masks)
    beta, intercept = np.zeros((sets, *values.shape[:2], n)), np.zeros((sets, *values.shape[:2]))
    # the penalty stands against the total weight of the masks that the model is asked on
    penalty = ridge / sets * free.design.weights.sum() / design.weights.sum()
    level = values - seen.offsets[:, :, None]
    for i, row in enumerate(rows):
        far = np.zeros((values.shape[1], free.design.weights.size))
        for target in range(values.shape[1]):
            if not level[i, target, design.places].any():
                continue  # a constant model has weights of exactly 0
            fitted = _fit(masks, values[i, target], task.bounds(row, target))
            if fitted is not None:
                model, index = fitted
                own[i, target] = model.answer(masks, index)
                far[target] = model.answer(free)
        beta[:, i], intercept[:, i] = free.surrogates(far, penalty)
    return replace(
        seen,
        sums=gram_on(design.basis, level - own),
        points=np.zeros(seen.points.shape),
        rows=[(a, part, w) for (a, _, w), part in zip(seen.rows, level - own, strict=False)],
        control=Control(
            beta=add_up(beta) / sets,
            intercept=add_up(intercept) / sets,
            repeats=np.broadcast_to(beta, (repeats, *beta.shape[1:])) if sets == 1 else beta,
            sums=seen.sums,
            used=n + 1 + _COLUMNS,
        ),
    )
