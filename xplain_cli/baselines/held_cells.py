"""Rows of a table some cells of which stay: what draws, baselines and texts change around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.models.batches import repeated


@dataclass(frozen=True)
class HeldCells:
    """
    Rows with all of their cells, in the order of the model.

    Attributes
    ----------
    table
        The rows.
    free
        The columns in which other cells may stand; those of all others stay the row's own.
    """

    table: pd.DataFrame
    free: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.table)

    def take(self, rows: Sequence[int]) -> "HeldCells":
        """Return some of the rows."""
        return HeldCells(repeated(self.table, np.array(rows, dtype=np.int64)), self.free)

    def with_cells(self, cells: "Mapping[str, Any] | pd.DataFrame") -> pd.DataFrame:
        """Return the rows with other cells in the free columns; *cells* may name more columns."""
        return self.table.assign(**{name: cells[name] for name in self.free})

    def of_row(self, row: int, cells: "Mapping[str, Any] | pd.DataFrame") -> pd.DataFrame:
        """Return one row as often as *cells* are many, each time with some of them."""
        count = len(cells[self.free[0]]) if self.free else 1
        return self.take([row] * count).with_cells(cells)
