"""A control variate: a stand-in for the model whose surrogate is known without model inputs.

A control variate: g is fitted to the model's outputs on a row's masks, its own surrogate is taken
from many masks that the model is never asked on, and the surrogate of the model less g is added.
The expectation stays that of the model; the variance is that of what g misses. One fit serves all
repeats of a row, and the errors are widened by the numbers that it took.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray, add_up
from xplain_cli.methods.cache import Cache
from xplain_cli.methods.designs import Design, all_masks, enumerate_masks, sample_masks
from xplain_cli.methods.linear_codes import code_rows
from xplain_cli.methods.requests import MaskTask
from xplain_cli.methods.solvers import gram_on, solve
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


def _sums_of_subsets(values: FloatArray) -> FloatArray:
    """Return the sum of every subset of k values, by the number whose bits choose it: (2^k,)."""
    sums = np.zeros(1 << len(values))
    for j, value in enumerate(values.tolist()):
        np.add(sums[: 1 << j], value, out=sums[1 << j : 2 << j])
    return sums


@cache
def _bits(count: int) -> FloatArray:
    """Return the bits of the numbers below 2^count, (2^count, count)."""
    return np.ascontiguousarray(all_masks(count), dtype=np.float64)


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
        return np.concatenate([np.ones((1, len(masks))), masks.T - 0.5])

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
        r, m = self.design.weights.shape
        parts = [
            (self.columns[:, i * m : (i + 1) * m] * self.design.weights[i])
            @ self.columns[:, i * m : (i + 1) * m].T
            for i in range(r)
        ]
        del self.__dict__["columns"]  # the largest of all, and needed once
        return np.stack(parts)

    def index(self, direction: FloatArray) -> FloatArray:
        """Return (masks less 1/2) . direction, (r * m,)."""
        found = np.full(self.design.weights.size, -0.5 * direction.sum())
        for numbers, own in zip(self.numbers, self.groups, strict=True):
            found += _sums_of_subsets(direction[own]).take(numbers)
        return found

    def totals(self, weighted: FloatArray) -> FloatArray:
        """Return the sums of values (r * m,) where each feature stays, set by set: (r, n)."""
        r = len(self.design.weights)
        found = []
        for placed, own in zip(self.placed, self.groups, strict=True):
            bits = own.stop - own.start
            counted = np.bincount(placed, weighted, r << bits).reshape(r, 1 << bits)
            found.append(counted @ _bits(bits))
        return np.concatenate(found, axis=1)

    def surrogates(self, values: FloatArray, ridge: float) -> tuple[FloatArray, FloatArray]:
        """
        Fit values (t, r * m) in each set of masks.

        Returns
        -------
        beta : (r, t, n)
        intercept : (r, t)
        """
        r, n = len(self.design.weights), self.design.masks.shape[-1]
        t = len(values)
        weighted = values * self.design.weights.ravel()
        sums = np.zeros((r, 1 + n + t, 1 + n + t))
        sums[:, : 1 + n, : 1 + n] = self.own
        for at, own in enumerate(weighted, 1 + n):
            total = own.reshape(r, -1).sum(axis=1)
            sums[:, 0, at] = total
            sums[:, 1 : 1 + n, at] = self.totals(own) - 0.5 * total[:, None]
        beta, intercept = solve(sums, n, ridge)
        return beta, intercept - 0.5 * beta.sum(axis=-1)


@dataclass(frozen=True)
class _IndexModel:
    """
    g = low + (high - low) sigmoid(polynomial in the index s and in log(share)).

    With ``bounds`` None the link is the identity. ``direction`` (n,), ``terms`` (8,) on
    [1, s, s t, s t^2, t, t^2, s^2 / c, s^3 / c^2], c the sum of |direction|.
    """

    direction: FloatArray
    terms: FloatArray
    bounds: tuple[float, float] | None

    def answer(self, masks: _Masks) -> FloatArray:
        """Return g on masks, (r * m,)."""
        s, t, a = masks.index(self.direction), masks.shares, self.terms
        c = _size(self.direction)
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
        found *= high - low
        found += low
        return found


def _size(direction: FloatArray) -> float:
    return float(np.abs(direction).sum()) + 1e-12


def _sigmoid(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)), in one array: it is made for every mask of every row."""
    found: FloatArray = np.clip(x, -500, 500)
    np.negative(found, out=found)
    np.exp(found, out=found)
    found += 1
    np.divide(1, found, out=found)
    return found


def _weighted(columns: FloatArray, weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the coefficients of a weighted fit; a trace of ridge keeps idle columns at 0."""
    right = columns * weights
    matrix = right @ columns.T
    sizes = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    matrix /= sizes[:, None] * sizes
    matrix[np.diag_indices_from(matrix)] += 1e-11
    solved = np.linalg.solve(matrix, right @ values / sizes) / sizes
    return np.asarray(solved, dtype=np.float64)


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
) -> _IndexModel | None:
    """
    Fit g to the explained numbers (r * m,) on masks; None where a line misses nothing.

    The link of the values is regressed on the features, then on the eight terms; with a sigmoid
    one step of the logistic fit follows. More steps gained nothing measurable.
    """
    weights = masks.design.weights.ravel()
    target, own, share = values, weights, values
    if bounds is not None:
        low, high = bounds
        share = (values - low) / (high - low)
        clipped = np.clip(share, _CLIP, 1 - _CLIP)
        target = np.log(clipped) - np.log1p(-clipped)
        own = weights * (np.clip(share * (1 - share), 0, None) + _LEAST_SPREAD)
    coefficients = _weighted(masks.columns, own, target)
    if bounds is None:
        missed = own @ (target - coefficients @ masks.columns) ** 2
        if missed <= _NOTHING * (own @ (target - own @ target / own.sum()) ** 2):
            return None
    direction = coefficients[1:]
    columns = _columns(masks.index(direction), masks.logs, _size(direction))
    terms = _weighted(columns, own, target)
    if bounds is not None:
        answered = _sigmoid(terms @ columns)
        spread = np.maximum(answered * (1 - answered), 1e-6)
        terms = terms + _weighted(columns, weights * spread, (share - answered) / spread)
    return _IndexModel(direction, terms, bounds)


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
                own[i, target] = fitted.answer(masks)
                far[target] = fitted.answer(free)
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
