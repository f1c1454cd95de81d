"""Shapley values of trees in closed form, leaf by leaf, between a row and its baselines.

Interventional Tree SHAP (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9). A leaf pays
its value to the coalitions that hold all p features by which only the row is in the leaf, and none
of the q by which only the baseline is: (p - 1)! q! / (p + q)! of it to each of the p, less
p! (q - 1)! / (p + q)! to each of the q.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray, exact_attribution
from xplain_cli.features import Masker, SidedRows, Wants
from xplain_cli.methods.defaults import no_constants, nothing_sampled
from xplain_cli.methods.requests import Explaining, Task
from xplain_cli.targets import pair_values

_MOST_CELLS = 4_000_000


@dataclass(frozen=True)
class TreeShap:
    """Exact Shapley values of trees, forests, and boosting on raw margins."""

    needs: ClassVar[frozenset[str]] = frozenset({"leaves"})
    instead: ClassVar[str] = "kernel-shap"
    exact: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants()
    sampled: ClassVar[bool] = False

    default_budget = nothing_sampled
    facts = no_constants

    def row_inputs(self, _law: Masker, _n: int, _budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row takes: none."""
        return 0

    def read_leaves(self, boxes: Any, _law: Masker, kept: Any) -> Any:
        """Return the leaves of a tree model as the closed form takes them."""
        return sort_leaves(boxes, kept)

    def explain(self, task: Task[Masker, SidedRows]) -> Explaining:
        """Explain a block of rows; the model is asked nothing."""
        yield from ()
        b, t, n = len(task.block), task.pairs.shape[1], task.n
        weights, base = np.empty((b, t, n)), np.empty((b, t))
        for i in range(b):
            row, baselines, owners = task.block.sides(i)
            phi, lowest = shapley_of_leaves(task.leaves, row, baselines, owners)
            weights[i] = pair_values(phi, task.pairs[i], margin=task.margin)
            base[i] = pair_values(lowest[None], task.pairs[i], margin=task.margin)[:, 0]
        nothing = np.zeros(b, dtype=np.int64)
        return exact_attribution(weights, base, samples=0, asked=nothing)


@dataclass(frozen=True)
class SortedLeaves:
    """
    Leaf boxes, the entries of a leaf side by side.

    Attributes
    ----------
    values : (leaves, u), base : (u,)
        Of the outputs that are needed; leaves that hold every row are in the base.
    starts : (leaves,) int
        The first entry of each leaf.
    leaf, column : (entries,) int
    lower, upper : (entries,), missing : (entries,) bool
        The row is inside where lower < x <= upper, or x is missing and may be.
    """

    values: FloatArray
    base: FloatArray
    starts: IntArray
    leaf: IntArray
    column: IntArray
    lower: FloatArray
    upper: FloatArray
    missing: BoolArray

    def inside(self, rows: FloatArray) -> BoolArray:
        """Return where rows (k, columns) pass the entries, (k, entries)."""
        x = rows[:, self.column]
        return np.asarray(
            ((self.lower < x) & (x <= self.upper)) | (np.isnan(x) & self.missing), dtype=np.bool_
        )


def sort_leaves(boxes: Any, kept: IntArray) -> SortedLeaves:
    """Bring leaf boxes (``models.LeafBoxes``) into order, for the outputs that are kept."""
    held = np.unique(boxes.leaf)
    rest = np.setdiff1d(np.arange(len(boxes.values)), held)
    order = np.argsort(boxes.leaf, kind="stable")
    leaf = np.searchsorted(held, boxes.leaf[order])
    return SortedLeaves(
        values=np.ascontiguousarray(boxes.values[held][:, kept]),
        base=boxes.base[kept] + boxes.values[rest][:, kept].sum(axis=0),
        starts=np.searchsorted(leaf, np.arange(len(held))),
        leaf=leaf,
        column=boxes.column[order],
        lower=boxes.lower[order],
        upper=boxes.upper[order],
        missing=boxes.missing[order],
    )


def _by_feature(leaves: SortedLeaves, owners: IntArray) -> tuple[SortedLeaves, IntArray, IntArray]:
    """
    Bring the entries of a leaf whose columns are one feature side by side.

    Returns
    -------
    the leaves, whose *starts* and *leaf* now count features; the first entry of each feature of a
    leaf, and which feature it is
    """
    count = int(owners.max(initial=-1)) + 2
    keys = leaves.leaf * count + owners[leaves.column] + 1  # 0: a column equal in row and baselines
    order = np.argsort(keys, kind="stable")
    joined, firsts = np.unique(keys[order], return_index=True)
    parts = {name: getattr(leaves, name)[order] for name in ("column", "lower", "upper", "missing")}
    starts = np.searchsorted(joined // count, np.arange(len(leaves.starts)))
    return replace(leaves, starts=starts, leaf=joined // count, **parts), firsts, joined % count - 1


def _passed(leaves: SortedLeaves, rows: FloatArray, firsts: IntArray) -> BoolArray:
    """Return which features of which leaves rows (k, columns) pass: with all of their columns."""
    inside = leaves.inside(rows)
    if len(firsts) == inside.shape[1]:
        return inside
    return np.logical_and.reduceat(inside, firsts, axis=1)


def _reached(leaves: SortedLeaves, mine: BoolArray, others: BoolArray) -> tuple[IntArray, ...]:
    """
    Find the leaves that some mixture of the row and a baseline falls into.

    Returns
    -------
    of each such pair of baseline and leaf these two, and its first entry here; of each of its
    entries the baseline and the entry in *leaves*
    """
    lost = np.flatnonzero(~mine)
    dead = np.zeros((len(others), len(leaves.starts)), dtype=np.bool_)
    if len(lost):
        held, at = np.unique(leaves.leaf[lost], return_index=True)
        dead[:, held] = np.logical_or.reduceat(~others[:, lost], at, axis=1)
    baseline, leaf = np.nonzero(~dead)
    counts = np.diff(np.r_[leaves.starts, len(leaves.leaf)])[leaf]
    begins = np.cumsum(counts) - counts
    entry = np.arange(counts.sum()) + np.repeat(leaves.starts[leaf] - begins, counts)
    return leaf, begins, np.repeat(baseline, counts), entry


def _shares(most: int) -> tuple[FloatArray, FloatArray]:
    """Return (p - 1)! q! / (p + q)! and p! (q - 1)! / (p + q)!, (most + 1, most + 1)."""
    from scipy.special import gammaln

    p, q = np.arange(most + 1)[:, None], np.arange(most + 1)[None]
    whole = gammaln(p + q + 1)
    gives = np.exp(gammaln(np.maximum(p, 1)) + gammaln(q + 1) - whole)
    takes = np.exp(gammaln(p + 1) + gammaln(np.maximum(q, 1)) - whole)
    return gives, takes


def shapley_of_leaves(
    leaves: SortedLeaves, row: FloatArray, baselines: FloatArray, owners: IntArray
) -> tuple[FloatArray, FloatArray]:
    """
    Return the Shapley values (n, u) of a row (columns,), and the mean output (u,) at its baselines.

    Parameters
    ----------
    baselines : (k, columns)
        Averaged over.
    owners : (columns,) int
        The feature of each column; -1 for a column that is equal in row and baselines.
    """
    n = int(owners.max(initial=-1)) + 1
    if not len(leaves.leaf):
        return np.zeros((n, leaves.values.shape[1])), leaves.base
    leaves, firsts, feature = _by_feature(leaves, owners)
    mine = _passed(leaves, row[None], firsts)[0]
    step = max(1, _MOST_CELLS // max(1, len(leaves.column)))
    phi, base = np.zeros((n, leaves.values.shape[1])), np.zeros(leaves.values.shape[1])
    for at in range(0, len(baselines), step):
        others = _passed(leaves, baselines[at : at + step], firsts)
        leaf, begins, baseline, entry = _reached(leaves, mine, others)
        if not len(entry):
            continue
        own, other = mine[entry], others[baseline, entry]
        only, less = own & ~other, other & ~own
        p, q = (np.add.reduceat(one.astype(np.int64), begins) for one in (only, less))
        gives, takes = _shares(int(max(p.max(), q.max())))
        counts = np.diff(np.r_[begins, len(entry)])
        shares = np.where(only, np.repeat(gives[p, q], counts), 0.0)
        shares -= np.where(less, np.repeat(takes[p, q], counts), 0.0)
        moved = np.flatnonzero(only | less)
        for u, values in enumerate(leaves.values.T):
            parts = shares[moved] * values[leaves.leaf[entry[moved]]]
            phi[:, u] += np.bincount(feature[entry[moved]], parts, minlength=n)
        base += leaves.values[leaf[p == 0]].sum(axis=0)
    return phi / len(baselines), leaves.base + base / len(baselines)
