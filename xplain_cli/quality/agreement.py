"""Agreement of explanations: top-k overlap and rank correlation, over many draws at once."""

from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray

_MOST_PAIRS = 2016
_MANY_TIMES = 16
_WORD = 64  # bits
_PAIRS, _FOURS, _EIGHTS, _ONES = (
    np.uint64(0x0101010101010101 * part) for part in (0x55, 0x33, 0x0F, 0x01)
)


def top_members(sizes: Any, k: int) -> BoolArray:
    """Return which features are among the k largest *sizes* (..., n) from 0 on; k < n."""
    members: BoolArray = np.zeros(sizes.shape, dtype=np.bool_)
    if k * _MANY_TIMES < sizes.shape[-1]:  # then looking for them one by one is faster
        left = sizes.copy()
        for _ in range(k):
            largest = left.argmax(axis=-1)[..., None]
            np.put_along_axis(left, largest, -1.0, axis=-1)
            np.put_along_axis(members, largest, values=True, axis=-1)
        return members
    least = np.sort(sizes, axis=-1)[..., [-k]]  # of few numbers faster than partitioning them
    np.greater_equal(sizes, least, out=members)
    tied = np.count_nonzero(members, axis=-1) != k  # as of features that have no weight
    if tied.any():
        some = sizes[tied]
        chosen = np.argpartition(-some, k - 1, axis=-1)[..., :k]
        found = np.zeros(some.shape, dtype=np.bool_)
        np.put_along_axis(found, chosen, values=True, axis=-1)
        members[tied] = found
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


def _count_bits(words: Any) -> Any:
    """Return how many bits of each 64-bit number are 1 (Warren 2012, Hacker's Delight, 5-1)."""
    words = words - ((words >> np.uint64(1)) & _PAIRS)
    words = (words & _FOURS) + ((words >> np.uint64(2)) & _FOURS)
    words = (words + (words >> np.uint64(4))) & _EIGHTS
    return (words * _ONES) >> np.uint64(56)


def _above(by_feature: Any) -> IntArray:
    """
    Count of each pair of features in how many rankings the first is above the second.

    Parameters
    ----------
    by_feature : (n, b, g)
        The sizes in g rankings of b rows.

    Returns
    -------
    (b, pairs) int64
    """
    n, b, g = by_feature.shape
    # a bit for each ranking: packing and counting bits is several times faster than adding bytes
    found = np.zeros((n * (n - 1) // 2, b, -(-g // _WORD) * _WORD), dtype=np.bool_)
    end = 0
    for j in range(n - 1):  # one feature against all behind it: nothing is gathered
        start, end = end, end + n - 1 - j
        np.greater(by_feature[j], by_feature[j + 1 :], out=found[start:end, :, :g])
    words = np.packbits(found.reshape(-1)).view(np.uint64).reshape(len(found), b, -1)
    return np.ascontiguousarray(_count_bits(words).sum(axis=-1, dtype=np.int64).T)


def _orders_of_all(sizes: Any) -> tuple[IntArray, IntArray]:
    """Return what ``_orders`` does of all pairs, of sizes (b, g, n)."""
    by_feature = np.ascontiguousarray(np.moveaxis(sizes, -1, 0))
    above = _above(by_feature)
    below = sizes.shape[1] - above
    ordered = np.sort(sizes, axis=-1)
    tied = np.flatnonzero((ordered[..., 1:] == ordered[..., :-1]).any(axis=(-1, -2)))
    if len(tied):  # as features that have no weight are: neither is above the other
        below[tied] = _above(-by_feature[:, tied])
    return above, below


def _orders_of_some(sizes: Any, pairs: tuple[IntArray, IntArray]) -> tuple[IntArray, IntArray]:
    """Return what ``_orders`` does of some pairs, of sizes (b, g, n)."""
    # counting in one byte is several times faster, where it can hold the count
    counts = np.int8 if sizes.shape[1] <= 127 else np.int32
    found = np.empty((2, len(sizes), len(pairs[0])), dtype=counts)
    for i, ranking in enumerate(sizes):
        own, rest = (ranking.take(side, axis=1) for side in pairs)
        for side, place in zip((own > rest, own < rest), found, strict=True):
            np.add.reduce(side.view(np.int8), axis=0, dtype=counts, out=place[i])
    above, below = found.astype(np.int64)
    return above, below


def _orders(sizes: Any) -> tuple[IntArray, IntArray]:
    """
    Count of each pair of features in how many rankings the first is above, and below, the second.

    All pairs, or evenly spaced ones.

    Parameters
    ----------
    sizes : (..., g, n)

    Returns
    -------
    two of (..., pairs)
    """
    g, n = sizes.shape[-2:]
    rows, count = sizes.reshape(-1, g, n), n * (n - 1) // 2
    if count <= _MOST_PAIRS:
        found = _orders_of_all(rows)
    else:
        first, second = np.triu_indices(n, 1)
        spaced = np.linspace(0, count - 1, _MOST_PAIRS).astype(np.int64)
        found = _orders_of_some(rows, (first[spaced], second[spaced]))
    above, below = (one.reshape(*sizes.shape[:-2], -1) for one in found)
    return above, below


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
    above, below = _orders(sizes)
    apart = (above > 0) | (below > 0)
    signs = above.astype(np.float64) - below
    squares = np.where(apart, (signs**2 / g - 1) / (g - 1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = squares.sum(axis=-1) / apart.sum(axis=-1)
    return np.asarray(tau, dtype=np.float64)
