"""Row ids and kept columns: what names a row for the user and is no input of the model."""

from typing import Any

from xplain_cli import datasets
from xplain_cli.datasets import Chunk, ReadOptions, Table
from xplain_cli.datasets.columns import duplicate_ids
from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS, Rows
from xplain_cli.plan import Request


def read_options(request: Request, *, of_data: bool = True) -> ReadOptions:
    """
    Return how files are read.

    Raises
    ------
    UsageError
        A ``--dtype`` without a type.
    """
    dtypes = []
    for text in request.dtypes:
        column, equals, kind = text.rpartition("=")
        if not equals:
            raise UsageError(f"--dtype {text!r}: expected COLUMN=TYPE, such as zip=text")
        dtypes.append((column, kind))
    return ReadOptions(
        input_format=request.input_format if of_data else None,
        sep=request.sep,
        quoting=request.quoting,
        decimal=request.decimal,
        encoding=request.encoding,
        na_values=request.na_values,
        dtypes=tuple(dtypes),
        header=not request.no_header,
        show_cells=not request.no_values,
    )


def reading_numbers(request: Request) -> dict[str, Any]:
    """Return what of the reading of files decides the numbers; what is no default, by name."""
    return {
        "sep": request.sep,
        "encoding": request.encoding,
        "na_values": sorted(request.na_values),
        "header": not request.no_header,
        **({"quoting": request.quoting} if request.quoting else {}),
        **({"decimal": request.decimal} if request.decimal != "." else {}),
    }


def check_carried(request: Request, table: Table) -> None:
    """
    Refuse an id or kept column that is not there, and ids that repeat.

    Raises
    ------
    UsageError, RefusedError
        With the column and the row.
    """
    asked = [("--id-column", c) for c in (request.id_column,) if c]
    ours = {*WEIGHT_COLUMNS, *STABILITY_COLUMNS} & set(request.keep)
    if ours:
        raise UsageError(
            f"--keep {min(ours)}: the output has a column of that name itself; rename it in DATA"
        )
    for option, column in asked + [("--keep", c) for c in request.keep]:
        if column not in table.columns:
            hint = nearest(column, table.columns)
            raise UsageError(f"{option}: {table.paths[0]} has no column {column!r}{hint}")
    if request.id_column:
        pieces = datasets.chunks(table, {}, [request.id_column], 65536)
        ids = [v for piece in pieces for v in piece.ids(request.id_column)]
        if not all(ids):
            raise RefusedError(
                f"{table.paths[0]}: --id-column {request.id_column}: row {ids.index('')} has no id;"
                " fill it in, or name another column"
            )
        twice = duplicate_ids(ids)
        if twice:
            raise RefusedError(
                f"{table.paths[0]}: --id-column {request.id_column}: ids must be unique, but"
                f" {', '.join(map(repr, twice[:3]))} repeat{'s' if len(twice) == 1 else ''};"
                " name another column"
            )


def carried_columns(request: Request) -> list[str]:
    """Return the id column and the kept ones."""
    return list(dict.fromkeys([*filter(None, [request.id_column]), *request.keep]))


def rows_of(request: Request, chunk: Chunk) -> Rows:
    """Return the rows of a chunk as the user knows them."""
    ids: list[Any] = list(range(chunk.start, chunk.start + len(chunk.table)))
    if request.id_column:
        ids = chunk.ids(request.id_column)
    return Rows(chunk.start, ids, chunk.carried[list(request.keep)], chunk.reasons)
