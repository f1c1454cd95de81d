"""The difference of two joined runs as tables: weights, rows, features, and what moved each row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.jobs.pairing import Pairs, RunLines, RunNames, estimates
from xplain_cli.quality.agreement import mean_jaccard, mean_tau, top_members
from xplain_cli.quality.change import ROUNDING, Differences, compare, named_features

_LINES = 100_000  # of diff.csv, in memory at a time
_ROWS = 4096  # explanations that are measured at a time


@dataclass(frozen=True)
class Origin:
    """
    What of a difference the plans explain.

    Attributes
    ----------
    model, background, question
        Whether the model, what rows are compared with, or the question differs.
    selects
        Whether explanations use some features only: a missing one then weighs nothing.
    names_are_values
        Whether a feature that only one run has is a change of the row's values.
    """

    model: bool
    background: bool
    question: bool
    selects: bool
    names_are_values: bool


@dataclass(frozen=True)
class Joined:
    """Two runs, their pairs, and what became of every weight."""

    old: RunLines
    new: RunLines
    names: RunNames
    pairs: Pairs
    weights: Differences
    sides: tuple[FloatArray, FloatArray]
    errors: tuple[FloatArray, FloatArray]

    @property
    def count(self) -> int:
        """The number of pairs."""
        return len(self.pairs.old_line)

    @property
    def alone(self) -> BoolArray:
        """Which weights (L,) only one of the runs has."""
        return (self.pairs.old_weight < 0) | (self.pairs.new_weight < 0)

    def any_of(self, weights: BoolArray) -> BoolArray:
        """Say of each pair whether any of its weights is meant."""
        return np.bincount(self.pairs.pair, weights=weights, minlength=self.count) > 0


def _words(codes: Any) -> Any:
    """Return names by their code."""
    found = np.empty(len(codes), dtype=object)
    found[:] = list(codes)
    return found


def join_differences(
    old: RunLines, new: RunLines, names: RunNames, pairs: Pairs, rate: float
) -> Joined:
    """Compare all weights of two joined runs; *rate* as of ``compare``."""
    first, second = estimates(old, pairs.old_weight), estimates(new, pairs.new_weight)
    sizes = np.fmax(np.abs(first.weight), np.abs(second.weight))
    largest = np.zeros(len(pairs.old_line))
    np.maximum.at(largest, pairs.pair, sizes)
    found = compare(first, second, largest[pairs.pair], rate)
    sides, errors = (first.weight, second.weight), (first.std_error, second.std_error)
    return Joined(old, new, names, pairs, found, sides, errors)


def weight_frames(joined: Joined) -> Iterator[pd.DataFrame]:
    """Yield the lines of diff.csv."""
    pairs, found, names = joined.pairs, joined.weights, joined.names
    rows, targets, features = map(_words, (names.rows, names.targets, names.features))
    line = pairs.old_line[pairs.pair]
    for start in range(0, max(len(line), 1), _LINES):
        part = slice(start, start + _LINES)
        own = line[part]
        yield pd.DataFrame({
            "row_id": rows[joined.old.row[own]],
            "target": targets[joined.old.target[own]],
            "feature": features[pairs.feature[part]],
            "weight_old": joined.sides[0][part],
            "weight_new": joined.sides[1][part],
            "difference": found.difference[part],
            "std_error": found.std_error[part],
            "p_value": found.p_value[part],
            "changed": found.changed[part].astype(np.int64),
        })


@dataclass(frozen=True)
class _RowMeasures:
    """Of each pair how the order of its features differs, and its first weight in either run."""

    tau: FloatArray
    jaccard: FloatArray
    flips: IntArray
    first_old: IntArray
    first_new: IntArray


def _block(weights: FloatArray, k: int) -> tuple[Any, ...]:
    """Measure pairs of explanations (b, 2, n) with as many features."""
    n = weights.shape[2]
    sizes = np.abs(weights)
    jaccard: Any = np.full(len(weights), np.nan)
    top: Any = np.ones(weights.shape[::2], dtype=bool)
    if k < n:
        members = top_members(sizes, k)
        jaccard, top = mean_jaccard(members, k), members.any(axis=1)
    flips = ((weights[:, 0] * weights[:, 1] < 0) & top).sum(axis=1)
    firsts = np.where(sizes.any(axis=2), sizes.argmax(axis=2), -1)
    return mean_tau(sizes), jaccard, flips, firsts[:, 0], firsts[:, 1]


def _measure(joined: Joined, k: int) -> _RowMeasures:
    """Measure all pairs, those with equally many features together."""
    count = joined.count
    sizes = np.bincount(joined.pairs.pair, minlength=count)
    starts = np.cumsum(sizes) - sizes
    tau, jaccard = np.full(count, np.nan), np.full(count, np.nan)
    flips, firsts = np.zeros(count, dtype=np.int64), np.full((2, count), -1)
    sides = np.nan_to_num(np.stack(joined.sides))
    for n in np.unique(sizes[sizes > 0]).tolist():
        alike = np.flatnonzero(sizes == n)
        for at in range(0, len(alike), _ROWS):
            rows = alike[at : at + _ROWS]
            places = starts[rows][:, None] + np.arange(n)
            weights = np.moveaxis(sides[:, places], 0, 1)
            tau[rows], jaccard[rows], flips[rows], *both = _block(weights, k)
            for side, found in enumerate(both):
                firsts[side, rows] = np.where(found >= 0, starts[rows] + found, -1)
    return _RowMeasures(tau, jaccard, flips, firsts[0], firsts[1])


def _values_changed(joined: Joined, origin: Origin) -> BoolArray:
    """Say of each pair whether the row has other values in NEW."""
    pairs = joined.pairs
    other = ~joined.alone
    if len(other):
        other &= joined.old.value[pairs.old_weight] != joined.new.value[pairs.new_weight]
    if origin.names_are_values and not origin.selects:
        other |= joined.alone
    return joined.any_of(other)


def _verdicts(origin: Origin, moved: BoolArray, beyond: BoolArray, values: BoolArray) -> Any:
    """Return what moved each pair; *moved* at all, *beyond* noise, where its *values* differ."""
    cause = "noise"
    if origin.question:
        cause = "question"
    elif origin.model:
        cause = "model"
    elif origin.background:
        cause = "data"
    found = np.full(len(moved), cause, dtype=object)
    if not origin.question:
        found[values] = "data"
    found[~beyond] = "noise"
    found[~moved & ~beyond] = "same"
    return found


def _first_reasons(
    joined: Joined, found: _RowMeasures, origin: Origin
) -> tuple[BoolArray, BoolArray]:
    """Say of each pair whether the first reasons differ, and whether by more than noise."""
    certain = joined.weights.changed | (joined.alone & (not origin.selects))
    differs = found.first_old != found.first_new
    beyond = np.zeros(joined.count, dtype=bool)
    for firsts in (found.first_old, found.first_new):
        has = firsts >= 0
        beyond[has] |= certain[firsts[has]]
    return differs, differs & beyond


def _shifted(old: FloatArray, new: FloatArray) -> BoolArray:
    """Say where predictions differ by more than rounding."""
    return np.abs(new - old) > ROUNDING * np.maximum(np.abs(old), np.abs(new))


def row_frame(joined: Joined, origin: Origin, k: int) -> pd.DataFrame:
    """
    Return the lines of diff_rows.csv, those that failed in one of the runs last.

    Parameters
    ----------
    k
        Of ``topk_jaccard``; sign flips are counted among the first k of either run.
    """
    pairs, names, weights = joined.pairs, joined.names, joined.weights
    rows, targets, features = map(_words, (names.rows, names.targets, names.features))
    measures = _measure(joined, k)
    differs, certain = _first_reasons(joined, measures, origin)
    old = joined.old.prediction[pairs.old_line]
    new = joined.new.prediction[pairs.new_line]
    shifted, values = _shifted(old, new), _values_changed(joined, origin)
    beyond = joined.any_of(weights.changed) | shifted | (joined.any_of(joined.alone) & values)
    moved = joined.any_of(weights.moved) | shifted

    def firsts(places: IntArray) -> Any:
        named = np.full(len(places), "", dtype=object)
        named[places >= 0] = features[pairs.feature[places[places >= 0]]]
        return named

    done = pd.DataFrame({
        "row_id": rows[joined.old.row[pairs.old_line]],
        "target": targets[joined.old.target[pairs.old_line]],
        "prediction_old": old,
        "prediction_new": new,
        "first_reason_old": firsts(measures.first_old),
        "first_reason_new": firsts(measures.first_new),
        "first_reason_changed": certain.astype(np.int64),
        "n_changed": np.bincount(
            pairs.pair, weights=weights.changed, minlength=joined.count
        ).astype(np.int64),
        "kendall_tau": measures.tau,
        "topk_jaccard": measures.jaccard,
        "sign_flips": measures.flips,
        "verdict": _verdicts(origin, moved, beyond, values),
        "first_reason_differs": differs.astype(np.int64),
        "values_changed": values.astype(np.int64),
    })
    if not len(pairs.failed):
        return done
    lost = pd.DataFrame({"row_id": rows[pairs.failed], "verdict": "failed"})
    lost = lost.reindex(columns=done.columns)
    whole = done.select_dtypes("int64").columns
    lost[whole] = 0
    return pd.concat([done, lost.astype(done.dtypes.to_dict())], ignore_index=True)


def feature_frame(joined: Joined, rate: float) -> pd.DataFrame:
    """
    Return the lines of diff_features.csv, the features that changed in most rows first.

    Means are over the weights that both runs have. The error of a mean is that of its weights, as
    if all erred alike, which they do where rows share a pool of draws; elsewhere it is less.
    """
    pairs, found = joined.pairs, joined.weights
    both, count = ~joined.alone, len(joined.names.features)
    own = pairs.feature[both]
    total = np.bincount(own, minlength=count)

    def mean(values: FloatArray) -> FloatArray:
        sums = np.bincount(own, weights=values[both], minlength=count)
        return np.asarray(sums / np.maximum(total, 1), dtype=np.float64)

    frame = pd.DataFrame({
        "feature": _words(joined.names.features),
        "mean_abs_old": mean(np.abs(joined.sides[0])),
        "mean_abs_new": mean(np.abs(joined.sides[1])),
        "std_error_old": mean(joined.errors[0]),
        "std_error_new": mean(joined.errors[1]),
        "n_changed": np.bincount(own, weights=found.changed[both], minlength=count).astype(
            np.int64
        ),
        "changed": named_features(found.p_value, pairs.feature, count, rate).astype(np.int64),
    })[total > 0]
    gap = (frame["mean_abs_new"] - frame["mean_abs_old"]).abs()
    order = ["changed", "n_changed", "gap"]
    ordered = frame.assign(gap=gap).sort_values(order, ascending=False, kind="stable")
    return frame.loc[ordered.index].reset_index(drop=True)
