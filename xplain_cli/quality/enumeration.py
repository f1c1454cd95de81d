"""Explanations by enumeration, from their definitions: what methods are held against."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray

Value = Callable[[tuple[bool, ...]], float]
"""What the model says of a row of which only some features are there."""


def shapley_values(value: Value, n: int) -> FloatArray:
    """Return the Shapley values by their definition (Shapley 1953): means over all orders."""
    found = np.zeros(n)
    for mask in itertools.product((False, True), repeat=n):
        size = sum(mask)
        for i in range(n):
            if not mask[i]:
                weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                found[i] += weight * (value((*mask[:i], True, *mask[i + 1 :])) - value(mask))
    return found


def left_out(value: Value, n: int) -> FloatArray:
    """Return what is lost without each feature alone."""
    full = (True,) * n
    return np.array([value(full) - value((*full[:i], False, *full[i + 1 :])) for i in range(n)])


def _fit(z: FloatArray, weight: FloatArray, answer: FloatArray) -> FloatArray:
    """Return the slopes of weighted least squares with an intercept."""
    design = np.column_stack([np.ones(len(z)), z]) * np.sqrt(weight)[:, None]
    solution, *_ = np.linalg.lstsq(design, answer * np.sqrt(weight), rcond=None)
    return np.asarray(solution[1:], dtype=np.float64)


def cosine_kernel(share: float) -> float:
    """Return the weight of a mask of which a share stays (packages lime_text and lime_image)."""
    return math.exp(-((1 - math.sqrt(share)) ** 2) / (2 * 0.25**2))


def flat_kernel(share: float) -> float:  # noqa: ARG001 - all masks weigh the same
    """Return the weight of a mask of RISE (Petsiuk, Das and Saenko 2018)."""
    return 1.0


def _size_probability(stay: int, n: int, *, by_size: bool) -> float:
    if not by_size:
        return 0.5**n
    return 0.0 if stay == n else 1 / n / math.comb(n, stay)


def mask_slopes(
    value: Value, n: int, kernel: Callable[[float], float], *, by_size: bool
) -> FloatArray:
    """
    Return the slopes of LIME on all masks, each with its probability.

    Parameters
    ----------
    by_size
        Whether every number of features is taken away equally often, as ``lime_text`` does; else
        each stays with probability 1/2, as ``lime_image`` does.
    """
    masks = list(itertools.product((False, True), repeat=n))
    weight = [
        _size_probability(sum(mask), n, by_size=by_size) * kernel(sum(mask) / n) for mask in masks
    ]
    answers = np.array([value(mask) for mask in masks])
    return _fit(np.array(masks, dtype=np.float64), np.array(weight), answers)


def level_slopes(
    shares: Sequence[Mapping[Any, float]],
    row: Sequence[Any],
    answer: Callable[[Sequence[Any]], float],
    width: float,
) -> FloatArray:
    """
    Return the slopes of LIME on a table of categories, over all rows that can be drawn.

    Parameters
    ----------
    shares
        Of each column how often each level is drawn.
    row
        The row that is explained.
    answer
        What the model says of a row.
    width
        Of the kernel exp(-d / (2 width^2)), d levels that differ (package ``lime``, lime_tabular).
    """
    z, weight, answers = [], [], []
    for drawn in itertools.product(*(column.items() for column in shares)):
        same = np.array([level == own for (level, _), own in zip(drawn, row, strict=True)])
        z.append(same.astype(np.float64))
        probability = math.prod(share for _, share in drawn)
        weight.append(probability * math.exp(-float((~same).sum()) / (2 * width**2)))
        answers.append(answer([level for level, _ in drawn]))
    return _fit(np.array(z), np.array(weight), np.array(answers))
