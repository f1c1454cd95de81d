"""Row ids and kept columns: names of a row for the user, no inputs of the model."""

from typing import Any

from xplain_cli import datasets
from xplain_cli.datasets import Chunk, ReadOptions, Table
from xplain_cli.datasets.columns import duplicate_ids
from xplain_cli.errors import RefusedError, UsageError, nearest, shortened
from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS, Rows
from xplain_cli.options.request import Request


def read_options(request: Request, *, of_data: bool = True) -> ReadOptions:
    """
    Return how files are read.

    Raises
    ------
    UsageError
        A ``--dtype`` without a type.
    """
    dtypes = []
    for text in request.table_format.dtype:
        column, equals, kind = text.rpartition("=")
        if not equals:
            raise UsageError(f"--dtype {text!r}: expected COLUMN=TYPE, such as zip=text")
        dtypes.append((column, kind))
    return ReadOptions(
        input_format=request.table_format.input_format if of_data else None,
        sep=request.table_format.sep,
        quoting=request.table_format.quoting,
        decimal=request.table_format.decimal,
        encoding=request.table_format.encoding,
        na_values=request.table_format.na_values,
        dtypes=tuple(dtypes),
        header=not request.table_format.no_header,
        show_cells=request.shows_values,
        signed=request.signature[1:],
    )


def reading_numbers(request: Request) -> dict[str, Any]:
    """Return what of the reading of files decides the numbers; what is no default, by name."""
    return {
        "sep": request.table_format.sep,
        "encoding": request.table_format.encoding,
        "na_values": sorted(request.table_format.na_values),
        "header": not request.table_format.no_header,
        **({"quoting": request.table_format.quoting} if request.table_format.quoting else {}),
        **(
            {"decimal": request.table_format.decimal} if request.table_format.decimal != "." else {}
        ),
    }


def check_carried(request: Request, table: Table) -> None:
    """
    Refuse an id or kept column that is not there, and ids that repeat.

    Raises
    ------
    UsageError, RefusedError
        With the column and the row.
    """
    asked = [("--id-column", c) for c in (request.ids.id_column,) if c]
    ours = {*WEIGHT_COLUMNS, *STABILITY_COLUMNS} & set(request.ids.keep)
    if ours:
        raise UsageError(
            f"--keep {min(ours)}: the output has a column of that name itself; rename it in DATA"
        )
    for option, column in asked + [("--keep", c) for c in request.ids.keep]:
        if column not in table.columns:
            hint = nearest(column, table.columns)
            raise UsageError(f"{option}: {table.paths[0]} has no column {column!r}{hint}")
    if request.ids.id_column:
        pieces = datasets.chunks(table, {}, [request.ids.id_column], 65536)
        ids = [v for piece in pieces for v in piece.ids(request.ids.id_column)]
        if not all(ids):
            raise RefusedError(
                f"{table.paths[0]}: --id-column {request.ids.id_column}: row {ids.index('')} has no"
                " id; fill it in, or name another column"
            )
        twice = duplicate_ids(ids)
        if twice:
            raise RefusedError(
                f"{table.paths[0]}: --id-column {request.ids.id_column}: ids must be unique, but"
                f" {_repeats(ids, twice, shown=request.shows_values)}; name another column"
            )


def _repeats(ids: list[str], twice: list[str], *, shown: bool) -> str:
    """Say which ids repeat, or in which rows one does where cells are not shown."""
    if shown:
        named = ", ".join(repr(shortened(one)) for one in twice[:3])
        return f"{named} repeat{'s' if len(twice) == 1 else ''}"
    first = ids.index(twice[0])
    return f"rows {first} and {ids.index(twice[0], first + 1)} (from 0) have the same"


def carried_columns(request: Request) -> list[str]:
    """Return the id column and the kept ones."""
    return list(dict.fromkeys([*filter(None, [request.ids.id_column]), *request.ids.keep]))


def rows_of(request: Request, chunk: Chunk) -> Rows:
    """Return the rows of a chunk as the user knows them."""
    ids: list[Any] = list(range(chunk.start, chunk.start + len(chunk.table)))
    if request.ids.id_column:
        ids = chunk.ids(request.ids.id_column)
    kept = list(dict.fromkeys(request.ids.keep))  # one that is named twice is one column
    return Rows(chunk.start, ids, chunk.carried[kept], chunk.reasons)
