"""The surrogates of rows of binned tables: one pass over the draws, no Gram matrix, no solving.

With v_j = p'_j (1 - p'_j) and everything under the weighted law Q (``product_law``),

    beta_j = Cov(z_j, f) / v_j = E[f | z_j = 1] - E[f | z_j = 0].

For the additive stand-in g this is known from its tables; for what it leaves, f - g, both means
are taken over the draws. The row itself (weight 1) and the ridge penalty enter as in ``lime``'s
fit, as an update of rank one of a diagonal matrix: with total weight W of the draws,

    (diag(W v + ridge) + s u u^T) weights = W v beta + s u (f(row) - E[f]),
    u = 1 - p',  s = W / (W + 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, FloatArray, add_up
from xplain_cli.methods.binned_moments import (
    Moments,
    Targets,
    influence,
    over_features,
    over_repeats,
    pass_over,
    see_moments,
    see_targets,
)
from xplain_cli.methods.draw_surrogate import too_narrow
from xplain_cli.methods.locality import determined_share
from xplain_cli.methods.product_law import Draws, RowLaws, row_laws
from xplain_cli.methods.requests import Pool, TableTask, UnexplainedError
from xplain_cli.methods.selection import select_diagonal
from xplain_cli.methods.surrogate import Surrogate, concatenate

_SLICE_NUMBERS = 1 << 14  # about what caches hold
_LEAST_WEIGHT = 1e-30
# draws that count, and what of the law's weight they must show, for errors to mean anything
_LEAST_DRAWS, _LEAST_SHOWN = 32, 0.5
_JITTER = 1e-10


def _slices(rows: Sequence[int], n: int, targets: int, repeats: int) -> list[Sequence[int]]:
    """Cut rows into slices; what the draws say of one is kept at a time."""
    step = max(1, _SLICE_NUMBERS // (n * targets * repeats))
    return [rows[start : start + step] for start in range(0, len(rows), step)]


@dataclass(frozen=True)
class _Equations:
    """
    The normal equations of b rows, with the rows themselves and the penalty.

    Attributes
    ----------
    draws : (b,)
        Total weight of the draws.
    variances, away : (b, n)
        Variances of the match indicators, and how far the row is from their means.
    penalty : (b, n)
    tilted : (b, n)
        Means of the match indicators.
    """

    draws: FloatArray
    variances: FloatArray
    away: FloatArray
    penalty: FloatArray
    tilted: FloatArray

    @property
    def share(self) -> FloatArray:
        """What the row's own weight of 1 is once means are taken out, (b,)."""
        return self.draws / (self.draws + 1)

    def right(self, slopes: FloatArray, missed: FloatArray) -> FloatArray:
        """Return right sides (b, r, t, n) of slopes, and of f(row) less its mean (b, r, t)."""
        own = self.share[:, None, None] * missed
        total = self.draws[:, None] * self.variances
        return total[:, None, None] * slopes + own[..., None] * self.away[:, None, None]

    def solve(self, right: FloatArray, chosen: BoolArray | None) -> FloatArray:
        """Return weights (b, r, t, n); those that are not *chosen* (b, t, n) are 0."""
        diagonal = (self.draws[:, None] * self.variances + self.penalty)[:, None, None]
        away = np.broadcast_to(self.away[:, None, None], right[:, :1].shape)
        if chosen is not None:
            away = np.where(chosen[:, None], away, 0.0)
            right = np.where(chosen[:, None], right, 0.0)
        alone, turned = right / diagonal, away / diagonal
        share = self.share[:, None, None]
        along = over_features(away * alone)
        size = over_features(away * turned)
        return np.asarray(alone - turned * (share * along / (1 + share * size))[..., None])


def _equations(laws: RowLaws, total: int, ridge: float) -> _Equations:
    draws = total * np.exp(laws.log_weight)
    variances = laws.variances
    largest = (draws[:, None] * variances).max(axis=-1)
    bump = ridge + np.where(largest > 0, _JITTER * largest, 1.0)
    return _Equations(
        draws=draws,
        variances=variances,
        away=1 - laws.tilted,
        penalty=np.broadcast_to(bump[:, None], variances.shape),
        tilted=laws.tilted,
    )


@dataclass(frozen=True)
class _Seen:
    """
    All that is known of b rows before features are chosen.

    Attributes
    ----------
    right : (b, r, t, n)
        Right sides of the normal equations, by repeat.
    missed : (b, r, t)
        The target at the row less its mean under the law.
    effective, shown : (b,)
        Effective share of the draws, and the share of the law's weight that they show.
    offsets, units : (b, t)
        What was taken from the targets, and what they were then divided by.
    spreads : (n, b, t, n)
        For a single repeat: factors of the covariance of the slopes; else none.
    total : int
        Draws of all repeats.
    """

    laws: RowLaws
    moments: Moments
    equations: _Equations
    right: FloatArray
    missed: FloatArray
    effective: FloatArray
    shown: FloatArray
    offsets: FloatArray
    units: FloatArray
    spreads: FloatArray
    total: int


def _unsupported(seen: _Seen, weights: FloatArray) -> FloatArray:
    """
    Return a further error (b, t, n), as large as the weight, of what draws cannot tell.

    Of features of which at most one draw is in the row's bin, or outside of it; and of all
    features of a row at which next to no draw has any weight.
    """
    laws, total = seen.laws, seen.total
    few = (np.minimum(laws.seen, total - laws.seen) <= 1) & (laws.tilted < 1)
    vain = (seen.effective * total < _LEAST_DRAWS) | (seen.shown < _LEAST_SHOWN)
    few |= vain[:, None]
    return np.where(few[:, None], weights, 0.0)


def _attribute(
    task: TableTask, seen: _Seen, chosen: BoolArray | None, limit: int | None
) -> Attribution:
    """Solve for the weights with all features or the chosen ones, and measure errors and fit."""
    moments, equations = seen.moments, seen.equations
    repeats = equations.solve(seen.right, chosen)
    weights = over_repeats(repeats)[:, 0]
    count = repeats.shape[1]
    middle = (equations.draws[:, None] * equations.tilted + 1) / (equations.draws + 1)[:, None]
    drawn = equations.draws[:, None, None] * moments.means
    levels = (drawn + (seen.missed + moments.means)) / (equations.draws + 1)[:, None, None]
    bases = levels - over_features(repeats * middle[:, None, None])
    base = over_repeats(bases)[:, 0]
    if count > 1:
        factors = np.moveaxis(repeats - weights[:, None], 1, 0) / np.sqrt(count * (count - 1))
        left_out = (count * weights[:, None] - repeats) / (count - 1)
        left_bases = (count * base[:, None] - bases) / (count - 1)
        optimism: FloatArray = np.zeros(base.shape)
    else:
        spreads = np.moveaxis(seen.spreads, 0, 1)
        found = equations.solve(equations.right(spreads, np.zeros(spreads.shape[:-1])), chosen)
        factors = np.moveaxis(found, 1, 0)
        left_out, left_bases = repeats, bases
        optimism = 2 * over_features(add_up(factors**2) * seen.laws.variances[:, None])
    r2 = _explained(seen, left_out, left_bases, optimism)
    selected = np.ones(weights.shape, dtype=np.bool_) if chosen is None else chosen
    units = seen.units[..., None]
    return Attribution(
        weights=weights * units,
        base=base * seen.units + seen.offsets,
        error_factors=np.ascontiguousarray(factors * units),
        own_error=_unsupported(seen, weights) * units,
        degrees=float(count - 1) if count > 1 else np.inf,
        repeats=np.ascontiguousarray(np.moveaxis(repeats, 1, 0) * units),
        local_r2=r2 if len(task.perturbation.names) > 1 else np.full(r2.shape, np.nan),
        locality=determined_share(moments.gaps, weights, selected),
        effective_share=seen.effective,
        selected=selected,
        n_repeats=count,
        n_samples=task.samples,
        n_inputs=np.zeros(len(weights), dtype=np.int64),
        limit=limit,
    )


def _explained(
    seen: _Seen, weights: FloatArray, bases: FloatArray, optimism: FloatArray
) -> FloatArray:
    """
    Return R^2 (b, t) of fits (b, r, t, n), each on the draws of a repeat that it has not seen.

    ``optimism`` (b, t) is by how much a fit looks better on draws that it has seen.
    """
    moments, variances = seen.moments, seen.laws.variances[:, None, None]
    along = over_features(variances * weights * (weights - 2 * moments.slopes))
    level = bases + over_features(weights * seen.laws.tilted[:, None, None])
    missed = moments.variances + along + (moments.means - level) ** 2
    spread = over_repeats(moments.variances)[:, 0]
    share = (over_repeats(missed)[:, 0] + optimism) / np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, np.minimum(1 - share, 1.0), np.nan)


def _look(
    task: TableTask,
    pool: Pool,
    draws: Draws,
    ridge: float,
    rows: Sequence[int],
    targets: Sequence[Targets],
) -> _Seen:
    """
    Pass over the draws for some rows.

    Raises
    ------
    UnexplainedError
        Rows at which no draw has any weight.
    """
    codes = task.block.codes[list(rows)]
    laws = row_laws(codes, pool, draws.width)
    sums = pass_over(draws, pool, laws, codes, targets)
    shown = over_repeats(sums.weight)[:, 0]
    lost = np.flatnonzero(shown <= _LEAST_WEIGHT)
    if len(lost):
        raise UnexplainedError({rows[i]: too_narrow(draws.width) for i in lost.tolist()})
    moments = see_moments(pool, laws, targets, sums)
    equations = _equations(laws, len(pool.outputs), ridge)
    offsets = np.stack([target.offsets for target in targets])
    units = np.stack([target.units for target in targets])
    missed = ((task.predictions[list(rows)] - offsets) / units)[:, None] - moments.means
    spreads = np.empty((0, *moments.slopes.shape[::2], codes.shape[1]))
    if pool.repeats == 1:
        own = codes.astype(pool.draw.codes.dtype)
        found = [influence(draws, own[i], laws, i, targets[i].left) for i in range(len(rows))]
        spreads = np.stack(found, axis=1)
    return _Seen(
        laws=laws,
        moments=moments,
        equations=equations,
        right=equations.right(moments.slopes + moments.doubts, missed),
        missed=missed,
        effective=sums.effective,
        shown=shown,
        offsets=offsets,
        units=units,
        spreads=spreads,
        total=len(pool.outputs),
    )


def _fit(task: TableTask, surrogate: Surrogate, seen: _Seen, own_inputs: int) -> Attribution:
    """Fit the surrogates of the rows of a slice."""
    whole = _attribute(task, seen, None, None)
    whole = replace(whole, n_inputs=np.full(len(seen.shown), own_inputs))
    limit = surrogate.features
    if limit is None or limit >= task.n:
        return whole
    equations = seen.equations
    diagonal = equations.draws[:, None] * equations.variances
    diagonal = diagonal + equations.share[:, None] * equations.away**2
    chosen = select_diagonal(diagonal, over_repeats(seen.right)[:, 0], limit, surrogate.select)
    return replace(_attribute(task, seen, chosen, limit), whole=whole, n_inputs=whole.n_inputs)


def fit_binned(
    task: TableTask,
    surrogate: Surrogate,
    width: float,
    rows: Sequence[int],
    pool: Pool,
    *,
    own_inputs: int,
) -> Attribution:
    """
    Fit the surrogates of some rows of a block on the draws of a pool, all features in bins.

    ``own_inputs`` counts the model inputs that each row caused.

    Raises
    ------
    UnexplainedError
        Rows at which no draw has any weight.
    """
    draws = Draws(pool, width)
    known: dict[bytes, Targets] = {}
    for i in rows:
        pairs = task.pairs[i]
        if pairs.tobytes() not in known:
            known[pairs.tobytes()] = see_targets(pool, draws, pairs, margin=task.margin)
    parts = []
    for some in _slices(rows, task.n, task.pairs.shape[1], pool.repeats):
        targets = [known[task.pairs[i].tobytes()] for i in some]
        seen = _look(task, pool, draws, surrogate.ridge, some, targets)
        parts.append(_fit(task, surrogate, seen, own_inputs))
    return concatenate(parts)
