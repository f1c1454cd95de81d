"""Sums over the features of masks, looked up: a product with the masks would read them all.

Up to 11 features of a mask are one number. So an index of every mask is a sum of few entries of
tables, and sums over masks are counted by these numbers first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.designs import Design, all_masks
from xplain_cli.methods.solvers import centre, penalised

_BITS = 11  # a table of 2^11 numbers stays near the processor
_BLOCK = 1024


@cache
def _bits(count: int) -> FloatArray:
    """Return the bits of the numbers below 2^count, (2^count, count)."""
    return np.ascontiguousarray(all_masks(count), dtype=np.float64)


def _groups(n: int) -> list[slice]:
    """Return as few groups of n features as may be, about equally large."""
    count = -(-n // _BITS)
    ends = [n * i // count for i in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(ends)]


def _sums_of_subsets(values: FloatArray) -> FloatArray:
    """Return the sum of every subset of k values, by the number whose bits choose it: (2^k,)."""
    low = len(values) // 2
    high = _bits(len(values) - low) @ values[low:]
    found: FloatArray = np.add.outer(high, _bits(low) @ values[:low]).ravel()
    return found


def _sums_by_bit(counted: FloatArray, bits: int) -> FloatArray:
    """Return the sums of numbers (r, 2^bits) over the places that have each bit: (r, bits)."""
    low = bits // 2
    parts = counted.reshape(len(counted), -1, 1 << low)
    halves = parts.sum(axis=1) @ _bits(low), parts.sum(axis=2) @ _bits(bits - low)
    return np.concatenate(halves, axis=1)


@dataclass(frozen=True)
class TabledMasks:
    """Masks as an index model sees them: centred, with the logarithm of the share that stays."""

    design: Design

    @property
    def bytes(self) -> int:
        """About how many bytes it will take: masks as bits and as numbers."""
        return 9 * self.design.masks.size

    @property
    def groups(self) -> list[slice]:
        """The features of each number."""
        return _groups(self.design.masks.shape[-1])

    @cached_property
    def numbers(self) -> list[IntArray]:
        """Each group of features of each mask as a number, (r * m,)."""
        masks = self.design.masks.reshape(-1, self.design.masks.shape[-1])
        packed = [np.packbits(masks[:, own], axis=1, bitorder="little") for own in self.groups]
        worth = np.array([1, 256])
        return [found @ worth[: found.shape[1]] for found in packed]

    @cached_property
    def placed(self) -> list[IntArray]:
        """The same, those of each set of masks behind those of the ones before it."""
        r, m = self.design.weights.shape
        behind = np.repeat(np.arange(r), m)
        return [
            found + (behind << (own.stop - own.start))
            for found, own in zip(self.numbers, self.groups, strict=True)
        ]

    @cached_property
    def columns(self) -> FloatArray:
        """[1, masks less 1/2], (1 + n, r * m), in double precision."""
        masks = self.design.masks.reshape(-1, self.design.masks.shape[-1])
        return np.asarray(_centred(masks, np.float64), dtype=np.float64)

    @cached_property
    def coarse(self) -> Any:
        """The same in single precision."""
        masks = self.design.masks.reshape(-1, self.design.masks.shape[-1])
        return _centred(masks, np.float32)

    @cached_property
    def counts(self) -> IntArray:
        """How many features stay, (r * m,)."""
        return np.asarray(self.design.masks.sum(axis=-1).ravel(), dtype=np.int64)

    @cached_property
    def shares(self) -> FloatArray:
        """log((k + 1/2) / (n + 1/2)) for k = 0..n features that stay, (n + 1,)."""
        n = self.design.masks.shape[-1]
        return np.asarray(np.log((np.arange(n + 1) + 0.5) / (n + 0.5)), dtype=np.float64)

    @cached_property
    def logs(self) -> FloatArray:
        """The same of each mask, (r * m,)."""
        return np.asarray(self.shares[self.counts], dtype=np.float64)

    @cached_property
    def own(self) -> FloatArray:
        """Weighted Gram matrix of [1, masks less 1/2] in each set, (r, 1 + n, 1 + n)."""
        n = self.design.masks.shape[-1]
        found = np.zeros((len(self.design.weights), 1 + n, 1 + n))
        roots = np.sqrt(self.design.weights)
        for i, masks in enumerate(self.design.masks):
            for start in range(0, len(masks), _BLOCK):  # a block stays near the processor
                block = _centred(masks[start : start + _BLOCK], np.float64)
                block *= roots[i, start : start + _BLOCK]
                found[i] += block @ block.T
        return found

    @cached_property
    def inverses(self) -> dict[float, FloatArray]:
        """Inverse normal matrices (r, n, n) by penalty: one for all rows."""
        return {}

    def index(self, tables: Sequence[FloatArray]) -> FloatArray:
        """Return (masks less 1/2) . direction, (r * m,), of a direction's ``tables_of``."""
        found: FloatArray | None = None
        for numbers, table in zip(self.numbers, tables, strict=True):
            part = table.take(numbers)
            found = part if found is None else np.add(found, part, out=found)
        if found is None:
            raise ValueError("masks without a feature")
        return found

    def totals(self, weighted: FloatArray) -> FloatArray:
        """Return the sums of values (r * m,) where each feature stays, set by set: (r, n)."""
        r = len(self.design.weights)
        found = []
        for placed, own in zip(self.placed, self.groups, strict=True):
            bits = own.stop - own.start
            counted = np.bincount(placed, weighted, r << bits).reshape(r, 1 << bits)
            found.append(_sums_by_bit(np.asarray(counted, dtype=np.float64), bits))
        return np.concatenate(found, axis=1)

    def _inverse(self, ridge: float) -> FloatArray:
        """Return the inverse of the centred normal matrix of each set, (r, n, n)."""
        if ridge not in self.inverses:
            n = self.design.masks.shape[-1]
            matrix = penalised(centre(self.own, n)[0], ridge)
            self.inverses[ridge] = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        return self.inverses[ridge]

    def surrogates(self, values: FloatArray, ridge: float) -> tuple[FloatArray, FloatArray]:
        """
        Fit values (t, r * m) in each set of masks.

        Returns
        -------
        beta : (r, t, n)
        intercept : (r, t)
        """
        r, t = len(self.design.weights), len(values)
        means = self.own[:, 0, 1:] / self.own[:, 0, :1]
        beta, intercept = np.empty((r, t, means.shape[1])), np.empty((r, t))
        for at, own in enumerate(values * self.design.weights.ravel()):
            total = own.reshape(r, -1).sum(axis=1)
            right = self.totals(own) - 0.5 * total[:, None] - total[:, None] * means
            beta[:, at] = (self._inverse(ridge) @ right[:, :, None])[:, :, 0]
            level = total / self.own[:, 0, 0]
            intercept[:, at] = level - (beta[:, at] * (means + 0.5)).sum(axis=-1)
        return beta, intercept


def _centred(masks: BoolArray, kind: Any) -> Any:
    """Return [1, masks less 1/2], (1 + n, m)."""
    found = np.empty((1 + masks.shape[1], len(masks)), dtype=kind)
    found[0] = 1
    np.subtract(masks.T, kind(0.5), out=found[1:])
    return found


def tables_of(direction: FloatArray) -> list[FloatArray]:
    """Return the sums of a direction over every choice of each group of features, centred."""
    tables = [_sums_of_subsets(direction[own]) for own in _groups(len(direction))]
    tables[0] -= 0.5 * direction.sum()
    return tables
