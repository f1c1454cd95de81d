"""A sample of the rows of a large table, taken in one pass: neither order nor pieces decide it.

Bottom-k sampling (Cohen and Kaplan 2007, doi:10.1145/1281100.1281133): every row draws a number
from its values, and the rows with the smallest numbers are kept. Equal rows would all be kept or
all be lost, so a row also counts how many rows like it came before: whichever of them comes first,
as many of them stay.
"""

from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import IntArray
from xplain_cli.modalities.tabular.draws import row_keys

_HELD = 1.25  # times the rows that are kept, before the others are let go
_ODD = np.uint64(0x9E3779B97F4A7C15)


def _mixed(numbers: Any) -> Any:
    """Return 64-bit numbers stirred (splitmix64: Steele, Lea and Flood 2014)."""
    stirred = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    stirred = (stirred ^ (stirred >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return stirred ^ (stirred >> np.uint64(31))


class RowSample:
    """
    At most so many rows of a table that is fed piece by piece.

    Of rows that are not kept 16 bytes are: what equal rows have in common, and how many they are.

    Parameters
    ----------
    most
        How many rows are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen, self._counts = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
        self._numbers, self._largest = np.empty(0, dtype=np.uint64), np.uint64(2**64 - 1)
        self._places = np.empty(0, dtype=np.int64)
        self._rows: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame, places: IntArray) -> None:
        """Feed rows, and where (m,) they stand."""
        keys = b"".join(key[:8] for key in row_keys(rows))
        numbers = self._drawn(np.frombuffer(keys, dtype="<u8").astype(np.uint64))
        small = numbers <= self._largest
        self._numbers = np.concatenate([self._numbers, numbers[small]])
        self._places = np.concatenate([self._places, places[small]])
        self._rows.append(rows[small])
        if len(self._numbers) > self._most * _HELD:
            self._cut()

    def rows(self) -> tuple[pd.DataFrame, IntArray]:
        """Return the rows, in the order of the table, and where they stand."""
        self._cut()
        self._keep(np.argsort(self._places))
        return self._rows[0], self._places

    def _cut(self) -> None:
        if len(self._numbers) > self._most:
            self._keep(np.argpartition(self._numbers, self._most - 1)[: self._most])
            self._largest = self._numbers.max()

    def _keep(self, which: IntArray) -> None:
        together = pd.concat(self._rows, ignore_index=True)
        self._rows = [together.take(which).reset_index(drop=True)]
        self._numbers, self._places = self._numbers[which], self._places[which]

    def _drawn(self, keys: Any) -> Any:
        """Return the number that each row draws, and count the rows."""
        distinct, own, counts = np.unique(keys, return_inverse=True, return_counts=True)
        order = np.argsort(own, kind="stable")
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        before = np.empty(len(keys), dtype=np.int64)
        before[order] = np.arange(len(keys)) - starts
        at = np.searchsorted(self._seen, distinct)
        known = np.zeros(len(distinct), dtype=np.bool_)
        inside = at < len(self._seen)
        known[inside] = self._seen[at[inside]] == distinct[inside]
        earlier = np.zeros(len(distinct), dtype=np.int64)
        earlier[known] = self._counts[at[known]]
        self._counts[at[known]] += counts[known]
        self._seen = np.insert(self._seen, at[~known], distinct[~known])
        self._counts = np.insert(self._counts, at[~known], counts[~known])
        return _mixed(keys + (before + earlier[own]).astype(np.uint64) * _ODD)
