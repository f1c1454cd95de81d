"""Fits the surrogate of each row on draws whose law is no product of bins, by weighted sums."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xplain_cli.explanation import Attribution, FloatArray
from xplain_cli.methods.requests import Pool, TableTask, UnexplainedError, kernel_weights
from xplain_cli.methods.solvers import gram
from xplain_cli.methods.surrogate import Sums, Surrogate, fit
from xplain_cli.targets import pair_values

_SLICE_BYTES = 1.5e6
_LEAST_WEIGHT = 1e-200


def slice_rows(n: int, targets: int, repeats: int) -> int:
    """Return how many rows' Gram sums fit in 4 MB, which caches hold."""
    return max(1, int(_SLICE_BYTES / (8 * (1 + n + targets) ** 2 * repeats)))


def _values(task: TableTask, pool: Pool, row: int) -> tuple[FloatArray, FloatArray]:
    """Return what a row's targets are at the draws (t, m), less what they are at the first."""
    values = pair_values(pool.outputs, task.pairs[row], margin=task.margin)
    offset = values[:, 0].copy()  # a constant model then has values of exactly 0
    return values - offset[:, None], offset


def _look(task: TableTask, width: float, rows: Sequence[int], pool: Pool, own_inputs: int) -> Sums:
    """Sum each row's weighted draws, repeat by repeat."""
    sums, points, offsets, shares, kept = [], [], [], [], []
    lost: dict[int, str] = {}
    known: dict[bytes, tuple[FloatArray, FloatArray]] = {}
    for i in rows:
        coordinates, distances = task.perturbation.contrast(pool.draw, task.block, i)
        weights = kernel_weights(distances, width)
        total = weights.sum()
        if not total > _LEAST_WEIGHT:
            lost[i] = _lost(task, width, i)
            continue
        asked = task.pairs[i].tobytes()
        if asked not in known:
            known[asked] = _values(task, pool, i)
        values, offset = known[asked]
        sums.append(gram(coordinates, values, weights, pool.repeats))
        own = task.block.positions[i]
        points.append(np.concatenate([[1.0], own, task.predictions[i] - offset]))
        offsets.append(offset)
        shares.append(total**2 / (len(weights) * (weights @ weights)))
        if pool.repeats == 1:
            kept.append((coordinates, values, weights))
    if lost:
        raise UnexplainedError(lost)
    return Sums(
        sums=np.stack(sums),
        points=np.stack(points),
        offsets=np.stack(offsets),
        shares=np.array(shares),
        samples=task.samples,
        asked=np.full(len(rows), own_inputs),
        rows=kept,
    )


def _lost(task: TableTask, width: float, row: int) -> str:
    """Say why no draw has any weight at a row."""
    if not np.isfinite(task.block.positions[row]).all():
        return "a missing or infinite value has no place without bins: take discretizer=quartile"
    return too_narrow(width)


def too_narrow(width: float) -> str:
    """Say that no draw has any weight at a row under a kernel."""
    return (
        f"kernel_width={width:.3g} leaves no draw any weight at this row: it lies too"
        " far from the background, or the kernel is too narrow"
    )


def _base(task: TableTask, rows: Sequence[int], found: Attribution) -> FloatArray:
    """
    Return the surrogate's value at the row less the sum of its weights.

    With bins this is the intercept, the surrogate where every feature is absent. Without bins a
    weight is a slope, and only this makes ``base + sum(weights)`` the surrogate at the row.
    """
    shift = task.block.positions[list(rows)] - 1
    return np.asarray(found.base + (found.weights * shift[:, None]).sum(axis=-1), dtype=np.float64)


def fit_drawn(
    task: TableTask,
    surrogate: Surrogate,
    width: float,
    rows: Sequence[int],
    pool: Pool,
    *,
    own_inputs: int,
) -> Attribution:
    """
    Fit the surrogates of some rows of a block on the draws of a pool.

    ``own_inputs`` counts the model inputs that each row caused.

    Raises
    ------
    UnexplainedError
        Rows at which no draw has any weight.
    """
    found = fit(_look(task, width, rows, pool, own_inputs), surrogate)
    whole = found.whole
    if whole is not None:
        whole = replace(whole, base=_base(task, rows, whole))
    return replace(found, base=_base(task, rows, found), whole=whole)
