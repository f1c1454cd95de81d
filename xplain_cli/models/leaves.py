"""Leaves as boxes, for closed forms: the answer is a base plus the values of the leaves hit.

Models that round x to float32 before they compare it have their boxes on x itself: the threshold
is moved to the last float64 number that still rounds to the left side, so boxes hold exactly.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class LeafBoxes:
    """
    Output = base + the sum of the values of the leaves that a row falls into.

    Attributes
    ----------
    values : (leaves, outputs)
        What each leaf adds to each output.
    base : (outputs,)
        What every row gets.
    leaf : (entries,)
        The leaf that an entry belongs to; a leaf without entries holds every row.
    column : (entries,)
        The input column that an entry is about; one entry per leaf and column.
    lower, upper : (entries,)
        The row is in the leaf where lower < x <= upper on all its columns.
    missing : (entries,) bool
        Whether NaN passes.
    """

    values: FloatArray
    base: FloatArray
    leaf: IntArray
    column: IntArray
    lower: FloatArray
    upper: FloatArray
    missing: BoolArray


@dataclass(frozen=True)
class Nodes:
    """
    The nodes of one tree: (nodes,) arrays; ``value`` is (nodes, outputs).

    ``left`` is -1 at a leaf. ``missing_left`` says whether NaN goes left.
    """

    left: IntArray
    right: IntArray
    column: IntArray
    threshold: FloatArray
    missing_left: BoolArray
    value: FloatArray


def last_left(threshold: FloatArray) -> FloatArray:
    """Return the greatest float64 x whose float32 rounding is still <= threshold."""
    with np.errstate(over="ignore"):
        below = threshold.astype(np.float32)
        below = np.where(below > threshold, np.nextafter(below, np.float32(-np.inf)), below)
        above = np.nextafter(below, np.float32(np.inf))
    ends = (np.clip(one.astype(np.float64), -(2.0**128), 2.0**128) for one in (below, above))
    middle = sum(ends) / 2
    even = (below.view(np.int32) & 1) == 0  # ties round to the even neighbour
    last = np.where(even, middle, np.nextafter(middle, -np.inf))
    return np.where(np.isfinite(threshold), last, threshold)


def joined(trees: list[Nodes], base: FloatArray) -> LeafBoxes:
    """Climb from all leaves of all trees to their roots at once, and merge the conditions."""
    start = np.cumsum([0, *(len(tree.left) for tree in trees)])[:-1]
    pairs = list(zip(trees, start.tolist(), strict=True))
    left = np.concatenate([np.where(one.left < 0, -1, one.left + at) for one, at in pairs])
    right = np.concatenate([np.where(one.right < 0, -1, one.right + at) for one, at in pairs])
    column = np.concatenate([one.column for one in trees])
    threshold = np.concatenate([one.threshold for one in trees])
    missing_left = np.concatenate([one.missing_left for one in trees])
    inside = np.flatnonzero(left >= 0)
    parent = np.full(len(left), -1, dtype=np.int64)
    parent[left[inside]] = parent[right[inside]] = inside
    held = parent >= 0  # pruned nodes lie about, held by none
    held[start] = True
    leaves = np.flatnonzero((left < 0) & held)
    node, leaf = leaves, np.arange(len(leaves))
    parts: list[tuple[Any, ...]] = []
    while True:
        above = parent[node] >= 0
        node, leaf = node[above], leaf[above]
        if not len(node):
            break
        over = parent[node]
        goes_left = left[over] == node
        upper = np.where(goes_left, threshold[over], np.inf)
        lower = np.where(goes_left, -np.inf, threshold[over])
        parts.append((leaf, column[over], lower, upper, missing_left[over] == goes_left))
        node = over
    values = np.concatenate([one.value for one in trees])[leaves]
    return _merged(values, base, parts)


def _merged(values: FloatArray, base: FloatArray, parts: list[tuple[Any, ...]]) -> LeafBoxes:
    """Make one entry of the conditions that a path puts on one column."""
    whole: IntArray = np.zeros(0, dtype=np.int64)
    if not parts:
        none = np.zeros(0)
        return LeafBoxes(values, base, whole, whole, none, none, np.zeros(0, dtype=np.bool_))
    leaf, column, lower, upper, missing = (np.concatenate(one) for one in zip(*parts, strict=True))
    order = np.lexsort((column, leaf))
    leaf, column = leaf[order], column[order]
    fresh = np.r_[True, (leaf[1:] != leaf[:-1]) | (column[1:] != column[:-1])]
    first = np.flatnonzero(fresh)
    return LeafBoxes(
        values,
        base,
        leaf[first],
        column[first],
        np.maximum.reduceat(lower[order], first),
        np.minimum.reduceat(upper[order], first),
        np.logical_and.reduceat(missing[order], first),
    )


def sum_of_leaves(boxes: LeafBoxes, rows: FloatArray) -> FloatArray:
    """Return the (rows, outputs) answers of leaf boxes on rows (rows, columns)."""
    answers = np.tile(boxes.base, (len(rows), 1))
    for i, row in enumerate(rows):
        x = row[boxes.column]
        passes = np.where(np.isnan(x), boxes.missing, (boxes.lower < x) & (x <= boxes.upper))
        hit = np.ones(len(boxes.values), dtype=np.bool_)
        np.logical_and.at(hit, boxes.leaf, passes)
        answers[i] += boxes.values[hit].sum(axis=0)
    return answers
