"""Functions whose explanations are known, as models: of a table, of texts, of pictures.

The self-test explains them by ``package.module:callable``, as it would any model.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray

NUMBERS = ("a", "b", "c", "d")
MANY = tuple(f"x{i:02}" for i in range(14))
LEVELS: dict[str, dict[str, float]] = {
    "city": {"oslo": 1.0, "bergen": -0.5, "bodo": 0.25},
    "job": {"clerk": 0.0, "cook": 2.0},
    "plan": {"basic": -1.0, "plus": 0.5, "pro": 1.5, "max": 0.0},
}
WORDS = {"good": 1.0, "bad": -2.0, "very": 0.5, "not": 0.25}


def curved(table: pd.DataFrame) -> FloatArray:
    """Return 2a - b + 1.5ac + sin(d) + abc of each row."""
    a, b, c, d = (table[name].to_numpy(dtype=np.float64) for name in NUMBERS)
    return np.asarray(2 * a - b + 1.5 * a * c + np.sin(d) + a * b * c, dtype=np.float64)


def pairwise(table: pd.DataFrame) -> FloatArray:
    """Return a sum of 14 terms, of the products of neighbours, and of the product of three."""
    x = table[list(MANY)].to_numpy(dtype=np.float64)
    products = x[:, :-1] * x[:, 1:] @ np.full(13, 0.5)
    return np.asarray(x @ pair_slopes() + products + x[:, 0] * x[:, 1] * x[:, 2])


def pair_slopes() -> FloatArray:
    """Return the slopes of ``pairwise``."""
    return np.linspace(-1.0, 1.5, len(MANY))


def levels(table: pd.DataFrame) -> FloatArray:
    """Return a sum of what each category is worth."""
    parts = [table[name].map(worth).to_numpy(dtype=np.float64) for name, worth in LEVELS.items()]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


def line(table: pd.DataFrame) -> FloatArray:
    """Return 2a - b + 0.5c + d of each row."""
    x = table[list(NUMBERS)].to_numpy(dtype=np.float64)
    return np.asarray(x @ np.array([2.0, -1.0, 0.5, 1.0]))


def words(texts: Sequence[str]) -> FloatArray:
    """Return what the words of each text are worth, and that "not" turns "good" around."""
    found = []
    for text in texts:
        own = set(text.split())
        worth = sum(WORDS.get(word, 0.0) for word in own)
        found.append(worth - 2.5 * ({"not", "good"} <= own))
    return np.array(found, dtype=np.float64)


def quadrants(pictures: Any) -> FloatArray:
    """Return the brightness of the quarters, weighted, and the product of two of them."""
    grey = np.asarray(pictures, dtype=np.float64).mean(axis=-1) / 255
    h, w = grey.shape[1] // 2, grey.shape[2] // 2
    parts = [grey[:, :h, :w], grey[:, :h, w:], grey[:, h:, :w], grey[:, h:, w:]]
    one, two, three, four = (part.mean(axis=(1, 2)) for part in parts)
    return np.asarray(one - 2 * two + 0.5 * three + four + 3 * one * two, dtype=np.float64)
