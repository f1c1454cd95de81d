"""The locality of LIME: the share of a row's weights that the features' own bins determine."""

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, add_up


def determined_share(gaps: FloatArray, weights: FloatArray, selected: BoolArray) -> FloatArray:
    """
    Estimate the share of sum(weights^2) that own bins alone determine, (b, t) in [0, 1].

    The distance between slopes near the row and what own bins alone would give is measured within
    repeats, so that what the two share of the sampling error cancels; what remains of it is
    subtracted.

    Parameters
    ----------
    gaps : (b, r, t, n)
        Of each repeat the slopes less those of own bins alone: the mean output inside the row's bin
        less the mean outside it, without a kernel.
    weights : (b, t, n)
        Of all repeats.
    selected : (b, t, n) bool
        The features that the surrogate uses.

    Returns
    -------
    (b, t) float
        NaN where all weights are 0.
    """
    by_repeat = np.moveaxis(np.where(selected[:, None], gaps, 0.0), 1, 0)
    count = len(by_repeat)
    mean = add_up(by_repeat) / count
    squares = mean**2
    if count > 1:
        squares -= add_up((by_repeat - mean) ** 2) / (count * (count - 1))
    return share_determined(np.ascontiguousarray(squares).sum(axis=-1), weights)


def share_determined(gap: FloatArray, weights: FloatArray) -> FloatArray:
    """Return 1 - gap / sum(weights^2), clipped to [0, 1]; NaN where all weights are 0."""
    size = (weights**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(size > 0, 1 - np.maximum(gap, 0.0) / size, np.nan)
    return np.clip(share, 0.0, 1.0)
