"""The linear surrogate of a block of rows: pooled weights, error factors, held-out fit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, FloatArray, add_up
from xplain_cli.methods.locality import locality
from xplain_cli.methods.neighbourhoods import Pool, Task, UnexplainedError
from xplain_cli.methods.selection import select
from xplain_cli.methods.solvers import (
    centre,
    gram,
    residual_sums,
    sandwich,
    solve,
    total_sums,
)
from xplain_cli.targets import pair_values

_SLICE_BYTES = 64e6
_LEAST_WEIGHT = 1e-200
# below so many draws a feature, a repeat's own fit is too rough to measure the spread by
_LEAST_DRAWS = 10


@dataclass(frozen=True)
class Surrogate:
    """Kernel width, ridge penalty, and at most how many features, chosen how."""

    width: float
    ridge: float
    features: int | None
    select: str


@dataclass(frozen=True)
class _Seen:
    """
    What b rows see of their draws: Gram sums, and the point that the row itself adds.

    ``sums`` (b, r, p, p), ``points`` (b, p), ``offsets`` (b, t), ``shares`` (b,) effective share.
    For a single repeat, ``rows`` keeps coordinates, values and weights of each row.
    """

    sums: FloatArray
    points: FloatArray
    offsets: FloatArray
    shares: FloatArray
    rows: list[tuple[FloatArray, FloatArray, FloatArray]]


def slice_rows(n: int, targets: int, repeats: int) -> int:
    """Return how many rows' Gram sums fit in 64 MB."""
    return max(1, int(_SLICE_BYTES / (8 * (1 + n + targets) ** 2 * repeats)))


def _look(task: Task, surrogate: Surrogate, rows: Sequence[int], pools: Sequence[Pool]) -> _Seen:
    """Sum each row's weighted draws, repeat by repeat."""
    sums, points, offsets, shares, kept = [], [], [], [], []
    lost: dict[int, str] = {}
    for i, pool in zip(rows, pools, strict=True):
        coordinates, distances = task.law.contrast(pool.draw, task.block, i)
        weights = np.exp(distances * (-0.5 / surrogate.width**2))
        total = weights.sum()
        if not total > _LEAST_WEIGHT:
            lost[i] = _lost(task, surrogate, i)
            continue
        values = pair_values(pool.outputs, task.pairs[i], margin=task.margin)
        offset = values[:, 0].copy()  # a constant model then has values of exactly 0
        values -= offset[:, None]
        sums.append(gram(coordinates, values, weights, pool.repeats))
        own = task.block.positions[i]
        points.append(np.concatenate([[1.0], own, task.predictions[i] - offset]))
        offsets.append(offset)
        shares.append(total**2 / (len(weights) * (weights @ weights)))
        if pool.repeats == 1:
            kept.append((coordinates, values, weights))
    if lost:
        raise UnexplainedError(lost)
    return _Seen(np.stack(sums), np.stack(points), np.stack(offsets), np.array(shares), kept)


def _lost(task: Task, surrogate: Surrogate, row: int) -> str:
    """Say why no draw has any weight at a row."""
    if not np.isfinite(task.block.positions[row]).all():
        return "a missing or infinite value has no place without bins: take discretizer=quartile"
    return (
        f"kernel_width={surrogate.width:.3g} leaves no draw any weight at this row: it lies too"
        " far from the background, or the kernel is too narrow"
    )


def _choose(surrogate: Surrogate, seen: _Seen, pooled: FloatArray, n: int) -> BoolArray | None:
    """Select features once, on the pooled fit: (b, t, n), or None for all."""
    if surrogate.features is None or surrogate.features >= n:
        return None
    matrix, right, _ = centre(pooled, n)
    chosen = [
        select(a, c, point[1 : 1 + n], surrogate.features, surrogate.select)
        for a, c, point in zip(matrix, right, seen.points, strict=True)
    ]
    return np.stack(chosen)


def _unsupported(seen: _Seen, beta: FloatArray) -> FloatArray:
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


def _over_repeats(parts: FloatArray) -> FloatArray:
    """Sum (b, r, ...) over the repeats."""
    return add_up(np.moveaxis(parts, 1, 0))


def _errors(
    surrogate: Surrogate, seen: _Seen, task: Task, left_out: FloatArray, chosen: BoolArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return error factors (s, b, t, n) and each repeat's own weights (r, b, t, n)."""
    count, n = seen.sums.shape[1], left_out.shape[-1]
    if task.samples >= _LEAST_DRAWS * (n + 1):
        mask = None if chosen is None else chosen[:, None]
        own, _ = solve(seen.sums, n, surrogate.ridge / count, mask)
    else:
        # delete-one jackknife: pseudo-values stand for the repeats' own weights
        mean = _over_repeats(left_out)[:, None] / count
        own = mean + (count - 1) * (mean - left_out)
    own = np.ascontiguousarray(np.moveaxis(own, 1, 0))
    return (own - add_up(own) / count) / np.sqrt(count * (count - 1)), own


def _single(
    surrogate: Surrogate, seen: _Seen, beta: FloatArray, intercept: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return sandwich factors (n, b, t, n) and left-out residual sums (b, t) of one repeat."""
    found = [
        sandwich(*seen.rows[i], beta[i], intercept[i], surrogate.ridge) for i in range(len(beta))
    ]
    factors = np.stack([factor for factor, _ in found], axis=1)
    return factors, np.stack([left_out for _, left_out in found])


@dataclass(frozen=True)
class _Fitted:
    """Weights (b, t, n), intercept (b, t), what held-out draws missed (b, t), errors, repeats."""

    beta: FloatArray
    intercept: FloatArray
    missed: FloatArray
    factors: FloatArray
    repeats: FloatArray


def _solve(task: Task, surrogate: Surrogate, seen: _Seen, chosen: BoolArray | None) -> _Fitted:
    """Fit the pooled sums and each repeat's, with all features or the chosen ones."""
    n = len(task.law.names)
    own_point = seen.points[:, :, None] * seen.points[:, None, :]
    pooled = _over_repeats(seen.sums) + own_point
    beta, intercept = solve(pooled, n, surrogate.ridge, chosen)
    if seen.sums.shape[1] == 1:
        factors, missed = _single(surrogate, seen, beta, intercept)
        factors = factors if chosen is None else np.where(chosen, factors, 0.0)
        return _Fitted(beta, intercept, missed, factors, beta[None])
    mask = None if chosen is None else chosen[:, None]
    left_out, bases = solve(pooled[:, None] - seen.sums, n, surrogate.ridge, mask)
    missed = _over_repeats(residual_sums(seen.sums, left_out, bases))
    factors, repeats = _errors(surrogate, seen, task, left_out, chosen)
    return _Fitted(beta, intercept, missed, factors, repeats)


def fit(
    task: Task,
    surrogate: Surrogate,
    rows: Sequence[int],
    pools: Sequence[Pool],
    *,
    own_inputs: int = 0,
) -> Attribution:
    """
    Fit the surrogate of some rows of a block, each on its pool.

    All repeats are pooled, the row itself is added once with weight 1 (``lime`` has it in its
    sample), and the ridge penalty stands once against all of it. ``own_inputs`` counts the model
    inputs that each row caused.

    Raises
    ------
    UnexplainedError
        Rows at which no draw has any weight.
    """
    n = len(task.law.names)
    seen = _look(task, surrogate, rows, pools)
    pooled = _over_repeats(seen.sums)
    count = seen.sums.shape[1]
    chosen = _choose(surrogate, seen, pooled + seen.points[:, :, None] * seen.points[:, None, :], n)
    spread = total_sums(pooled, n)

    def attribute(chosen: BoolArray | None, whole: Attribution | None) -> Attribution:
        found = _solve(task, surrogate, seen, chosen)
        selected = np.ones(found.beta.shape, dtype=bool) if chosen is None else chosen
        explained = np.where(spread > 0, found.missed / np.where(spread > 0, spread, 1.0), np.nan)
        local = locality(task, rows, pools[0], found.beta, found.repeats, selected)
        return Attribution(
            weights=found.beta,
            base=_base(task, rows, found.intercept + seen.offsets, found.beta),
            factors=found.factors,
            lone=_unsupported(seen, found.beta),
            degrees=float(count - 1) if count > 1 else np.inf,
            repeats=found.repeats,
            local_r2=1 - explained,
            locality=local,
            effective_share=seen.shares,
            selected=selected,
            n_repeats=count,
            n_samples=task.samples,
            n_inputs=own_inputs,
            whole=whole,
            limit=None if chosen is None else surrogate.features,
        )

    return attribute(chosen, None if chosen is None else attribute(None, None))


def _base(task: Task, rows: Sequence[int], intercept: FloatArray, beta: FloatArray) -> FloatArray:
    """
    Return the surrogate's value at the row less the sum of its weights.

    With bins this is the intercept, the surrogate where every feature is absent. Without bins a
    weight is a slope, and only this makes ``base + sum(weights)`` the surrogate at the row.
    """
    shift = task.block.positions[list(rows)] - 1
    return np.asarray(intercept + (beta * shift[:, None]).sum(axis=-1), dtype=np.float64)


def concatenate(parts: Sequence[Attribution]) -> Attribution:
    """Join the attributions of consecutive rows."""
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, object] = {}
    for field in fields(Attribution):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            axis = 1 if field.name in {"factors", "repeats"} else 0
            joined[field.name] = np.concatenate(values, axis=axis)
        elif isinstance(values[0], Attribution):
            joined[field.name] = concatenate(values)
        else:
            joined[field.name] = values[0]
    return Attribution(**joined)  # type: ignore[arg-type]  # the fields of Attribution themselves
