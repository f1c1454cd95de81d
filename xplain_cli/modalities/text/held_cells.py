"""Texts in a column of a table, for models that read other cells too: those stay as they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.datasets import Chunk, Table
from xplain_cli.datasets.columns import match_columns
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.tabular.column_kinds import ModelColumns, read_kinds
from xplain_cli.modalities.tabular.reading import read_rows
from xplain_cli.models import LoadedModel
from xplain_cli.options.request import Request


def cells_of(column: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return texts as the cells of a column."""
    return {column: pd.Series(np.array(texts, dtype=object), dtype=object)}


@dataclass(frozen=True)
class HeldColumns:
    """
    The columns that a model reads, that of the texts among them.

    Attributes
    ----------
    column
        Where the texts stand.
    kinds
        The kind of each column, in the order of the model.
    known
        What the model knows of its columns: its categories.
    """

    column: str
    kinds: Mapping[str, str]
    known: ModelColumns

    @property
    def others(self) -> list[str]:
        """The columns beside the texts."""
        return [name for name in self.kinds if name != self.column]

    def read(
        self,
        table: Table,
        rows: int,
        carried: Sequence[str] = (),
        span: tuple[int, int | None] = (0, None),
    ) -> Iterator[Chunk]:
        """Yield a *span* of rows in chunks; those that the model cannot be asked have a reason."""
        yield from read_rows(table, self.kinds, self.known, rows, carried, span)


def _check_words(request: Request, loaded: LoadedModel, column: str) -> None:
    """Refuse a column that the model does not read word by word."""
    source = request.sources.model
    for known, taken in ((loaded.numeric, "a number"), (loaded.discrete, "a category")):
        if column in known:
            raise RefusedError(
                f"{source}: it takes column {column!r} as {taken}, not word by word; xplain tabular"
                " explains its columns, --text-column names another"
            )


def held_columns(
    request: Request, loaded: LoadedModel, table: Table, column: str
) -> HeldColumns | None:
    """
    Return the columns that a model reads; None for a model of texts alone.

    Raises
    ------
    RefusedError
        The model takes numbers, reads the texts otherwise than word by word, or a column that it
        reads is missing.
    UsageError
        It reads none of the texts.
    """
    source = request.sources.model
    if loaded.columns is None and loaded.n_columns is None:
        return None
    if loaded.all_numeric and loaded.columns is None:
        raise RefusedError(
            f"{source}: takes {loaded.n_columns} numbers a row, no texts: the vectoriser that makes"
            " them is missing; store both as one: make_pipeline(vectoriser, model)"
        )
    if loaded.columns is not None and column not in loaded.columns:
        raise UsageError(
            f"{source}: is a model of tables and does not read column {column!r}, but"
            f" {', '.join(loaded.columns[:12])}; name one of these by --text-column, or explain"
            " columns by xplain tabular"
        )
    _check_words(request, loaded, column)
    matched = match_columns(
        table.columns,
        loaded.columns,
        loaded.n_columns,
        id_column=request.ids.id_column,
        features=(),
        drop=(),
        where=table.paths[0],
    )
    kinds, known = read_kinds(table, table, matched.columns, loaded)
    if column not in kinds:
        raise UsageError(f"{source}: reads {', '.join(kinds)}, and not column {column!r}")
    return HeldColumns(column, {**kinds, column: "text"}, known)
