"""The units of a corpus: how many documents have each, and its mean weight on the target."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import Records

COLUMNS = ("target", "feature", "n_documents", "mean_weight", "std_error", "share_positive")
"""
Columns of vocabulary.csv: a line per (target, unit), the largest sum of |mean weight| first.

``std_error`` is that of the mean over documents, which their spread holds and the sampling error
of their weights as well; for a unit of one document it is that weight's own.
"""


@dataclass
class _Sums:
    documents: int = 0
    weight: float = 0.0
    square: float = 0.0
    error: float = 0.0
    positive: int = 0

    def add(self, weight: float, error: float) -> None:
        """Add the weight of a unit in one document."""
        self.documents += 1
        self.weight += weight
        self.square += weight * weight
        self.error += error * error
        self.positive += weight > 0

    def line(self, target: str, unit: str) -> dict[str, Any]:
        """Return the unit's line."""
        n = self.documents
        mean = self.weight / n
        spread = max(self.square / n - mean * mean, 0.0) * n / max(n - 1, 1)
        error = np.sqrt(spread / n) if n > 1 else np.sqrt(self.error)
        return {
            "target": target,
            "feature": unit,
            "n_documents": n,
            "mean_weight": mean,
            "std_error": float(error),
            "share_positive": self.positive / n,
        }


def vocabulary(parts: Iterable[Records]) -> pd.DataFrame:
    """
    Sum up all weights, those that ``--top-k`` leaves out as well, by target and unit.

    A unit that stands several times in a document (``--occurrences each``) counts once there, with
    the sum of its weights.
    """
    sums: dict[tuple[str, str], _Sums] = {}
    for records in parts:
        lines = records.weights[["row_id", "target", "feature", "weight", "std_error"]]
        squares = lines.assign(std_error=lines["std_error"].astype(float) ** 2)
        keys = ["row_id", "target", "feature"]
        found = squares.groupby(keys, sort=False)[["weight", "std_error"]].sum()
        values = found.to_numpy(dtype=float).tolist()
        for (_, target, unit), (weight, square) in zip(found.index.tolist(), values, strict=True):
            sums.setdefault((str(target), str(unit)), _Sums()).add(weight, square**0.5)
    said = [total.line(*key) for key, total in sums.items()]
    said.sort(key=lambda one: (-abs(one["mean_weight"]) * one["n_documents"], one["feature"]))
    return pd.DataFrame(said, columns=list(COLUMNS))
