"""The columns of DATA and its background: of which kind they are, and which rows can be used."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli import datasets
from xplain_cli.datasets import Chunk, Table
from xplain_cli.errors import RefusedError, nearest
from xplain_cli.explanation import BoolArray, IntArray
from xplain_cli.modalities.tabular.categories import set_apart, unseen_notes
from xplain_cli.models import Levels, LoadedModel, Model

_BLOCK = 65536
_LEAST_BACKGROUND, _FEW_BACKGROUND = 20, 200


def _all(known: Levels, kind: Any) -> bool:
    """Tell whether all categories are of a kind; True and False are no numbers."""
    values = known.values
    return bool(values) and all(isinstance(v, kind) and not isinstance(v, bool) for v in values)


def _model_kinds(found: Mapping[str, str], loaded: LoadedModel, path: str) -> dict[str, str]:
    """Let the model decide where it knows: a column that it takes as a number is read as one."""
    kinds = {}
    words = {c for c, known in loaded.levels.items() if _all(known, str)}
    numbers = {c for c, known in loaded.levels.items() if _all(known, int | float)}
    for column, kind in found.items():
        number = loaded.all_numeric or column in loaded.numeric or column in numbers
        if column in words and kind != "category":
            kinds[column] = "text"
            continue
        if kind == "date" and not number:
            raise RefusedError(
                f"{path}: column {column!r} holds dates, which are neither numbers nor"
                f" categories; make numbers of them (days, month), or take each date as a word"
                f" with --dtype {column}=text"
            )
        kinds[column] = "number" if number and kind in {"text", "category", "date"} else kind
    return kinds


def _merge_kinds(data: Mapping[str, str], background: Mapping[str, str]) -> dict[str, str]:
    """Let the background decide kinds; a number that is whole on one side only is a number."""
    merged = {}
    for column, kind in background.items():
        pair = {kind, data[column]}
        merged[column] = "number" if pair == {"number", "integer"} else kind
        if kind == "empty":
            merged[column] = data[column]
    return merged


def read_kinds(
    table: Table, source: Table, columns: tuple[str, ...], loaded: LoadedModel
) -> dict[str, str]:
    """
    Return the kind of each model column, from DATA, its background and what the model knows.

    Raises
    ------
    RefusedError
        A column holds dates, or the background lacks one.
    """
    kinds = _model_kinds(datasets.kinds(table, columns, loaded.discrete), loaded, table.paths[0])
    if source is table:
        return kinds
    missing = [c for c in columns if c not in source.columns]
    if missing:
        raise RefusedError(
            f"{source.paths[0]}: the background has no column {missing[0]!r}"
            f"{nearest(missing[0], source.columns)}"
        )
    held = _model_kinds(datasets.kinds(source, columns, loaded.discrete), loaded, source.paths[0])
    return _merge_kinds(kinds, held)


def _check_background(rows: int, path: str) -> list[str]:
    if rows < _LEAST_BACKGROUND:
        raise RefusedError(
            f"{path}: {rows} rows are too few for a background; at least {_LEAST_BACKGROUND} must"
            " stand for the training distribution (--background FILE)"
        )
    if rows < _FEW_BACKGROUND:
        return [f"background: only {rows} rows; bins and frequencies are rough below 200"]
    return []


def _judge(table: Table, kinds: Mapping[str, str], loaded: LoadedModel) -> list[str]:
    """Check the cells of a table against their kinds and the model's categories."""
    notes = datasets.judge_columns(table, kinds, loaded.discrete)
    levels = {c: known for c, known in loaded.levels.items() if c in kinds}
    if levels:
        pieces = datasets.chunks(table, {c: kinds[c] for c in levels}, [], _BLOCK)
        notes += unseen_notes(pieces, levels, table.paths[0], shown=table.show_cells)
    return notes


def _usable(piece: Chunk, table: Table, loaded: LoadedModel) -> Chunk:
    name = partial(datasets.file_of, table)
    return set_apart(piece, loaded.levels, name, shown=table.show_cells)


def read_rows(
    table: Table,
    kinds: Mapping[str, str],
    loaded: LoadedModel,
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
        yield _usable(piece, table, loaded)


def read_background(
    table: Table, source: Table, kinds: Mapping[str, str], loaded: LoadedModel
) -> tuple[pd.DataFrame, IntArray, list[str]]:
    """
    Check the cells of DATA and its background against their kinds, and read the background.

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
    notes = _judge(table, kinds, loaded)
    if source is not table:
        notes += [f"background: {note}" for note in _judge(source, kinds, loaded)]
    whole = _usable(datasets.read_columns(source, kinds), source, loaded)
    lost = len(whole.reasons)
    if lost:
        notes.append(f"background: {lost} rows that cannot be used are left out")
    places = np.delete(np.arange(len(whole.table)), list(whole.reasons))
    return whole.readable, places, notes


def _gaps(column: "pd.Series[Any]") -> dict[float, BoolArray]:
    """Return where a column is missing, infinite or minus infinite, as far as it is anywhere."""
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


def usable_background(rows: pd.DataFrame, model: Model, path: str) -> tuple[IntArray, list[str]]:
    """
    Leave out background rows with a missing or infinite value on which the model fails.

    What the model can take is asked on a complete row with one such value put in.

    Returns
    -------
    The places of the rows that are left, and notes.

    Raises
    ------
    RefusedError
        Fewer than 20 rows are left.
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
            f"background: {int((~left).sum())} rows are left out, in which {shown} are missing or"
            f" infinite: the model fails on them ({next(iter(lost.values()))})"
        )
    return np.flatnonzero(left), notes + _check_background(int(left.sum()), path)
