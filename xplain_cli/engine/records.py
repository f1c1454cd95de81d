"""Turns an attribution of a block of rows into lines of weights.csv and stability.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import (
    STABILITY_COLUMNS,
    WEIGHT_COLUMNS,
    Attribution,
    CodedWords,
    FloatArray,
    IntArray,
    Records,
    Rows,
    coarser,
    coded,
    joined_cells,
    side_by_side,
    words_of,
)
from xplain_cli.features import NOT_EMPTY, FeatureLabels
from xplain_cli.quality.fidelity import attribution_error, fidelity_words, own_miss
from xplain_cli.quality.stability import Stability, precision_words

_COUNTS = ("n_repeats", "n_samples", "n_model_inputs", "n_omitted", "n_changed")
_TEXTS = (
    *("target_spec", "target", "method", "output_scale", "baseline", "precision", "fidelity"),
    *("segmentation", "conversions", "baseline_origin", "baseline_class", "quadrature"),
)

# what hides a value of DATA, or the bin that it lies in
_VALUES = {
    **dict.fromkeys(("feature_value", "baseline_value", "condition")),
    **dict.fromkeys(("bin_low", "bin_high"), np.nan),
}


@dataclass(frozen=True)
class Labels:
    """
    What every line of a run repeats, and the columns that its kind of rows adds.

    Attributes
    ----------
    run_id, target_spec, method, output_scale, baseline
        Columns of every line.
    steady
        Whether the model answers the same rows alike; else no line is called precise.
    weight_columns, stability_columns
        Names of the further columns of weights.csv and stability.csv (``FeatureLabels``).
    """

    run_id: str
    target_spec: str
    method: str
    output_scale: str
    baseline: str
    steady: bool = True
    weight_columns: tuple[str, ...] = ()
    stability_columns: tuple[str, ...] = ()

    def of_all_lines(self) -> dict[str, str]:
        """Return the columns of stability.csv that are the same in every line."""
        return {
            "run_id": self.run_id,
            "target_spec": self.target_spec,
            "method": self.method,
            "output_scale": self.output_scale,
            "baseline": self.baseline,
        }


@dataclass(frozen=True)
class ExplainedRows:
    """
    The rows of a chunk that have an explanation and equally many features, distinct ones only.

    Attributes
    ----------
    place : (b_all,) int
        For each row of the chunk its place in the attribution, -1 for a row that is not here.
    attribution, stability
        Of the distinct rows.
    shown : Shown
        How the distinct rows are named.
    targets : b lists of t target names
    predictions : (b, t)
    same_decision : (b, t)
        1 where base and weights decide as the model does, 0 where not, NaN where nothing decides.
    """

    place: IntArray
    attribution: Attribution
    stability: Stability
    shown: FeatureLabels
    targets: Sequence[Sequence[str]]
    predictions: FloatArray
    same_decision: FloatArray

    @property
    def lines(self) -> tuple[IntArray, IntArray]:
        """For every line of these rows its place among the b * t pairs, and its row."""
        t = self.predictions.shape[1]
        rows = np.flatnonzero(self.place >= 0)
        lines = self.place[rows][:, None] * t + np.arange(t)
        return lines.ravel(), np.repeat(rows, t)


def _stability_columns(found: ExplainedRows, *, steady: bool) -> dict[str, Any]:
    """Return what stability.csv says of the distinct rows, column by column, b * t lines."""
    got, sure = found.attribution, found.stability
    total = got.base + got.weights.sum(axis=-1)
    b, t = total.shape
    miss = own_miss(got, found.predictions) if got.sums else np.full((b, t), np.nan)
    return {
        "target": _targets(found),
        "prediction": found.predictions.ravel(),
        "base_value": got.base.ravel(),
        "baseline_distance": np.full(b * t, np.nan),
        "local_r2": got.local_r2.ravel(),
        "residual": (total - found.predictions).ravel(),
        "attribution_error": attribution_error(got, found.predictions).ravel(),
        "n_repeats": np.full(b * t, got.n_repeats),
        "n_samples": np.broadcast_to(got.n_samples, (b, t)).ravel(),
        "n_model_inputs": np.repeat(1 + got.n_inputs, t),
        "max_rel_se": sure.max_rel_se.ravel(),
        "topk_jaccard": sure.topk_jaccard.ravel(),
        "kendall_tau": sure.kendall_tau.ravel(),
        "sign_flip_rate": sure.sign_flip_rate.ravel(),
        "sign_probability": sure.least_sign_probability.ravel(),
        "locality": got.locality.ravel(),
        "effective_share": np.repeat(got.effective_share, t),
        "weight_omitted": np.zeros(b * t),
        "size_omitted": np.zeros(b * t),
        "same_decision": found.same_decision.ravel(),
        **_integrated(got),
        "precision": precision_words(sure.max_rel_se.ravel(), steady=steady),
        "fidelity": fidelity_words(got.local_r2.ravel(), miss.ravel(), found.same_decision.ravel()),
    }


def _targets(found: ExplainedRows) -> Any:
    """Return the names of the targets of all rows, (b * t,)."""
    return words_of(np.array(found.targets, dtype=object).ravel())


def _integrated(got: Attribution) -> dict[str, Any]:
    """Return what stability.csv says of weights that are integrals along a path."""
    said = {
        "converged": got.converged,
        "quadrature": got.quadrature,
        "rectified_error": got.rectified_error,
    }
    return {name: part.ravel() for name, part in said.items() if part is not None}


def _blank(column: str, size: int) -> Any:
    if column in _COUNTS:
        return np.zeros(size, dtype=np.int64)
    if column in _TEXTS:
        return np.full(size, None, dtype=object)
    return np.full(size, np.nan)


def _stability_lines(
    labels: Labels, found: ExplainedRows | None, rows: IntArray, reasons: Sequence[str | None]
) -> dict[str, Any]:
    """
    Return lines of stability.csv column by column, all of one group of rows or all failed.

    ``rows`` (L,) is each line's row in the chunk, ``reasons`` (L,) why it failed or is empty. What
    every line of a run repeats is left out.
    """
    known: dict[str, Any] = {}
    if found is not None:
        lines, _ = found.lines
        t = found.predictions.shape[1]
        columns = _stability_columns(found, steady=labels.steady)
        known = {c: v[lines] for c, v in columns.items()}
        known |= {c: np.asarray(v)[lines // t] for c, v in found.shown.row_columns.items()}
    table: dict[str, Any] = {}
    for column in (*STABILITY_COLUMNS, *labels.stability_columns):
        blank, said = _blank(column, len(rows)), known.get(column)
        if said is not None and not isinstance(said, CodedWords):
            said = np.asarray(said, blank.dtype)
        table[column] = blank if said is None else said
    bad = np.fromiter((why is not None for why in reasons), np.int64, len(reasons))
    table["status"] = CodedWords(bad, ["ok", "failed" if found is None else "empty"])
    table["error"] = np.array(reasons, dtype=object)
    return table


def _of_features(shown: FeatureLabels, column: str) -> Any:
    """Return what a further column says of features (b, n); NaN where nothing is said."""
    known = shown.columns.get(column)
    return np.full(shown.names.shape, np.nan) if known is None else known


def _picked(cells: Any, at: IntArray) -> Any:
    """Return cells of an array, or of words, by their places among all of them."""
    if isinstance(cells, CodedWords):
        return CodedWords(_picked(cells.places, at), cells.words)
    return np.asarray(cells).reshape(-1).take(at)


def _weight_lines(
    labels: Labels, found: ExplainedRows, *, with_repeats: bool
) -> tuple[dict[str, Any], IntArray, FloatArray]:
    """
    Return lines of weights.csv column by column, less what other lines of their row repeat.

    Returns
    -------
    the columns, the number of lines for each (row, target), and each repeat's weights (r, lines),
    r = 0 where they are not asked for.
    """
    got, sure, shown = found.attribution, found.stability, found.shown
    b, t, n = got.weights.shape
    flat, _ = found.lines
    sizes = np.where(got.selected, np.abs(got.weights), -1.0).reshape(b * t, n)
    order = np.argsort(-sizes, axis=1, kind="stable")[flat]
    counts = got.selected.reshape(b * t, n).sum(axis=1)[flat]
    ranks = np.arange(n)
    kept = ranks[None, :] < counts[:, None]
    feature = order[kept]
    pair = np.repeat(flat, counts)
    at, cell = pair * n + feature, (pair // t) * n + feature
    columns: dict[str, Any] = {
        "target": _targets(found)[pair],
        "rank": np.broadcast_to(ranks + 1, order.shape)[kept].astype(np.int64),
        "feature_index": feature.astype(np.int64),
        "feature": _picked(words_of(shown.names), cell),
        "feature_value": _picked(shown.values, cell),
        "weight": _picked(got.weights, at),
    }
    for column, part in {
        "std_error": sure.std_error,
        "ci_low": sure.ci_low,
        "ci_high": sure.ci_high,
        "std_over_seeds": sure.std_over_seeds,
        "sign_probability": sure.sign_probability,
        "top_k_probability": sure.top_k_probability,
        "quadrature_error": got.quadrature_error,
    }.items():
        if part is not None:
            columns[column] = _picked(part, at)
    for column in labels.weight_columns:
        if column not in columns:
            columns[column] = _picked(_of_features(shown, column), cell)
    own = [_picked(part, at) for part in got.repeats] if with_repeats else []
    return columns, counts, np.array(own).reshape(len(own), len(at))


def _maps(explained: Sequence[ExplainedRows], place: IntArray) -> FloatArray | None:
    """
    Return the maps of the lines of rows *place*, in order (lines, h, w); None where there are none.

    Large ones are made coarser, cells added up: they are drawn, and weights do not rest on them.
    """
    found = []
    for group in explained:
        lines, rows = group.lines
        maps = group.attribution.maps
        if maps is not None:
            flat = coarser(maps.reshape(-1, *maps.shape[2:]))
            found.append((rows, flat[lines]))
    if not found or len({maps.shape[1:] for _, maps in found}) > 1:
        return None
    whole = np.full((len(place), *found[0][1].shape[1:]), np.nan)
    for rows, maps in found:
        for row in np.unique(rows).tolist():
            whole[place == row] = maps[rows == row]
    return whole


def _in_order(
    parts: Sequence[Mapping[str, Any]], rows: IntArray, alike: Mapping[str, str], names: list[str]
) -> tuple[dict[str, Any], IntArray]:
    """
    Lay out the lines of all parts as columns, in the order of *rows*; also return that order.

    Columns stay arrays up to here: texts come in as many parts as they have sizes, and a table of
    each would take longer than its numbers. *alike* is what every line repeats.
    """
    order = np.arange(len(rows)) if len(parts) == 1 else np.argsort(rows, kind="stable")
    table: dict[str, Any] = {}
    for column in names:
        if column in alike:
            table[column] = CodedWords(np.zeros(len(rows), dtype=np.int64), [alike[column]])
        elif len(parts) == 1:
            table[column] = parts[0].get(column)
        elif column in parts[0]:
            table[column] = joined_cells([part[column] for part in parts])[order]
        else:  # filled in later
            table[column] = None
    return table, order


def _frame(table: Mapping[str, Any], size: int) -> pd.DataFrame:
    """Return columns as a table; None is a column where nothing is said."""
    cells = {
        name: coded(one) if isinstance(one, CodedWords) else one for name, one in table.items()
    }
    return pd.DataFrame(cells, index=range(size), copy=False)


def to_records(
    labels: Labels,
    explained: Sequence[ExplainedRows],
    *,
    rows: Rows,
    errors: Mapping[int, str],
    empty: Mapping[int, str] = NOT_EMPTY,
    with_values: bool = True,
    with_repeats: bool = False,
) -> Records:
    """
    Lay out one chunk, rows in input order.

    Parameters
    ----------
    labels
        What every line repeats.
    explained
        The explained rows, in groups with equally many features.
    rows
        The chunk's rows.
    errors, empty
        Why each failed row has failed, and why there is nothing to explain in others, by their
        places in the chunk.
    with_values, with_repeats
        Whether feature values, and each repeat's weights, are recorded.
    """
    lost = np.array(sorted(errors), dtype=np.int64)
    stability = [_stability_lines(labels, None, lost, [errors[i] for i in lost.tolist()])]
    places, numbers = [lost], [np.zeros(len(lost), dtype=np.int64)]
    weights: list[dict[str, Any]] = []
    owners, repeats = [], []
    for found in explained:
        _, row = found.lines
        lines, counts, own = _weight_lines(labels, found, with_repeats=with_repeats)
        stability.append(_stability_lines(labels, found, row, [*map(empty.get, row.tolist())]))
        places.append(row)
        numbers.append(counts)
        weights.append(lines)
        owners.append(np.repeat(row, counts))
        repeats.append(own)
    if explained and not len(lost):
        stability, places, numbers = stability[1:], places[1:], numbers[1:]
    if not explained:
        weights, owners, repeats = [{}], [lost[:0]], [np.empty((0, 0))]
    # parts without lines would make other columns of those with lines
    full = [i for i, own in enumerate(owners) if len(own)] or [0]
    weights, owners = [weights[i] for i in full], [owners[i] for i in full]
    repeats = [repeats[i] for i in full]
    place, owner = np.concatenate(places), np.concatenate(owners)
    names = [*STABILITY_COLUMNS, *labels.stability_columns]
    said, order = _in_order(stability, place, labels.of_all_lines(), names)
    names = [*WEIGHT_COLUMNS, *labels.weight_columns]
    table, weight_order = _in_order(weights, owner, {"run_id": labels.run_id}, names)
    place, owner = place[order], owner[weight_order]
    _name_rows(said, table, rows, place, owner)
    if not with_values:
        table |= {column: _VALUES[column] for column in table if column in _VALUES}
    return Records(
        weights=_frame(table, len(owner)),
        stability=_frame(said, len(place)),
        lines=np.concatenate(numbers)[order],
        repeats={"weights": side_by_side(repeats)[:, weight_order]} if with_repeats else {},
        maps=_maps(explained, place),
    )


def _name_rows(
    said: dict[str, Any], table: dict[str, Any], rows: Rows, place: IntArray, owner: IntArray
) -> None:
    """Fill in row numbers, row ids and kept columns, of the lines of rows *place* and *owner*."""
    identity = np.empty(len(rows.ids), dtype=object)
    identity[:] = list(rows.ids)
    said["row"] = (rows.start + place).astype(np.int64)
    carried = {"row_id": identity}
    carried |= {name: rows.kept[name].to_numpy(dtype=object) for name in rows.kept.columns}
    for name, cells in carried.items():
        words = words_of(cells)
        said[name], table[name] = words[place], words[owner]
