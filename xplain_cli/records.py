"""An attribution of a block of rows becomes the lines of weights.csv and stability.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import (
    STABILITY_COLUMNS,
    WEIGHT_COLUMNS,
    Attribution,
    FloatArray,
    IntArray,
    Records,
)
from xplain_cli.stability import Stability, fidelity_label, precision_label

_COUNTS = ("n_repeats", "n_samples", "n_model_inputs", "n_omitted")
_TEXTS = ("target_spec", "target", "method", "output_scale", "baseline", "precision", "fidelity")


@dataclass(frozen=True)
class Labels:
    """What every line of a run repeats."""

    run_id: str
    target_spec: str
    method: str
    output_scale: str
    baseline: str


@dataclass(frozen=True)
class Rows:
    """
    The rows of a chunk as the user knows them.

    Attributes
    ----------
    start : number in DATA of the chunk's first row
    ids : row ids, one a row
    kept : the ``--keep`` columns
    unread : the reason of each row that cannot be read, by its place in the chunk
    """

    start: int
    ids: Sequence[Any]
    kept: pd.DataFrame
    unread: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Explained:
    """
    The rows of a chunk that have an explanation, distinct ones only.

    Attributes
    ----------
    place : (b_all,) int
        For each row of the chunk its place in the attribution, -1 for a failed row.
    attribution, stability
        Of the distinct rows.
    names : feature names; values : feature values of each distinct row
    targets : b lists of t target names
    predictions : (b, t)
    """

    place: IntArray
    attribution: Attribution
    stability: Stability
    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    targets: Sequence[Sequence[str]]
    predictions: FloatArray


def _stability_columns(found: Explained) -> dict[str, Any]:
    """Return what stability.csv says of the distinct rows, column by column, b * t lines."""
    got, sure = found.attribution, found.stability
    total = got.base + got.weights.sum(axis=-1)
    b, t = total.shape
    return {
        "target": np.array(found.targets, dtype=object).ravel(),
        "prediction": found.predictions.ravel(),
        "base_value": got.base.ravel(),
        "baseline_distance": np.full(b * t, np.nan),
        "local_r2": got.local_r2.ravel(),
        "residual": (total - found.predictions).ravel(),
        "n_repeats": np.full(b * t, got.n_repeats),
        "n_samples": np.full(b * t, got.n_samples),
        "n_model_inputs": np.full(b * t, 1 + got.n_inputs),
        "max_rel_se": sure.max_rel_se.ravel(),
        "topk_jaccard": sure.topk_jaccard.ravel(),
        "kendall_tau": sure.kendall_tau.ravel(),
        "sign_flip_rate": sure.sign_flip_rate.ravel(),
        "sign_probability": sure.least_sign_probability.ravel(),
        "locality": got.locality.ravel(),
        "effective_share": np.repeat(got.effective_share, t),
        "weight_omitted": np.zeros(b * t),
        "precision": [precision_label(v) for v in sure.max_rel_se.ravel().tolist()],
        "fidelity": [fidelity_label(v) for v in got.local_r2.ravel().tolist()],
    }


def _blank(column: str, size: int) -> Any:
    if column in _COUNTS:
        return np.zeros(size, dtype=np.int64)
    if column in _TEXTS:
        return np.full(size, None, dtype=object)
    return np.full(size, np.nan)


def _stability_table(
    labels: Labels,
    found: Explained | None,
    lines: IntArray,
    rows: IntArray,
    ids: Sequence[Any],
    errors: Mapping[int, str],
) -> pd.DataFrame:
    """
    Lay out stability.csv.

    ``lines`` (L,) is each line's place among the b * t lines of the distinct rows, -1 for a
    failed row; ``rows`` (L,) its row in the chunk; ``ids`` the row ids of the chunk's rows;
    ``errors`` the reason of each failed row.
    """
    good = lines >= 0
    known = _stability_columns(found) if found is not None else {}
    table: dict[str, Any] = {}
    for column in STABILITY_COLUMNS:
        filled = _blank(column, len(lines))
        if column in known:
            filled[good] = np.asarray(known[column], dtype=filled.dtype)[lines[good]]
        table[column] = filled
    table["run_id"] = [labels.run_id] * len(lines)
    table["row_id"] = [ids[i] for i in rows]
    table["target_spec"] = [labels.target_spec] * len(lines)
    table["method"] = [labels.method] * len(lines)
    table["output_scale"] = [labels.output_scale] * len(lines)
    table["baseline"] = [labels.baseline] * len(lines)
    table["status"] = np.where(good, "ok", "failed").astype(object)
    table["error"] = [errors.get(i) for i in rows.tolist()]
    return pd.DataFrame(table, columns=list(STABILITY_COLUMNS))


def _weights_table(
    run_id: str, found: Explained, lines: IntArray, rows: IntArray, ids: Sequence[Any]
) -> tuple[pd.DataFrame, IntArray, FloatArray]:
    """
    Lay out weights.csv for ok lines.

    Returns
    -------
    the table, the number of its lines for each of ``lines``, and each repeat's weights (r, lines).
    """
    got, sure = found.attribution, found.stability
    b, t, n = got.weights.shape
    flat = lines  # place among the b * t (row, target) pairs
    sizes = np.where(got.selected, np.abs(got.weights), -1.0).reshape(b * t, n)
    order = np.argsort(-sizes, axis=1, kind="stable")[flat]
    counts = got.selected.reshape(b * t, n).sum(axis=1)[flat]
    ranks = np.arange(n)
    kept = ranks[None, :] < counts[:, None]
    feature = order[kept]
    pair = np.repeat(flat, counts)
    row = np.repeat(rows, counts)
    values = np.empty((b, n), dtype=object)
    values[:] = [list(v) for v in found.values]
    names = np.array(found.names, dtype=object)
    targets = np.array(found.targets, dtype=object).ravel()
    identity = np.empty(len(ids), dtype=object)
    identity[:] = list(ids)
    columns: dict[str, Any] = {
        "run_id": np.full(len(pair), run_id, dtype=object),
        "row_id": identity[row],
        "target": targets[pair],
        "rank": np.broadcast_to(ranks + 1, order.shape)[kept].astype(np.int64),
        "feature_index": feature.astype(np.int64),
        "feature": names[feature],
        "feature_value": values[pair // t, feature],
        "weight": got.weights.reshape(b * t, n)[pair, feature],
    }
    for column, part in {
        "std_error": sure.std_error,
        "ci_low": sure.ci_low,
        "ci_high": sure.ci_high,
        "std_over_seeds": sure.std_over_seeds,
        "sign_probability": sure.sign_probability,
        "top_k_probability": sure.top_k_probability,
    }.items():
        columns[column] = part.reshape(b * t, n)[pair, feature]
    own = got.repeats.reshape(len(got.repeats), b * t, n)[:, pair, feature]
    return pd.DataFrame(columns, columns=list(WEIGHT_COLUMNS)), counts, own


def to_records(
    labels: Labels,
    found: Explained | None,
    *,
    rows: Rows,
    errors: Mapping[int, str],
    with_values: bool = True,
    with_repeats: bool = False,
) -> Records:
    """
    Lay out one chunk.

    Parameters
    ----------
    labels
        What every line repeats.
    found
        The explained rows; None where every row failed.
    rows
        The chunk's rows.
    errors
        The reason for each failed row, by its place in the chunk.
    with_values, with_repeats
        Whether feature values, and each repeat's weights, are recorded.
    """
    t = found.predictions.shape[1] if found is not None else 1
    lines, places = [], []
    for i in range(len(rows.ids)):
        if found is None or i in errors:
            lines.append(-1)
            places.append(i)
        else:
            lines.extend(range(found.place[i] * t, (found.place[i] + 1) * t))
            places.extend([i] * t)
    line, row = np.array(lines, dtype=np.int64), np.array(places, dtype=np.int64)
    stability = _stability_table(labels, found, line, row, rows.ids, errors)
    stability["row"] = (rows.start + row).astype(np.int64)
    counts = np.zeros(len(line), dtype=np.int64)
    if found is not None:
        good = line >= 0
        args = (line[good], row[good], rows.ids)
        weights, counts[good], own = _weights_table(labels.run_id, found, *args)
    else:
        weights, own = pd.DataFrame(columns=list(WEIGHT_COLUMNS)), np.empty((0, 0))
    if not with_values:
        weights["feature_value"] = None
    for column in rows.kept.columns:
        carried = rows.kept[column].to_numpy(dtype=object)
        stability[column] = carried[row]
        weights[column] = carried[np.repeat(row, counts)]
    return Records(weights, stability, counts, {"weights": own} if with_repeats else {})
