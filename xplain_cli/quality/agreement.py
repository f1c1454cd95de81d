"""Agreement of explanations: top-k overlap and rank correlation, over many draws at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray

_MOST_PAIRS = 2016


def top_members(sizes: Any, k: int) -> BoolArray:
    """Return which features are among the k largest *sizes* (..., n); k < n, ties by position."""
    if k == 1:
        members = np.zeros(sizes.shape, dtype=bool)
        np.put_along_axis(members, sizes.argmax(axis=-1)[..., None], values=True, axis=-1)
        return members
    chosen = np.argpartition(-sizes, k - 1, axis=-1)[..., :k]
    members = np.zeros(sizes.shape, dtype=bool)
    np.put_along_axis(members, chosen, values=True, axis=-1)
    return members


def mean_jaccard(members: BoolArray, k: int) -> FloatArray:
    """
    Return the mean Jaccard index over all pairs of g top-k sets.

    Parameters
    ----------
    members : (..., g, n) bool
        Which features belong to each set.
    k
        The size of every set.

    Returns
    -------
    (...) float in [0, 1]
    """
    g = members.shape[-2]
    sets = members.astype(np.float32)
    common = sets @ np.swapaxes(sets, -1, -2)
    jaccard = common / (2 * k - common)
    total = jaccard.sum(axis=(-1, -2), dtype=np.float64) - g
    return np.asarray(total / (g * (g - 1)), dtype=np.float64)


def _pairs(n: int) -> Iterator[tuple[int, Any]]:
    """Yield each of n features with those behind it that it is compared with."""
    count = n * (n - 1) // 2
    if count <= _MOST_PAIRS:
        yield from ((j, slice(j + 1, n)) for j in range(n - 1))
        return
    first, second = np.triu_indices(n, 1)
    spaced = np.linspace(0, count - 1, _MOST_PAIRS).astype(np.int64)
    for j in np.unique(first[spaced]):
        yield int(j), second[spaced][first[spaced] == j]


def mean_tau(sizes: Any) -> FloatArray:
    """
    Return Kendall's tau averaged over all pairs of g rankings of *sizes* (..., g, n).

    The mean over pairs of rankings of the product of two signs is the squared mean sign, less
    each ranking with itself. More than 64 features are sampled at 2016 evenly spaced pairs.
    Pairs tied everywhere are left out (tau-b); NaN where all are.
    """
    g, n = sizes.shape[-2:]
    if n < 2:
        return np.full(sizes.shape[:-2], np.nan)
    by_feature = np.ascontiguousarray(np.moveaxis(sizes, -1, 0))
    # counting in one byte is several times faster, where it can hold the count
    counts = np.int8 if g <= 127 else np.int32
    parts, untied = [], []
    for j, others in _pairs(n):
        own, rest = by_feature[j], by_feature[others]
        above = np.add.reduce((own > rest).view(np.int8), axis=-1, dtype=counts).astype(np.float64)
        below = np.add.reduce((own < rest).view(np.int8), axis=-1, dtype=counts)
        untied.append(above + below > 0)
        parts.append(((above - below) ** 2 / g - 1) / (g - 1))
    apart = np.moveaxis(np.concatenate(untied), 0, -1)
    squares = np.where(apart, np.moveaxis(np.concatenate(parts), 0, -1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # contiguous: the order of a sum follows the memory, which indexing leaves in any order
        tau = np.ascontiguousarray(squares).sum(axis=-1) / apart.sum(axis=-1)
    return np.asarray(tau, dtype=np.float64)
