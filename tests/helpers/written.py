"""Records, and the files that they become."""

import csv
import io
import math

import numpy as np
import pandas as pd

from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS, Records
from xplain_cli.output import (
    Rendering,
    join_pieces,
    render_piece,
)

TEXTS = ("run_id", "row_id", "target_spec", "target", "method", "output_scale", "baseline")


INTEGERS = ("row", "n_repeats", "n_samples", "n_model_inputs", "n_omitted")


def records(start=0, ok=(True, True), values=(-2.5, "=1+1", 3), kept="k"):
    """Two rows of three features; weights 0.1+row, -2, 1; failed rows have no weights."""
    weights, stability = [], []
    for row, is_ok in enumerate(ok, start):
        line = dict.fromkeys(STABILITY_COLUMNS, 0.5) | dict.fromkeys(TEXTS, "x")
        line |= dict.fromkeys(INTEGERS, 0) | {"row": row, "row_id": f"r{row}", "status": "ok"}
        line |= {"error": None, "local_r2": math.nan, "weight_omitted": 0.0, "size_omitted": 0.0}
        if not is_ok:
            line |= dict.fromkeys(("prediction", "n_repeats", "n_omitted"), math.nan)
            line |= {"status": "failed", "error": 'no, "number"', "target": None}
        stability.append(line | {"kept": kept})
        size = [(1, -2.0), (2, 1.0), (0, 0.1 + row)] if is_ok else []
        for rank, (feature, weight) in enumerate(sorted(size, key=lambda s: -abs(s[1])), 1):
            line = dict.fromkeys(WEIGHT_COLUMNS, 0.25) | {"run_id": "x", "target": "x"}
            line |= {"row_id": f"r{row}", "rank": rank, "feature_index": feature}
            line |= {"feature": "abc"[feature], "feature_value": feature}
            weights.append(line | {"weight": weight, "ci_low": math.nan, "kept": kept})
    frame = pd.DataFrame(weights, columns=[*WEIGHT_COLUMNS, "kept"])
    cells = [values[line["feature_value"]] for line in weights]
    frame["feature_value"] = pd.Series(cells, dtype=object)
    return Records(
        frame, pd.DataFrame(stability), np.array([3 if is_ok else 0 for is_ok in ok]), {}
    )


def files(chunks, fmt, rendering=None, manifest=None):
    weights, stability = io.BytesIO(), io.BytesIO()
    pieces = (render_piece(chunk, rendering or Rendering(), fmt) for chunk in chunks)
    join_pieces(pieces, fmt, weights, stability, manifest=manifest)
    return weights.getvalue(), stability.getvalue()


def cells(data):
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def some_records(rows, *, failed=0):
    """Records of *rows* rows with features a (weight -2) and b (weight 1)."""
    weights = pd.DataFrame({
        "feature": ["a", "b"] * len(rows),
        "rank": [1, 2] * len(rows),
        "weight": [-2.0, 1.0] * len(rows),
        "std_error": [0.2, 0.1] * len(rows),
    })
    stability = pd.DataFrame({
        "row": [*rows, *range(1000, 1000 + failed)],
        "row_id": [f"r{row}" for row in (*rows, *range(1000, 1000 + failed))],
        "status": ["ok"] * len(rows) + ["failed"] * failed,
        "target": ["malignant"] * (len(rows) + failed),
        "output_scale": ["probability"] * (len(rows) + failed),
        "baseline": ["mean"] * (len(rows) + failed),
        "base_value": [0.25] * (len(rows) + failed),
        "error": [None] * len(rows) + ["a.csv: line 3 is ragged"] * failed,
        "precision": ["stable"] * len(rows) + [None] * failed,
        "fidelity": ["poor"] * len(rows) + [None] * failed,
        "max_rel_se": [0.01 * (row + 1) for row in rows] + [np.nan] * failed,
        "local_r2": [0.1] * (len(rows) + failed),
        "topk_jaccard": [np.nan] * (len(rows) + failed),
        "sign_probability": [0.999] * (len(rows) + failed),
        "prediction": [0.5] * (len(rows) + failed),
        "attribution_error": [np.nan] * (len(rows) + failed),
        "locality": [0.5] * (len(rows) + failed),
    })
    return Records(weights, stability, np.array([2] * len(rows) + [0] * failed), {})
