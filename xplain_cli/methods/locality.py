"""The locality of LIME: the share of a row's weights that the features' own bins determine."""

from collections.abc import Sequence

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, add_up
from xplain_cli.methods.requests import Pool, TableTask
from xplain_cli.targets import compare


def own_bin_weights(task: TableTask, rows: Sequence[int], pool: Pool) -> FloatArray:
    """
    Return the weights that own bins alone would give, (r, b, t, n); NaN where undefined.

    Each is a mean inside the row's bin less the mean outside it, over the draws of one repeat.
    """
    codes = task.block.codes[list(rows)]
    pairs = task.pairs[list(rows)]
    found = np.full((pool.repeats, *pairs.shape[:2], codes.shape[1]), np.nan)
    row = np.arange(len(rows))[:, None]
    for j, table in enumerate(pool.own_bin):
        own = table[:, np.maximum(codes[:, j], 0)]  # (r, b, k)
        plus, minus = own[:, row, pairs[..., 0]], own[:, row, np.maximum(pairs[..., 1], 0)]
        found[..., j] = compare(plus, minus, pairs[..., 1] >= 0, margin=task.margin)
        found[:, codes[:, j] < 0, :, j] = np.nan
    return found


def locality(
    task: TableTask,
    rows: Sequence[int],
    pool: Pool,
    weights: FloatArray,
    repeats: FloatArray,
    selected: BoolArray,
) -> FloatArray:
    """
    Estimate the share of sum(weights^2) that own bins alone determine, (b, t) in [0, 1].

    The distance between the weights and the own-bin weights is measured within repeats, so that
    what the two share of the sampling error cancels; what remains of it is subtracted.

    Parameters
    ----------
    weights : (b, t, n), pooled; repeats : (r, b, t, n), of each repeat
    selected : (b, t, n) bool, the features that the surrogate uses

    Returns
    -------
    (b, t) float
        NaN without bins and for a constant model.
    """
    if not pool.levels or not task.perturbation.binned:
        return np.full(weights.shape[:2], np.nan)
    gaps = repeats - own_bin_weights(task, rows, pool)
    gaps = np.where(selected & ~np.isnan(gaps).any(axis=0), gaps, 0.0)
    count = len(gaps)
    mean = add_up(gaps) / count
    squares = mean**2
    if count > 1:
        squares -= add_up((gaps - mean) ** 2) / (count * (count - 1))
    return share_determined(np.ascontiguousarray(squares).sum(axis=-1), weights)


def share_determined(gap: FloatArray, weights: FloatArray) -> FloatArray:
    """Return 1 - gap / sum(weights^2), clipped to [0, 1]; NaN where all weights are 0."""
    size = (weights**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(size > 0, 1 - np.maximum(gap, 0.0) / size, np.nan)
    return np.clip(share, 0.0, 1.0)
