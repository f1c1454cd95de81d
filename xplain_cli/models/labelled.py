"""Reads answers that carry their labels: rows of {label: p}, of {label, score}, data frames.

So answer the pipelines of transformers, the categories of spaCy, and whoever returns a frame. They
are read by label, for the order of the labels may be another one in each row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray

_ROUNDING = 1e-6  # scores come in single precision
_HALF = 0.5
_ALL_SCORES = "return the scores of all labels (of a transformers pipeline: top_k=None)"


@dataclass(frozen=True)
class LabelledRow:
    """
    The numbers of one row by label.

    Attributes
    ----------
    scores
        Label -> number.
    best
        Whether it is only the label that the model chose, with its score.
    """

    scores: dict[str, float]
    best: bool = False


def _is_scored(row: Any) -> bool:
    return isinstance(row, Mapping) and {"label", "score"} <= set(row)


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, (tuple, list))
        and len(item) == 2
        and isinstance(item[0], str)
        and isinstance(item[1], (int, float, np.number))
    )


def _collected(pairs: Sequence[tuple[Any, Any]], *, best: bool) -> LabelledRow:
    scores = {str(label): float(score) for label, score in pairs}
    if len(scores) < len(pairs):
        raise ValueError(f"answers {len(pairs)} numbers for {len(scores)} labels in one row")
    return LabelledRow(scores, best)


def _labelled(row: Any) -> LabelledRow | None:
    """Return a row that carries its labels; None: it carries none."""
    if isinstance(row, Mapping) and not _is_scored(row):
        return _collected(list(row.items()), best=False)
    parts = [row] if _is_scored(row) or _is_pair(row) else row
    if not isinstance(parts, (tuple, list)) or not parts:
        return None
    if all(map(_is_scored, parts)):
        return _collected([(one["label"], one["score"]) for one in parts], best=len(parts) == 1)
    return _collected(parts, best=len(parts) == 1) if all(map(_is_pair, parts)) else None


def _rows(answer: Any) -> list[LabelledRow] | None:
    """Return the rows of an answer that carries labels; None: it carries none."""
    if not isinstance(answer, (list, tuple)) or not answer:
        return None
    rows = [_labelled(row) for row in answer]
    known = [row for row in rows if row is not None]
    if known and len(known) < len(rows):
        raise ValueError("answers labels in some rows, and none in others")
    return known or None


def _labels(rows: Sequence[LabelledRow]) -> tuple[str, ...]:
    """
    Return all labels of the probe's rows: in the order of the rows, sorted where these differ.

    Raises
    ------
    ValueError
        Numbers of some labels are missing, and cannot be known.
    """
    orders = {tuple(row.scores) for row in rows}
    names = min(orders) if len(orders) == 1 else tuple(sorted({n for one in orders for n in one}))
    if not all(row.best for row in rows):
        if any(len(order) < len(names) for order in orders):
            fewest = min(map(len, orders))
            raise ValueError(f"answers {fewest} of {len(names)} labels; {_ALL_SCORES}")
        return names
    # with two classes that exclude each other the chosen one has at least half
    least = min(score for row in rows for score in row.scores.values())
    if len(names) != 2 or least < _HALF - _ROUNDING:
        raise ValueError(
            f"answers one label of each row ({', '.join(names[:4])}), which tells the scores of the"
            f" others only if there are two that exclude each other; {_ALL_SCORES}"
        )
    return names


def _numbers(row: LabelledRow, labels: tuple[str, ...]) -> list[float]:
    strange = set(row.scores) - set(labels)
    if strange:
        raise ValueError(
            f"answers the label {min(strange)!r}, which the first rows did not show; {_ALL_SCORES}"
        )
    scores = row.scores
    if row.best and len(labels) == 2:
        ((label, score),) = scores.items()
        other = labels[labels[0] == label]
        scores = {label: score, other: 1.0 - score}
    missing = [name for name in labels if name not in scores]
    if missing:
        raise ValueError(f"answers no number for the label {missing[0]!r}; {_ALL_SCORES}")
    return [scores[name] for name in labels]


def _read_frame(
    frame: pd.DataFrame, labels: tuple[str, ...]
) -> tuple[tuple[str, ...], FloatArray] | None:
    """Return the labels of a frame and its numbers; None where pandas numbered its columns."""
    columns: object = frame.columns
    names = tuple(map(str, frame.columns))
    if isinstance(columns, pd.RangeIndex) or len(set(names)) < len(names):
        return None
    missing = [label for label in labels if label not in names]
    if missing or (labels and len(names) > len(labels)):
        raise ValueError(
            f"answers the columns {', '.join(names[:4])}, and the first rows had"
            f" {', '.join(labels[:4])}"
        )
    labels = labels or names
    places = [names.index(label) for label in labels]
    return labels, frame.iloc[:, places].to_numpy(dtype=np.float64)


def read_labelled(
    answer: Any, labels: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], FloatArray] | None:
    """
    Return the labels of an answer, and its numbers (rows, labels) in their order.

    Parameters
    ----------
    answer
        What a callable answered.
    labels
        The labels that the probe saw; empty: this is the probe.

    Returns
    -------
    None where the answer carries no labels

    Raises
    ------
    ValueError
        Numbers of some labels are missing, or a label is new.
    """
    if isinstance(answer, pd.DataFrame):
        return _read_frame(answer, labels)
    rows = _rows(answer)
    if rows is None:
        return None
    labels = labels or _labels(rows)
    return labels, np.array([_numbers(row, labels) for row in rows], dtype=np.float64)
