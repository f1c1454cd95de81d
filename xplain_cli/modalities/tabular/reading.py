"""Reads the rows of DATA and its background, and sets aside those that cannot be used."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli import datasets
from xplain_cli.datasets import Chunk, Table
from xplain_cli.errors import FewRowsError, counted
from xplain_cli.explanation import BoolArray, IntArray
from xplain_cli.modalities.tabular.categories import set_apart, unseen_notes
from xplain_cli.modalities.tabular.column_kinds import ModelColumns
from xplain_cli.modalities.tabular.row_sample import RowSample
from xplain_cli.models import Model

_BLOCK, _SAMPLED_BLOCK = 65536, 16384
_LEAST_BACKGROUND, _FEW_BACKGROUND = 20, 200
_MOST_BACKGROUND = 1 << 17  # the standard error of a frequency is at most .0014


def _check_background(rows: int, path: str) -> list[str]:
    if rows < _LEAST_BACKGROUND:
        raise FewRowsError(
            f"{path}: too few rows for a background: {rows}; at least"
            f" {_LEAST_BACKGROUND} must stand for the training distribution (--background FILE);"
            " -m kernel-shap with -b zero, row=ID or file=PATH needs none",
            path,
            rows,
        )
    if rows < _FEW_BACKGROUND:
        return [f"background: only {counted(rows)}; bins and frequencies are rough below 200"]
    return []


def _judge(table: Table, kinds: Mapping[str, str], known: ModelColumns) -> list[str]:
    """Check the cells of a table against their kinds and the model's categories."""
    notes = datasets.judge_columns(table, kinds, known.discrete)
    levels = {c: one for c, one in known.levels.items() if one.values is not None}
    if levels:
        pieces = datasets.chunks(table, {c: kinds[c] for c in levels}, [], _BLOCK)
        notes += unseen_notes(pieces, levels, table.paths[0], shown=table.show_cells)
    return notes


def _usable(piece: Chunk, table: Table, known: ModelColumns) -> Chunk:
    """Return a chunk in which rows that the model cannot be asked have a reason."""
    name = partial(datasets.file_of, table)
    filled = piece if table.keeps_types else _with_empty_words(piece, known)
    return set_apart(filled, known.levels, name, shown=table.show_cells)


def _with_empty_words(piece: Chunk, known: ModelColumns) -> Chunk:
    """Return a chunk in which an empty cell is the empty word, where that is a category."""
    empty = [c for c, one in known.levels.items() if c in piece.table and "" in (one.values or ())]
    filled = {c: piece.table[c].where(piece.table[c].notna(), "") for c in empty}
    return replace(piece, table=piece.table.assign(**filled)) if empty else piece


def read_rows(
    table: Table,
    kinds: Mapping[str, str],
    known: ModelColumns,
    rows: int,
    carried: Sequence[str] = (),
    span: tuple[int, int | None] = (0, None),
) -> Iterator[Chunk]:
    """
    Yield a *span* of rows in chunks; those that the model cannot be asked have a reason.

    Raises
    ------
    RefusedError
        A file cannot be read.
    """
    for piece in datasets.chunks(table, kinds, carried, rows, *span):
        yield _usable(piece, table, known)


def is_sampled(table: Table, source: Table) -> bool:
    """Return whether DATA is its own background, and so long that a sample stands for it."""
    return source is table and datasets.n_rows(table) > _MOST_BACKGROUND


def read_background(
    table: Table, source: Table, kinds: Mapping[str, str], known: ModelColumns
) -> tuple[pd.DataFrame, IntArray, list[str]]:
    """
    Check the cells of DATA and its background against their kinds, and read the background.

    DATA that is its own background is sampled where it is long; a table that is named is not.

    Parameters
    ----------
    table, source
        DATA, and the table of the background; they may be one.

    Returns
    -------
    The rows that stand for the training distribution, where each stands in the background, and
    notes about both tables.

    Raises
    ------
    RefusedError
        Most cells of a column do not fit.
    """
    notes = _judge(table, kinds, known)
    if source is not table:
        notes += [f"background: {note}" for note in _judge(source, kinds, known)]
    if is_sampled(table, source):
        sample, lost = RowSample(_MOST_BACKGROUND), 0
        for piece in read_rows(table, kinds, known, _SAMPLED_BLOCK):
            sample.add(piece.readable, piece.start + _readable_places(piece))
            lost += len(piece.reasons)
        rows, places = sample.rows()
    else:
        whole = _usable(datasets.read_columns(source, kinds), source, known)
        rows, places, lost = whole.readable, _readable_places(whole), len(whole.reasons)
    if lost:
        notes.append(f"background: without {counted(lost)} that cannot be used")
    return rows, places, notes


def _readable_places(piece: Chunk) -> IntArray:
    return np.delete(np.arange(len(piece.table)), list(piece.reasons))


def _gaps(column: "pd.Series[Any]") -> dict[float, BoolArray]:
    """Return where a column is missing, infinite or minus infinite, as far as it is anywhere."""
    if column.dtype.kind == "f" and np.isfinite(column.to_numpy()).all():
        return {}
    gaps: dict[float, BoolArray] = {math.nan: column.isna().to_numpy(dtype=np.bool_)}
    if column.dtype.kind == "f":
        gaps |= {value: (column == value).to_numpy() for value in (math.inf, -math.inf)}
    return {value: rows for value, rows in gaps.items() if rows.any()}


def _fails(model: Model, rows: pd.DataFrame) -> str:
    """Return why the model cannot answer some rows; "" where it can."""
    try:
        answers = model.predict(rows)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "" if np.isfinite(answers).all() else "it answers NaN or infinity"


def usable_background(
    rows: pd.DataFrame, model: Model, path: str, *, needed: bool = True
) -> tuple[IntArray, list[str]]:
    """
    Leave out background rows with a missing or infinite value on which the model fails.

    What the model can take is asked on a complete row with one such value put in.

    Parameters
    ----------
    needed
        False where nothing is taken from the background: then any number of rows will do.

    Returns
    -------
    The places of the rows that are left, and notes.

    Raises
    ------
    RefusedError
        Fewer than 20 rows are left, and they are needed.
    """
    columns = list(map(str, rows.columns))
    gaps = {(c, value): at for c in columns for value, at in _gaps(rows[c]).items()}
    whole = np.flatnonzero(~np.any([np.zeros(len(rows), dtype=np.bool_), *gaps.values()], axis=0))
    probes = []
    for column, value in gaps if len(whole) else ():
        probe = rows.take(whole[:1]).reset_index(drop=True)
        probe[column] = pd.Series([value], dtype=rows[column].dtype)
        probes.append(probe)
    notes, lost = [], dict[tuple[str, float], str]()
    left: BoolArray = np.ones(len(rows), dtype=np.bool_)
    if probes and _fails(model, pd.concat(probes, ignore_index=True)):
        reasons = {gap: _fails(model, probe) for gap, probe in zip(gaps, probes, strict=True)}
        lost = {gap: reason for gap, reason in reasons.items() if reason}
    if lost:
        left = ~np.any([gaps[gap] for gap in lost], axis=0)
        shown = ", ".join(repr(c) for c in dict.fromkeys(c for c, _ in lost))
        notes.append(
            f"background: without {counted(int((~left).sum()))} in which {shown} are missing or"
            f" infinite: the model fails on them ({next(iter(lost.values()))})"
        )
    checked = _check_background(int(left.sum()), path) if needed else []
    return np.flatnonzero(left), notes + checked
