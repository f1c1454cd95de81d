"""Decides which weights are written, all or the largest, in lines or wide."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xplain_cli.errors import UsageError
from xplain_cli.explanation import Records

WIDE_COLUMNS = ("row_id", "target", "prediction", "base_value")
"""The first columns of the wide layout; a column per feature follows, in feature order."""


@dataclass(frozen=True)
class Rendering:
    """
    How parts become files.

    Attributes
    ----------
    top_k
        How many weights to keep per (row, target), ``None`` for all.
    csv_guard
        Disarm cells of csv files that a spreadsheet would run as formulas.
    wide
        One line per (row, target) with a column per feature; csv and parquet only.
    """

    top_k: int | None = None
    csv_guard: bool = True
    wide: bool = False


@dataclass(frozen=True)
class RenderedPiece:
    """
    One rendered chunk.

    Attributes
    ----------
    weights, stability : bytes
        The lines, without what opens and closes a file.
    heads : (bytes, bytes)
        The header lines of the two files, where the format has them.
    """

    weights: bytes
    stability: bytes
    heads: tuple[bytes, bytes] = (b"", b"")


@dataclass(frozen=True)
class WideWords:
    """What the wide layout is called where it was asked for, and what may be had instead."""

    asked: str = "--wide"
    instead: str = "leave it out, or write jsonl"


_OPTION = WideWords()


def _check_same(are_same: bool, words: WideWords = _OPTION) -> None:  # noqa: FBT001 (a condition, not a switch)
    if not are_same:
        raise UsageError(
            f"{words.asked} needs the same features in each row, and here they differ;"
            f" {words.instead}"
        )


def check_head(head: bytes, first: bytes) -> None:
    """
    Check that a piece has the columns of the first one.

    Raises
    ------
    UsageError
        It has others.
    """
    _check_same(head == first)


def prune(records: Records, top_k: int | None) -> Records:
    """
    Keep the lines of rank 1 to *top_k* of each (row, target).

    ``n_omitted``, ``weight_omitted`` (the sum of the weights left out, so that base value, written
    weights and it add up to prediction and residual) and ``size_omitted`` (of their absolute
    values) are filled; ties are settled already, by rank. With ``None`` the records are returned as
    they are.
    """
    if top_k is None:
        return records
    kept = records.weights["rank"].to_numpy() <= top_k
    group = np.repeat(np.arange(len(records.lines)), records.lines)
    left_out = np.where(kept, 0.0, records.weights["weight"].to_numpy(np.float64))
    count = len(records.lines)
    lines = np.bincount(group[kept], minlength=count).astype(np.int64)
    filled = {
        "n_omitted": records.lines - lines,
        "weight_omitted": np.bincount(group, left_out, minlength=count),
        "size_omitted": np.bincount(group, np.abs(left_out), minlength=count),
    }
    is_empty = records.lines == 0
    stability = records.stability.copy()
    for name, values in filled.items():
        # parts of an earlier version have no column for sizes
        before = stability.get(name, pd.Series(0.0, stability.index))
        stability[name] = before.where(is_empty, pd.Series(values, stability.index))
    return replace(
        records,
        weights=records.weights[kept].reset_index(drop=True),
        stability=stability,
        lines=lines,
        repeats={name: array[:, kept] for name, array in records.repeats.items()},
    )


def widen(records: Records, top_k: int | None, words: WideWords = _OPTION) -> pd.DataFrame:
    """
    Return a line per explained (row, target): ``WIDE_COLUMNS``, then a weight per feature.

    Failed rows have no line, as in the long layout; weights of rank above *top_k* are missing.

    Raises
    ------
    UsageError
        The rows have different features.
    """
    has_lines = records.lines > 0
    base = records.stability.loc[has_lines, list(WIDE_COLUMNS)].reset_index(drop=True)
    if base.empty:
        return base
    clash = set(WIDE_COLUMNS) & set(records.weights["feature"])
    if clash:
        raise UsageError(
            f"{words.asked}: a feature is called {min(clash)!r}, which is a column of the wide"
            f" layout; rename it, or {words.instead}"
        )
    n = int(records.lines[has_lines][0])
    _check_same(bool((records.lines[has_lines] == n).all()), words)
    index, names, weights, rank = (
        records.weights[name].to_numpy().reshape(-1, n)
        for name in ("feature_index", "feature", "weight", "rank")
    )
    order = np.argsort(index, axis=1, kind="stable")
    index, names, weights, rank = (
        np.take_along_axis(values, order, axis=1) for values in (index, names, weights, rank)
    )
    _check_same(bool((index == index[0]).all() and (names == names[0]).all()), words)
    if top_k is not None:
        weights = np.where(rank <= top_k, weights, np.nan)
    return pd.concat([base, pd.DataFrame(weights, columns=pd.Index(names[0]))], axis=1)
