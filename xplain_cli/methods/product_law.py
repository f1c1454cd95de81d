"""LIME's weighted law of binned draws: a product over features, for each row another.

A draw is weighted by kappa for each feature in which it is not in the row's bin. Features are
drawn independently, so the weighted law Q is a product as well: a feature is in the row's bin with
p' = p / (p + (1 - p) kappa), p being the frequency of that bin. So the Gram matrix of the match
indicators is known: diagonal, with variances p' (1 - p') (Garreau and von Luxburg 2020,
arXiv:2001.03447). What is not known, one pass over the draws measures.

With many features weights hardly vary: their mean is 1, and at 500 columns 97 of 100 lie within
.95 and 1.05. A mean under the weighted law is the plain mean, which is the same for all rows, and a
mean of (weight - 1) times the value, so small that a part of the draws measures it well enough.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.additive import level_starts
from xplain_cli.methods.requests import Pool

_BLOCK_FEATURES, _BLOCK_NUMBERS = 32, 1 << 18  # about what caches hold
_ADDED, _LEAST_LOOKED = 0.005, 64


@dataclass(frozen=True)
class RowLaws:
    """
    The weighted laws of b rows with n features.

    Attributes
    ----------
    places : (b, n) int
        The row's own level among those of all features.
    seen : (b, n) int
        Draws that are in the row's bin.
    contrasted : (b, n) bool
        Where draws lie both inside and outside the row's bin.
    plain, tilted : (b, n)
        p and p': 0 where no draw is in the bin, 1 where all are.
    log_weight : (b,)
        Logarithm of the mean weight of a draw.
    """

    places: IntArray
    seen: IntArray
    contrasted: BoolArray
    plain: FloatArray
    tilted: FloatArray
    log_weight: FloatArray

    @property
    def variances(self) -> FloatArray:
        """Variances of the match indicators under the weighted law, (b, n)."""
        return self.tilted * (1 - self.tilted)


def row_laws(codes: IntArray, pool: Pool, width: float) -> RowLaws:
    """
    Return the weighted laws of rows with the levels *codes* (b, n), -1 for one that no draw has.

    A level that the background has but no draw shows is taken as one that cannot be drawn.
    """
    starts = level_starts(pool.levels)
    places = starts[:-1] + np.maximum(codes, 0)
    total = len(pool.outputs)
    counts = np.rint(pool.by_level[0].sum(axis=0) * total / pool.repeats)
    seen = np.where(codes >= 0, counts[places], 0).astype(np.int64)
    share = np.where(codes >= 0, np.concatenate(pool.frequencies)[places], 0.0)
    apart = np.exp(-0.5 / width**2)
    log_weight = np.log(share + (1 - share) * apart).sum(axis=-1)
    contrasted = (seen > 0) & (seen < total)
    plain = np.where(contrasted, share, (seen == total).astype(np.float64))
    return RowLaws(
        places, seen, contrasted, plain, plain / (plain + (1 - plain) * apart), log_weight
    )


def count_looked(n: int, width: float, size: int) -> int:
    """
    Return how many of the *size* draws of a repeat the weights of a row are taken at.

    Half of them, a quarter and so on, while that adds at most 0.5 % to the variances: by looking
    at one of c draws, c - 1 times the variance of the weights. They vary most with bins of one half
    each; at the default width half of the draws serve from 40 features, an eighth from 277.
    """
    apart = math.exp(-0.5 / width**2)
    if apart < _ADDED:
        return size
    logarithm = n * math.log1p((1 - apart) ** 2 / (4 * apart))
    spread = math.expm1(min(logarithm, 1.0))
    parts = 1
    while (2 * parts - 1) * spread <= _ADDED and size // (2 * parts) >= _LEAST_LOOKED:
        parts *= 2
    return -(-size // parts)


class Draws:
    """
    The draws of a pool at which weights are taken, passed over for some rows at a time.

    Nothing of a row depends on its neighbours: they only find a block of draws in caches.

    Attributes
    ----------
    width
        Of the kernel.
    plain : 0.0 or 1.0
        What is taken from the weights before values are added up: 1 where only the first draws of
        each repeat are looked at (``count_looked``), and what is left is added to plain means.
    """

    def __init__(self, pool: Pool, width: float) -> None:
        codes = np.asarray(pool.draw.codes)
        n, total = codes.shape
        whole = total // pool.repeats
        self._repeats, self._size = pool.repeats, count_looked(n, width, whole)
        self.width, self._factor, self._pool = width, -0.5 / width**2, codes
        self.plain = float(self._size < whole)
        self._codes = self.looked(codes)
        self._kind = np.uint8 if n <= 255 else np.uint32
        features = min(n, _BLOCK_FEATURES)
        some = min(pool.repeats, max(1, _BLOCK_NUMBERS // (features * self._size)))
        self._found = np.empty(features * some * self._size, dtype=np.bool_)
        self._numbers = np.empty(features * some * self._size, dtype=np.float32)
        self._blocks = [
            (slice(j, min(j + features, n)), slice(r, min(r + some, pool.repeats)))
            for r in range(0, pool.repeats, some)
            for j in range(0, n, features)
        ]

    def together(self, columns: int) -> int:
        """Return for how many rows with so many columns of values to pass over them at a time."""
        total: int = self._codes.shape[1]
        return max(1, _BLOCK_NUMBERS // (columns * total))

    def _draws(self, repeats: slice) -> slice:
        """Return the places of the draws of some repeats."""
        return slice(repeats.start * self._size, repeats.stop * self._size)

    def looked(self, values: Any) -> Any:
        """Return of values (x, N) of all draws those at which weights are taken, (x, r * m)."""
        by_repeat = values.reshape(len(values), self._repeats, -1)[..., : self._size]
        return np.ascontiguousarray(by_repeat).reshape(len(values), -1)

    def whole(self, weights: Any) -> FloatArray:
        """Return what all draws count for (N,), of the weights (r * m,) of those looked at."""
        total = self._pool.shape[1]
        counts = np.full((self._repeats, total // self._repeats), self.plain)
        scale = counts.shape[1] / self._size
        counts[:, : self._size] += (weights.reshape(self._repeats, -1) - self.plain) * scale
        return counts.ravel()

    def matches(self, own: Any) -> BoolArray:
        """Return where the draws of the pool have the levels (n,) of a row, (n, N)."""
        return np.asarray(self._pool == own[:, None])

    def _matched(self, codes: Any, own: Any) -> Any:
        """Return where a block of draws has the levels (f,) of a row, a byte a number."""
        found = self._found[: codes.size].reshape(codes.shape)
        return np.equal(codes, own[:, None], out=found).view(np.uint8)

    def weights(self, own: Any, log_weight: FloatArray) -> Any:
        """
        Return the weights of draws at b rows over their mean under the law, (b, r * m), float32.

        Parameters
        ----------
        own : (b, n)
            The rows' levels, in the type of the draws.
        log_weight : (b,)
            As of ``RowLaws``.
        """
        total: Any = np.zeros((len(own), self._codes.shape[1]), dtype=self._kind)
        for features, repeats in self._blocks:
            at = self._draws(repeats)
            codes = self._codes[features, at]
            for row, count in zip(own, total, strict=True):
                found = self._matched(codes, row[features])
                # a block counts in one byte: several times faster
                count[at] += np.add.reduce(found, axis=0, dtype=np.uint8)
        away = np.arange(own.shape[1], -1, -1) * self._factor
        apart = np.exp(np.minimum(away - log_weight[:, None], 60.0)).astype(np.float32)
        return np.stack([part.take(count) for part, count in zip(apart, total, strict=True)])

    def matched_sums(self, own: Any, weighted: Any) -> FloatArray:
        """
        Return the means over each repeat of values, where the draws match a row.

        Parameters
        ----------
        own : (b, n)
            The rows' levels, in the type of the draws.
        weighted : (b, c, r * m) float32

        Returns
        -------
        (b, r, c, n)
        """
        b, c, _ = weighted.shape
        by_repeat = weighted.reshape(b, c, self._repeats, -1).transpose(0, 2, 1, 3)
        sums = np.empty((b, self._repeats, c, len(self._codes)))
        for features, repeats in self._blocks:
            codes = self._codes[features, self._draws(repeats)]
            numbers = self._numbers[: codes.size].reshape(codes.shape)
            columns = numbers.reshape(len(numbers), -1, self._size).transpose(1, 2, 0)
            for row, values, found in zip(own, by_repeat, sums, strict=True):
                numbers[:] = self._matched(codes, row[features])  # faster than from bool
                found[repeats, :, features] = values[repeats] @ columns
        sums /= self._size
        return sums
