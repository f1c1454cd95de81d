"""The linear surrogate of a block of rows: pooled weights, error factors, held-out fit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, FloatArray, IntArray, add_up
from xplain_cli.methods.selection import select
from xplain_cli.methods.solvers import (
    centre,
    residual_sums,
    sandwich,
    solve,
    solve_alike,
    total_sums,
)

# below so many draws a feature, a repeat's own fit is too rough to measure the spread by
_LEAST_DRAWS = 10


@dataclass(frozen=True)
class Surrogate:
    """Ridge penalty, and at most how many features, chosen how."""

    ridge: float
    features: int | None = None
    select: str = "auto"


@dataclass(frozen=True)
class Control:
    """
    A stand-in g for the model, whose own surrogate is known: what is fitted is the model less g.

    Attributes
    ----------
    beta : (b, t, n), intercept : (b, t)
        The surrogate of g, with the same row and the same penalty.
    repeats : (r, b, t, n)
        The same from independent masks, one set for each repeat, of which ``beta`` is the mean;
        several sets where there is a single repeat.
    sums : (b, r, p, p)
        Gram sums of [1, z, f] with the model's own values f: what the fit is judged by.
    used : (b, t) int
        Numbers that g took from the draws that it answers.
    shared : (b, t)
        Variance, summed over the weights, that the repeats share where g is cross-fitted.
    """

    beta: FloatArray
    intercept: FloatArray
    repeats: FloatArray
    sums: FloatArray
    used: IntArray
    shared: FloatArray


@dataclass(frozen=True)
class Sums:
    """
    What b rows see of their draws: Gram sums, and the point that the row itself adds.

    Attributes
    ----------
    sums : (b, r, p, p)
        Gram sums of [1, z, f] for each repeat, f less ``offsets``, and less the control if any.
    points : (b, p)
        The row itself, [1, z, f].
    offsets : (b, t)
        What was taken from all values, so that a constant model has values of exactly 0.
    shares : (b,)
        Effective share of the draws.
    samples : int
        Draws in each repeat.
    asked : (b,) int
        Model inputs that each row caused.
    rows
        For a single repeat: coordinates, values and weights of each row's draws.
    own_weight
        The weight with which the row itself joins the fit.
    exact
        The draws are all there are, with their probabilities: no sampling error.
    control
        A stand-in for the model, if any.
    alike
        All rows have the same draws, with the same weights: their sums differ by values alone.
    """

    sums: FloatArray
    points: FloatArray
    offsets: FloatArray
    shares: FloatArray
    samples: int
    asked: IntArray
    rows: Sequence[tuple[FloatArray, FloatArray, FloatArray]] = ()
    own_weight: float = 1.0
    exact: bool = False
    control: Control | None = None
    alike: bool = False

    @property
    def own_sums(self) -> FloatArray:
        """What the rows themselves add to the pooled sums, (b, p, p)."""
        return self.own_weight * self.points[:, :, None] * self.points[:, None, :]

    @property
    def repeats(self) -> int:
        """The number of repeats."""
        return int(self.sums.shape[1])

    @property
    def targets(self) -> int:
        """The number of targets."""
        return int(self.offsets.shape[1])

    @property
    def n(self) -> int:
        """The number of features."""
        return int(self.sums.shape[-1]) - 1 - self.targets


def _choose(surrogate: Surrogate, seen: Sums, pooled: FloatArray) -> BoolArray | None:
    """Select features once, on the pooled fit: (b, t, n), or None for all."""
    n = seen.n
    if surrogate.features is None or surrogate.features >= n:
        return None
    matrix, right, _ = centre(pooled, n)
    chosen = [
        select(a, c, point[1 : 1 + n], surrogate.features, surrogate.select)
        for a, c, point in zip(matrix, right, seen.points, strict=True)
    ]
    return np.stack(chosen)


def _unsupported(seen: Sums, beta: FloatArray) -> FloatArray:
    """
    Return a further error (b, t, n) of features that no draw shows as the row has them.

    Their weight rests on one point, the row itself: its error is stated as large as the weight.
    """
    n = beta.shape[-1]
    together = _over_repeats(seen.sums)
    matrix, _, means = centre(together, n)
    still = np.diagonal(matrix, axis1=-2, axis2=-1) <= 1e-9 * together[:, 0, 0, None]
    moved = np.abs(seen.points[:, 1 : 1 + n] - means[:, :n]) > 1e-9
    return np.where((still & moved)[:, None, :], beta, 0.0)


def _fit_sums(
    seen: Sums, sums: FloatArray, ridge: float, selected: BoolArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return weights and intercepts of sums (b, ..., p, p) of some rows."""
    if seen.alike and selected is None:
        return solve_alike(sums, seen.n, ridge)
    return solve(sums, seen.n, ridge, selected)


def _over_repeats(parts: FloatArray) -> FloatArray:
    """Sum (b, r, ...) over the repeats."""
    return add_up(np.moveaxis(parts, 1, 0))


def _errors(
    surrogate: Surrogate, seen: Sums, left_out: FloatArray, chosen: BoolArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return error factors (s, b, t, n) and each repeat's own weights (r, b, t, n)."""
    count, n = seen.sums.shape[1], left_out.shape[-1]
    if seen.samples >= _LEAST_DRAWS * (n + 1):
        mask = None if chosen is None else chosen[:, None]
        own, _ = _fit_sums(seen, seen.sums, surrogate.ridge / count, mask)
    else:
        # delete-one jackknife: pseudo-values stand for the repeats' own weights
        mean = _over_repeats(left_out)[:, None] / count
        own = mean + (count - 1) * (mean - left_out)
    own = np.ascontiguousarray(np.moveaxis(own, 1, 0))
    return (own - add_up(own) / count) / np.sqrt(count * (count - 1)), own


def _single(
    surrogate: Surrogate, seen: Sums, beta: FloatArray, intercept: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return sandwich factors (n, b, t, n) and left-out residual sums (b, t) of one repeat."""
    found = [
        sandwich(*seen.rows[i], beta[i], intercept[i], surrogate.ridge) for i in range(len(beta))
    ]
    error_factors = np.stack([factor for factor, _ in found], axis=1)
    return error_factors, np.stack([left_out for _, left_out in found])


@dataclass(frozen=True)
class _Fitted:
    """Weights (b, t, n), intercept (b, t), what held-out draws missed (b, t), errors, repeats."""

    beta: FloatArray
    intercept: FloatArray
    missed: FloatArray
    error_factors: FloatArray
    repeats: FloatArray


def _solve(surrogate: Surrogate, seen: Sums, chosen: BoolArray | None) -> _Fitted:
    """Fit the pooled sums and each repeat's, with all features or the chosen ones."""
    pooled = _over_repeats(seen.sums) + seen.own_sums
    beta, intercept = _fit_sums(seen, pooled, surrogate.ridge, chosen)
    if seen.exact:
        missed = _over_repeats(residual_sums(seen.sums, beta[:, None], intercept[:, None]))
        empty = np.empty((0, *beta.shape))
        return _Fitted(beta, intercept, missed, empty, empty)
    if seen.repeats == 1:
        error_factors, missed = _single(surrogate, seen, beta, intercept)
        error_factors = error_factors if chosen is None else np.where(chosen, error_factors, 0.0)
        found = _Fitted(beta, intercept, missed, error_factors, beta[None])
        return found if seen.control is None else _controlled(seen, seen.control, found)
    mask = None if chosen is None else chosen[:, None]
    left_out, bases = _fit_sums(seen, pooled[:, None] - seen.sums, surrogate.ridge, mask)
    missed = _over_repeats(residual_sums(seen.sums, left_out, bases))
    error_factors, repeats = _errors(surrogate, seen, left_out, chosen)
    found = _Fitted(beta, intercept, missed, error_factors, repeats)
    return (
        found if seen.control is None else _controlled(seen, seen.control, found, left_out, bases)
    )


def _spread(parts: FloatArray) -> FloatArray:
    """Return error factors of the mean of independent parts (s, ...), of the same shape."""
    count = len(parts)
    return np.asarray((parts - add_up(parts) / count) / np.sqrt(count * max(count - 1, 1)))


def _sharing(parts: FloatArray, shared: FloatArray) -> FloatArray:
    """Return repeats (r, b, t, n) whose spread holds a variance (b, t) that they share."""
    total = add_up(_spread(parts) ** 2).sum(axis=-1)
    factor = np.sqrt(1 + shared / np.where(total > 0, total, 1.0))[..., None]
    mean = add_up(parts) / len(parts)
    return np.asarray(np.where(shared[..., None] > 0, mean + (parts - mean) * factor, parts))


def _controlled(
    seen: Sums,
    control: Control,
    fitted: _Fitted,
    left_out: FloatArray | None = None,
    bases: FloatArray | None = None,
) -> _Fitted:
    """
    Add the surrogate of the control, and widen the errors by the numbers that it took.

    The fit is judged on the model's own values, with *left_out* weights (b, r, t, n) and *bases*
    (b, r, t) of the other repeats; for a single repeat on its own draws.
    """
    if left_out is None or bases is None:
        left_out, bases = fitted.beta[:, None], fitted.intercept[:, None]
    left_out, bases = left_out + control.beta[:, None], bases + control.intercept[:, None]
    total = seen.repeats * seen.samples
    widened = np.sqrt(total / np.maximum(total - control.used, 1))[..., None]
    count = seen.repeats
    if count > 1:
        mean = add_up(fitted.repeats) / count
        own = _sharing(mean + (fitted.repeats - mean) * widened + control.repeats, control.shared)
        spread = _spread(own)
    else:
        own = (fitted.beta + control.beta)[None]
        parts = [fitted.error_factors * widened, _spread(control.repeats)]
        spread = np.concatenate(parts[: min(len(control.repeats), 2)])
    return _Fitted(
        fitted.beta + control.beta,
        fitted.intercept + control.intercept,
        _over_repeats(residual_sums(control.sums, left_out, bases)),
        spread,
        own,
    )


def fit(seen: Sums, surrogate: Surrogate) -> Attribution:
    """
    Fit the surrogate of some rows, each on its draws.

    All repeats are pooled, the row itself is added once with weight 1 (``lime`` has it in its
    sample), and the ridge penalty stands once against all of it.

    Returns
    -------
    Attribution
        Its ``base`` is the intercept; its ``locality`` is undefined.
    """
    judged = seen.sums if seen.control is None else seen.control.sums
    chosen = _choose(surrogate, seen, _over_repeats(seen.sums) + seen.own_sums)
    spread = total_sums(_over_repeats(judged), seen.n)

    def attribute(chosen: BoolArray | None, whole: Attribution | None) -> Attribution:
        found = _solve(surrogate, seen, chosen)
        count = seen.repeats
        explained = np.where(spread > 0, found.missed / np.where(spread > 0, spread, 1.0), np.nan)
        return Attribution(
            weights=found.beta,
            base=found.intercept + seen.offsets,
            error_factors=found.error_factors,
            own_error=np.zeros(found.beta.shape) if seen.exact else _unsupported(seen, found.beta),
            degrees=float(count - 1) if count > 1 else np.inf,
            repeats=found.repeats,
            local_r2=np.minimum(1 - explained, 1.0),  # sums of squares round
            locality=np.full(found.intercept.shape, np.nan),
            effective_share=seen.shares,
            selected=np.ones(found.beta.shape, dtype=bool) if chosen is None else chosen,
            n_repeats=count,
            n_samples=seen.samples,
            n_inputs=seen.asked,
            exact=seen.exact,
            whole=whole,
            limit=None if chosen is None else surrogate.features,
        )

    return attribute(chosen, None if chosen is None else attribute(None, None))


def without_r2(found: Attribution) -> Attribution:
    """Return the attribution of a fit that has no draws left to be judged on."""
    return replace(found, local_r2=np.full(found.local_r2.shape, np.nan))


def concatenate(parts: Sequence[Attribution]) -> Attribution:
    """Join the attributions of consecutive rows."""
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, object] = {}
    for field in fields(Attribution):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            axis = 1 if field.name in {"error_factors", "repeats"} else 0
            joined[field.name] = np.concatenate(values, axis=axis)
        elif isinstance(values[0], Attribution):
            joined[field.name] = concatenate(values)
        else:
            joined[field.name] = values[0]
    return Attribution(**joined)  # type: ignore[arg-type]  # the fields of Attribution themselves
