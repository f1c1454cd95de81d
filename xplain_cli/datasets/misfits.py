"""Rows and cells that do not fit their table: single ones cost their row, many refuse the file."""

from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from xplain_cli.datasets.cells import LONG, misfits
from xplain_cli.datasets.tables import Chunk, Table, chunks, facts_of
from xplain_cli.errors import RefusedError

_SHOWN = 5
_BLOCK = 65536


def _unfit(table: Table, column: str, kind: str) -> tuple[int, str]:
    """
    Return how many cells of a column do not fit a kind, and the reason of the first.

    Forms alone cannot tell: a text of a format with types may well read as a number.
    """
    bad, first = 0, ""
    for piece in chunks(table, {column: kind}, [], _BLOCK):
        for _, why in sorted(piece.reasons.items()):
            if f"{column!r}" in why:
                bad, first = bad + 1, first or why
    return bad, first


def _listed(parts: list[str]) -> str:
    more = f" and {len(parts) - _SHOWN} more columns" if len(parts) > _SHOWN else ""
    return ", ".join(parts[:_SHOWN]) + more


def _mixed(forms: Mapping[str, int]) -> str:
    """Say what a column of text mixes; "" where it does not."""
    numbers = sum(forms.get(form, 0) for form in ("integer", LONG, "number"))
    words = sum(forms.values()) - numbers
    if not numbers or not words or "padded" in forms:
        return ""
    return f"({numbers} numbers, {words} words)"


def judge_columns(table: Table, kinds: Mapping[str, str], words: Collection[str]) -> list[str]:
    """
    Check that the cells of each column fit its kind, but for a few.

    Parameters
    ----------
    kinds
        Column -> the kind it is read as, whatever its cells look like.
    words
        The columns that the model takes as categories: words and numbers may stand together.

    Returns
    -------
    What the user should know: rows that cannot be read, cells that do not fit, mixed columns.

    Raises
    ------
    RefusedError
        More than half of a column's cells do not fit; the message places the first.
    """
    notes = [
        f"{len(source.flaws)} of {source.rows} rows cannot be read: "
        + next(iter(source.flaws.values()))
        for source in table.sources
        if source.flaws
    ]
    facts = facts_of(table, list(kinds))
    slips, mixed = [], []
    for column, kind in kinds.items():
        forms = facts[column].forms
        bad, known = misfits(facts[column], kind), sum(forms.values())
        if bad:
            bad, first = _unfit(table, column, kind)
            if 2 * bad > known:
                raise RefusedError(f"{first} ({bad} of {known} cells of the column are like that)")
        if bad:
            slips.append(f"{column!r} {bad} of {known}")
        elif kind == "text" and column not in words and table.dtypes.get(column) != kind:
            mixed += [f"{column!r} {seen}"] if (seen := _mixed(forms)) else []
    if slips:
        notes.append(
            f"{table.paths[0]}: cells that do not fit their column: {_listed(slips)}; their rows"
            " fail (--dtype COLUMN=text takes words, --na-values WORD makes missing values)"
        )
    if mixed:
        notes.append(
            f"{table.paths[0]}: columns of numbers and words are taken as words: {_listed(mixed)}"
            " (--dtype COLUMN=number makes numbers)"
        )
    return notes


def first_readable(pieces: Iterable[Chunk]) -> pd.DataFrame:
    """
    Return the typed rows of the first chunk in which any can be read.

    Raises
    ------
    RefusedError
        There is none; the message is the first row's reason.
    """
    reason = ""
    for piece in pieces:
        if len(piece.reasons) < len(piece.table):
            return piece.readable
        reason = reason or piece.reasons[0]
    raise RefusedError(f"no row can be read: {reason}")


def file_of(table: Table, row: int) -> str:
    """Return the name of the file that a row of DATA stands in."""
    first = 0
    for source in table.sources:
        first += source.rows
        if row < first:
            return source.file.name
    raise ValueError(f"there is no row {row}")
