"""The columns of DATA and its background: of which kind they are, and which rows can be used."""

from collections.abc import Mapping

import pandas as pd

from xplain_cli import datasets
from xplain_cli.datasets import Table
from xplain_cli.errors import RefusedError, nearest
from xplain_cli.models import LoadedModel

_LEAST_BACKGROUND, _FEW_BACKGROUND = 20, 200


def _model_kinds(found: Mapping[str, str], loaded: LoadedModel, path: str) -> dict[str, str]:
    """Let the model decide where it knows: a column that it takes as a number is read as one."""
    kinds = {}
    for column, kind in found.items():
        number = loaded.all_numeric or column in loaded.numeric
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


def read_background(
    table: Table, source: Table, kinds: Mapping[str, str], loaded: LoadedModel
) -> tuple[pd.DataFrame, list[str]]:
    """
    Check the cells of DATA and its background against their kinds, and read the background.

    Parameters
    ----------
    table, source
        DATA, and the table of the background; they may be one.

    Returns
    -------
    The rows that stand for the training distribution, and notes about both tables.

    Raises
    ------
    RefusedError
        Most cells of a column do not fit, or too few rows are left.
    """
    notes = datasets.judge_columns(table, kinds, loaded.discrete)
    if source is not table:
        found = datasets.judge_columns(source, kinds, loaded.discrete)
        notes += [f"background: {note}" for note in found]
    whole = datasets.read_columns(source, kinds)
    rows, lost = whole.readable, len(whole.reasons)
    if lost:
        notes.append(f"background: {lost} rows that cannot be read are left out")
    return rows, notes + _check_background(len(rows), source.paths[0])
