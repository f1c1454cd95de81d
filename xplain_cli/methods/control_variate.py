"""A control variate: a stand-in for the model whose surrogate is known without model inputs.

A control variate: g is fitted to the model's outputs on a row's masks, its own surrogate is taken
in closed form and from masks that the model is never asked on, and the surrogate of the model less
g is added. The expectation stays that of the model; the variance is that of what g misses. One fit
serves all repeats of a row, and the errors are widened by the numbers that it took. Where single
draws pull g far towards themselves, which that allows for no more, g is cross-fitted: each part of
the draws meets a stand-in that never saw it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray, add_up
from xplain_cli.methods.cache import Cache
from xplain_cli.methods.cross_fit import judge, parts_of
from xplain_cli.methods.designs import (
    Design,
    enumerate_masks,
    sample_masks,
    size_law,
)
from xplain_cli.methods.linear_codes import code_rows
from xplain_cli.methods.mask_tables import TabledMasks, tables_of
from xplain_cli.methods.requests import MaskTask
from xplain_cli.methods.size_moments import SizeMoments, project
from xplain_cli.methods.solvers import SPACE, gram_on
from xplain_cli.methods.surrogate import Control, Sums
from xplain_cli.samples import enough_samples
from xplain_cli.seeds import FREE_MASKS

_FREE_MASKS = 1 << 12
_SETS = 8  # of these masks where a row has a single repeat: their spread is an error as well
_ENUMERATED = 14
_LEAST_SPREAD = 1e-3  # of a probability's own variance, p (1 - p)
_CLIP = 1e-4
_COLUMNS = 8
_NOTHING = 1e-15
_COARSE = 1e-6  # keeps idle columns at 0, well above rounding in single precision
# stated errors of answers such as "one of six words is there" were .9 of the true ones at this
# pull, .8 at .3, .6 at 1; nine of ten messages under TF-IDF or a forest stay below it
_MOST_PULL = 0.2


@dataclass(frozen=True)
class _IndexModel:
    """
    g = low + (high - low) sigmoid(polynomial in the index s and in log(share)).

    With ``bounds`` None the link is the identity. ``direction`` (n,), ``size`` c the sum of
    |direction|, ``tables`` of its sums, ``terms`` (8,) on [1, s, s t, s t^2, t, t^2, s^2 / c,
    s^3 / c^2], t = log(share).
    """

    direction: FloatArray
    tables: Sequence[FloatArray]
    size: float
    terms: FloatArray
    bounds: tuple[float, float] | None

    def slopes(self, s: FloatArray, counts: IntArray, shares: FloatArray) -> FloatArray:
        """Return the derivative of the polynomial (before the link) by the index s (m,)."""
        t, a, c = shares, self.terms, self.size
        value: FloatArray = s * (3 * a[7] / c**2)
        value += 2 * a[6] / c
        value *= s
        value += (a[1] + t * (a[2] + t * a[3])).take(counts)
        return value

    def at(self, s: FloatArray, counts: IntArray, shares: FloatArray) -> FloatArray:
        """Return g where the index is s (m,) and so many of n features stay."""
        t, a, c = shares, self.terms, self.size
        value: FloatArray = s * (a[7] / c**2)
        value += a[6] / c
        value *= s
        value += (a[1] + t * (a[2] + t * a[3])).take(counts)
        value *= s
        value += (a[0] + t * (a[4] + t * a[5])).take(counts)
        if self.bounds is None:
            return value
        low, high = self.bounds
        found = _sigmoid(value)
        if (low, high) != (0.0, 1.0):
            found *= high - low
            found += low
        return found


@dataclass(frozen=True)
class _Fit:
    """
    A stand-in fitted to draws.

    ``index`` of its sums (r * m,), ``share`` of the bounds that was explained, ``target`` (r * m,)
    to which its direction was fitted, with the weights ``own`` (r * m,).
    """

    model: _IndexModel
    index: FloatArray
    target: FloatArray
    own: FloatArray


@dataclass(frozen=True)
class _Free:
    """
    Masks for the stand-in alone.

    Of all masks its surrogate is exact. Of a sample it is that of what a polynomial in its index
    misses, for each number of features its own, and the polynomial's in closed form: of a smooth
    function of a sum of many features that leaves little to sample.
    """

    masks: TabledMasks
    moments: SizeMoments | None

    def surrogate(
        self, models: Sequence[_IndexModel | None], ridge: float
    ) -> tuple[FloatArray, FloatArray]:
        """
        Return weights (r, t, n) and intercepts (r, t) of stand-ins, on each set of masks.

        *ridge* is the penalty against a total weight of 1.
        """
        masks, (r, n) = self.masks, (len(self.masks.design.masks), self.masks.design.masks.shape[2])
        beta, intercept = np.zeros((r, len(models), n)), np.zeros((r, len(models)))
        values = np.zeros((len(models), masks.design.weights.size))
        for at, model in enumerate(models):
            if model is None:
                continue
            index = masks.index(model.tables)
            values[at] = model.at(index, masks.counts, masks.shares)
            if self.moments is not None:
                known, terms, means = _closed(model, self.moments, masks.shares, ridge)
                beta[:, at], intercept[:, at] = known
                values[at] -= _polynomial_at(terms, means, index, masks.counts)
        sampled, levels = masks.surrogates(values, ridge * masks.design.weights.sum() / r)
        return beta + sampled, intercept + levels


def _closed(
    model: _IndexModel, moments: SizeMoments, shares: FloatArray, ridge: float
) -> tuple[tuple[FloatArray, float], FloatArray, FloatArray]:
    """Return the surrogate of a polynomial like g, its coefficients, and the mean index by size."""
    sizes, mean = np.arange(moments.n + 1), float(model.direction.mean())
    numbers = model.direction - mean
    means = np.asarray((sizes - 0.5 * moments.n) * mean, dtype=np.float64)

    def value(v: FloatArray) -> FloatArray:
        counts = np.broadcast_to(sizes, v.shape)
        return model.at((v + means).ravel(), counts.ravel(), shares).reshape(v.shape)

    terms = project(value, moments.spread(numbers))
    return moments.fit(numbers, terms, ridge), terms, means


def _polynomial_at(
    terms: FloatArray, means: FloatArray, s: FloatArray, counts: IntArray
) -> FloatArray:
    """Return a polynomial at the index s (m,), with the coefficients of so many features."""
    v = s - means.take(counts)
    found: FloatArray = terms[-1].take(counts)
    for term in terms[-2::-1]:
        found *= v
        found += term.take(counts)
    return found


def _size(direction: FloatArray) -> float:
    return float(np.abs(direction).sum()) + 1e-12


def _sigmoid(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)) in the place of x: it is made for every mask of every row."""
    with np.errstate(over="ignore"):  # 1 / infinity is the 0 that is meant
        found: FloatArray = np.exp(np.negative(x, out=x), out=x)
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


def _direction(masks: TabledMasks, weights: FloatArray, values: FloatArray) -> FloatArray:
    """
    Return the slopes (n,) of a weighted fit on the features, in single precision.

    They choose the stand-in and nothing else: whatever they are, its surrogate is that of its own
    answers, and what it misses is fitted as well.
    """
    roots = np.sqrt(weights)
    rows = SPACE.array(len(masks.coarse), len(weights), np.float32)
    np.multiply(masks.coarse, roots.astype(np.float32), out=rows)
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
    masks: TabledMasks,
    weights: FloatArray,
    values: FloatArray,
    bounds: tuple[float, float] | None,
) -> _Fit | None:
    """
    Fit g to the explained numbers (r * m,) on masks; None where a line misses nothing.

    The link of the values is regressed on the features, then on the eight terms; with a sigmoid
    one step of the logistic fit follows. More steps gained nothing measurable. Draws with a weight
    (r * m,) of 0 have no say.
    """
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
    tables, size = tables_of(direction), _size(direction)
    index = masks.index(tables)
    columns = _columns(index, masks.logs, size)
    terms = _weighted(columns, own, target)
    if bounds is not None:
        answered = _sigmoid(terms @ columns)
        spread = np.maximum(answered * (1 - answered), 1e-6)
        terms = terms + _weighted(columns, weights * spread, (share - answered) / spread)
    return _Fit(_IndexModel(direction, tables, size, terms, bounds), index, target, own)


def _pull(masks: TabledMasks, fit: _Fit, answers: FloatArray, missed: float) -> float:
    """
    Return how far draws pull g's own answers there towards themselves, over what g misses.

    Without a draw the direction changes by its leverage times its residual, and g at this draw by
    as much times the slope of g. The leverage is taken as that of the average mask: (n + 1) w over
    the sum of w. Both are root mean squares over the draws.
    """
    weights, model = masks.design.weights.ravel(), fit.model
    if not missed > 0:
        return 0.0
    total, n = fit.own.sum(), len(model.direction)
    residual = fit.target - fit.index
    residual -= fit.own @ residual / total
    residual *= fit.own * ((n + 1) / total)
    residual *= model.slopes(fit.index, masks.counts, masks.shares)
    if model.bounds is not None:
        low, high = model.bounds
        residual *= (answers - low) * (high - answers) / (high - low)
    return float(np.sqrt(weights @ residual**2 / missed))


_SEEN: Cache[TabledMasks] = Cache(lambda masks: masks.bytes, 1 << 28)
_FREE: Cache[_Free] = Cache(lambda free: free.masks.bytes, 1 << 28)


def _masks_of(design: Design) -> TabledMasks:
    return _SEEN.get(design, lambda: TabledMasks(design))


def _free_masks(inclusion: str, kernel: tuple[float, ...], repeats: int, seed: int) -> _Free:
    """Return masks for the stand-in alone: all of them, or a set for each of some repeats."""
    n, sets = len(kernel) - 1, repeats if repeats > 1 else _SETS

    def make() -> _Free:
        weights = np.array(kernel)
        if n <= _ENUMERATED:
            return _Free(TabledMasks(enumerate_masks(inclusion, weights)), None)
        count = enough_samples(n, _FREE_MASKS // sets)
        coded = code_rows(n, count) if inclusion == "bernoulli" else 0
        name, budget = "codes" if coded else "sobol", (coded or count, sets)
        masks = sample_masks(name, inclusion, weights, budget, (seed,), FREE_MASKS)
        law = size_law(inclusion, n) * weights
        return _Free(TabledMasks(masks), SizeMoments(law / law.sum()))

    return _FREE.get((inclusion, kernel, repeats, seed), make)


@dataclass(frozen=True)
class _StandIn:
    """
    A stand-in of one row and target.

    Its answers (r * m,) on the masks, the surrogate of each set of free masks, (r, n) and (r,), how
    many numbers it took of the draws that it answers, and ``Control.shared``.
    """

    answers: FloatArray
    beta: FloatArray
    intercept: FloatArray
    used: int = 0
    shared: float = 0.0


def _cross_fitted(
    masks: TabledMasks,
    free: _Free,
    values: FloatArray,
    bounds: tuple[float, float] | None,
    penalty: float,
) -> _StandIn:
    """Return a stand-in that answers each part of the draws as fitted to all other parts."""
    weights, (r, m) = masks.design.weights.ravel(), masks.design.weights.shape
    parts = parts_of(r, m)
    part, count = parts.ravel(), int(parts.max()) + 1
    answers = np.zeros((count, r * m))
    models: list[_IndexModel | None] = [None] * count
    for at in range(count):
        fit = _fit(masks, np.where(part == at, 0.0, weights), values, bounds)
        if fit is not None:
            models[at] = fit.model
            answers[at] = fit.model.at(fit.index, masks.counts, masks.shares)
    gram = masks.own.sum(axis=0)
    share, shared = judge(masks.columns, weights, gram, part, values, answers)
    beta, intercept = free.surrogate(models, penalty)
    # a repeat has the stand-ins of its parts on its own masks; all sets are a single repeat's
    found = [(i, np.unique(parts[min(i, r - 1)])) for i in range(max(r, len(beta)))]
    sets = [(min(i, len(beta) - 1), own) for i, own in found]
    return _StandIn(
        share * answers[part, np.arange(r * m)],
        share * np.stack([add_up(beta[i, own]) / len(own) for i, own in sets]),
        share * np.stack([add_up(intercept[i, own]) / len(own) for i, own in sets]),
        # a single repeat's errors take draws as independent, which overstates them by more
        shared=shared if r > 1 else 0.0,
    )


def _stand_in(
    masks: TabledMasks,
    free: _Free,
    values: FloatArray,
    bounds: tuple[float, float] | None,
    penalty: float,
) -> _StandIn | None:
    """Return a stand-in for the explained numbers (r * m,), None where it would be of no use."""
    weights = masks.design.weights.ravel()
    fit = _fit(masks, weights, values, bounds)
    if fit is None:
        return None
    answers = fit.model.at(fit.index, masks.counts, masks.shares)
    missed = float(weights @ (values - answers) ** 2)
    if missed >= weights @ (values - weights @ values / weights.sum()) ** 2:
        return None  # the logistic step went astray: it would add variance
    if _pull(masks, fit, answers, missed) > _MOST_PULL:
        return _cross_fitted(masks, free, values, bounds, penalty)
    beta, intercept = free.surrogate([fit.model], penalty)
    n = len(fit.model.direction)
    return _StandIn(answers, beta[:, 0], intercept[:, 0], n + 1 + _COLUMNS)


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
    own, used = np.zeros(values.shape), np.zeros(values.shape[:2], dtype=np.int64)
    shared = np.zeros(values.shape[:2])
    sets = max(len(free.masks.design.masks), repeats)
    beta, intercept = np.zeros((sets, *values.shape[:2], n)), np.zeros((sets, *values.shape[:2]))
    # the penalty stands against the total weight of the masks that the model is asked on
    penalty = ridge / design.weights.sum()
    level = values - seen.offsets[:, :, None]
    for i, row in enumerate(rows):
        for target in range(values.shape[1]):
            if not level[i, target, design.places].any():
                continue  # a constant model has weights of exactly 0
            found = _stand_in(masks, free, values[i, target], task.bounds(row, target), penalty)
            if found is not None:
                own[i, target], used[i, target] = found.answers, found.used
                shared[i, target] = found.shared
                beta[:, i, target], intercept[:, i, target] = found.beta, found.intercept
    return replace(
        seen,
        sums=gram_on(design.basis, level - own),
        points=np.zeros(seen.points.shape),
        rows=[(a, part, w) for (a, _, w), part in zip(seen.rows, level - own, strict=False)],
        control=Control(
            beta=add_up(beta) / sets,
            intercept=add_up(intercept) / sets,
            repeats=beta,
            sums=seen.sums,
            used=used,
            shared=shared,
        ),
    )
