"""LIME's infinite-sample answer for trees, in closed form: no sampling error at all.

With bins, kernel and law factorise over features: the weights are those of a least-squares fit
under the tilted law Q, where a feature is present with probability
p' = p / (p + (1 - p) kappa), p being the background frequency of the row's bin and kappa the
kernel's factor for one absent feature. Features are independent under Q, so

    beta_j = E_Q[f | z_j = 1] - E_Q[f | z_j = 0],   intercept = E_Q[f] - sum_j p'_j beta_j

and for a sum of leaves each expectation is a product of interval probabilities along the path
(Garreau and von Luxburg 2020, arXiv:2001.03447, give the limit for general f).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xplain_cli.explanation import (
    Attribution,
    BoolArray,
    FloatArray,
    IntArray,
    exact_attribution,
)
from xplain_cli.features import Sampler
from xplain_cli.methods.locality import share_determined
from xplain_cli.methods.requests import Pool, TableTask, kernel_weights
from xplain_cli.targets import pair_values


@dataclass(frozen=True)
class Leaves:
    """
    Leaf boxes seen through a sampler.

    Attributes
    ----------
    values : (leaves, k) what a leaf adds to each output
    base : (k,)
    feature : (leaves, depth) int; -1 where a path is shorter
    inside : (leaves, depth, codes) P(the condition holds | code of that feature)
    overall : (leaves, depth) P(the condition holds) under the background law
    held : conditions on columns that stay the row's own, one an entry: the leaf, the column, and
        between which numbers it lies
    """

    values: FloatArray
    base: FloatArray
    feature: IntArray
    inside: FloatArray
    overall: FloatArray
    held: "HeldConditions"

    def at(self, row: FloatArray) -> "Leaves":
        """Return the leaves as a row (columns,) sees them: those that its own cells miss give 0."""
        missed = self.held.missed(row)
        if not len(missed):
            return self
        values = self.values.copy()
        values[missed] = 0.0
        return replace(self, values=values)


@dataclass(frozen=True)
class HeldConditions:
    """
    Conditions (e,) on columns that stay the row's own.

    Attributes
    ----------
    leaf, column : int
    lower, upper : float, missing : bool
        The condition holds where lower < x <= upper, or x is missing and may be.
    """

    leaf: IntArray
    column: IntArray
    lower: FloatArray
    upper: FloatArray
    missing: BoolArray

    def missed(self, row: FloatArray) -> IntArray:
        """Return the leaves that a row (columns,) cannot be in."""
        x = row[self.column]
        inside = ((self.lower < x) & (x <= self.upper)) | (np.isnan(x) & self.missing)
        return np.unique(self.leaf[~inside])


def see_leaves(boxes: Any, perturbation: Sampler, kept: IntArray) -> Leaves:
    """
    Measure the conditions of leaf boxes (``models.leaves.LeafBoxes``) under a sampler.

    Only the *kept* outputs are looked at.

    Raises
    ------
    UsageError
        A column without bins of its own (a group).
    """
    levels = max(len(f) for f in perturbation.frequencies)
    n_leaves, entries = len(boxes.values), len(boxes.leaf)
    order = np.argsort(boxes.leaf, kind="stable")
    leaf = boxes.leaf[order]
    place = np.arange(entries) - np.searchsorted(leaf, leaf)
    depth = int(place.max()) + 1 if entries else 1
    feature = np.full((n_leaves, depth), -1, dtype=np.int64)
    inside = np.ones((n_leaves, depth, levels))
    overall = np.ones((n_leaves, depth))
    owner = np.array(perturbation.owners)[boxes.column[order]]
    for j, frequency in enumerate(perturbation.frequencies):
        at = owner == j
        part = order[at]
        share = perturbation.interval(j, boxes.lower[part], boxes.upper[part], boxes.missing[part])
        where = (leaf[at], place[at])
        feature[where] = j
        inside[where[0], where[1], : len(frequency)] = share
        overall[where] = share @ frequency
    own = order[owner < 0]
    parts = (boxes.leaf, boxes.column, boxes.lower, boxes.upper, boxes.missing)
    held = HeldConditions(*(part[own] for part in parts))
    return Leaves(boxes.values[:, kept], boxes.base[kept], feature, inside, overall, held)


def _leave_one_out(error_factors: FloatArray) -> FloatArray:
    """Return the product of all other factors of each path, (leaves, depth)."""
    before = np.ones_like(error_factors)
    after = np.ones_like(error_factors)
    np.cumprod(error_factors[:, :-1], axis=1, out=before[:, 1:])
    after[:, :-1] = np.cumprod(error_factors[:, :0:-1], axis=1)[:, ::-1]
    return before * after


def _by_feature(feature: IntArray, steps: FloatArray, values: FloatArray, n: int) -> FloatArray:
    """Sum leaf values times steps (leaves, depth) by feature: (k, n)."""
    sums = [np.bincount(feature.ravel(), (v[:, None] * steps).ravel(), n) for v in values.T]
    return np.stack(sums).astype(np.float64)


def _explain_row(
    leaves: Leaves, codes: IntArray, frequencies: tuple[FloatArray, ...], kappa: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """
    Return weights (k, n), intercept (k,) and own-bin weights (k, n) of one row.

    A bin that the background lacks, or that is all of it, has no contrast: weight 0.
    """
    n = len(codes)
    p = np.array([f[c] if c >= 0 else 0.0 for f, c in zip(frequencies, codes, strict=True)])
    present = p / (p + (1 - p) * kappa)
    path = leaves.feature >= 0
    j = np.where(path, leaves.feature, 0)
    code = np.maximum(codes, 0)[j]
    on = np.take_along_axis(leaves.inside, code[:, :, None], axis=2)[:, :, 0]
    contrasted = (p > 0) & (p < 1)
    share = np.where(contrasted, p, 0.0)[j]
    off = (leaves.overall - share * on) / (1 - share)
    held = np.where(contrasted[j], present[j] * on + (1 - present[j]) * off, leaves.overall)
    held = np.where(path, held, 1.0)
    step = np.where(path & contrasted[j], on - off, 0.0)
    tilted, plain = (
        _by_feature(j, step * _leave_one_out(others), leaves.values, n)
        for others in (held, leaves.overall)
    )
    mean = leaves.base + held.prod(axis=1) @ leaves.values
    return tilted, mean - tilted @ present, plain


def explain_exactly(task: TableTask, pool: Pool, width: float) -> Attribution:
    """
    Explain a block by the closed form; the pool serves only to measure the surrogate's fit.

    Raises
    ------
    ValueError
        The task brings no leaves.
    """
    if task.leaves is None:
        raise ValueError("explain_exactly needs leaves")
    kappa = float(np.exp(-0.5 / width**2))
    b, t, n = len(task.block), task.pairs.shape[1], len(task.perturbation.names)
    weights, own, base = np.empty((b, t, n)), np.empty((b, t, n)), np.empty((b, t))
    r2, shares = np.empty((b, t)), np.empty(b)
    for i in range(b):
        codes = task.block.codes[i]
        leaves = task.leaves
        if len(leaves.held.leaf):
            leaves = leaves.at(task.block.inputs.iloc[i].to_numpy(dtype=np.float64))
        found = _explain_row(leaves, codes, task.perturbation.frequencies, kappa)
        weights[i], own[i] = (
            pair_values(part.T, task.pairs[i], margin=task.margin) for part in (found[0], found[2])
        )
        base[i] = pair_values(found[1][None], task.pairs[i], margin=task.margin)[:, 0]
        r2[i], shares[i] = _fit_of(task, pool, i, width, weights[i], base[i])
    asked = np.zeros(b, dtype=np.int64)
    return replace(
        exact_attribution(weights, base, samples=task.samples, asked=asked),
        local_r2=r2,
        locality=share_determined(((weights - own) ** 2).sum(axis=-1), weights),
        effective_share=shares,
    )


def _fit_of(
    task: TableTask, pool: Pool, row: int, width: float, weights: FloatArray, base: FloatArray
) -> tuple[FloatArray, float]:
    """Return the weighted R^2 (t,) of the exact surrogate on the pool, and the effective share."""
    coordinates, distances = task.perturbation.contrast(pool.draw, task.block, row)
    w = kernel_weights(distances, width)
    values = pair_values(pool.outputs, task.pairs[row], margin=task.margin)
    missed = ((values - base[:, None] - weights @ coordinates) ** 2) @ w
    values -= values[:, :1].copy()
    spread = ((values - (values @ w / w.sum())[:, None]) ** 2) @ w
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(spread > 0, 1 - missed / spread, np.nan)
    return r2, float(w.sum() ** 2 / (len(w) * (w @ w)))
