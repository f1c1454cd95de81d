"""Opens model, data and background, and checks all that can be checked before the first row."""

import contextlib
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from xplain_cli import datasets
from xplain_cli.datasets import ReadOptions, Table
from xplain_cli.datasets.columns import duplicate_ids, match_columns
from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS
from xplain_cli.features.measuring import parse_groups
from xplain_cli.models import LoadedModel, Model, ModelRecipe, Settled, load_model
from xplain_cli.plan import Request
from xplain_cli.reading import read_background, read_kinds, read_rows, usable_background

PROBE_ROWS = 16


@dataclass(frozen=True)
class Opened:
    """
    What a run explains, opened and checked.

    Attributes
    ----------
    recipe, loaded, settled, model
        The model, and how to open it again.
    table, kinds
        DATA, and the kind of each model column.
    background, background_sha
        Typed rows that stand for the training distribution, and where they come from.
    discrete
        Columns taken as categories.
    groups
        Features that stand for several columns.
    start, stop
        The rows to explain.
    notes
        What was decided, for the user to read.
    """

    recipe: ModelRecipe
    loaded: LoadedModel
    settled: Settled
    model: Model
    table: Table
    kinds: Mapping[str, str]
    background: pd.DataFrame
    background_sha: str
    discrete: frozenset[str]
    groups: Mapping[str, tuple[str, ...]]
    start: int
    stop: int
    notes: tuple[str, ...]


def _recipe(request: Request) -> ModelRecipe:
    names = None
    if request.class_names is not None:
        path = Path(request.class_names)
        try:
            names = tuple(path.read_text(encoding="utf-8-sig").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise RefusedError(f"{path}: class names cannot be read: {reason}") from error
    return ModelRecipe(
        source=request.model,
        sha256=request.model_sha256,
        trusted=request.trusted,
        trust_all=request.trust_model,
        python_path=tuple(str(Path(folder).resolve()) for folder in request.python_path),
        response=request.response,
        model_output=request.model_output,
        class_names=names,
    )


def _read_options(request: Request, *, of_data: bool) -> ReadOptions:
    dtypes = []
    for text in request.dtypes:
        column, equals, kind = text.rpartition("=")
        if not equals:
            raise UsageError(f"--dtype {text!r}: expected COLUMN=TYPE, such as zip=text")
        dtypes.append((column, kind))
    return ReadOptions(
        input_format=request.input_format if of_data else None,
        sep=request.sep,
        encoding=request.encoding,
        na_values=request.na_values,
        dtypes=tuple(dtypes),
        header=not request.no_header,
        show_cells=not request.no_values,
    )


def _check_carried(request: Request, table: Table) -> None:
    """Refuse an id or kept column that is not there, and ids that repeat."""
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


def _slice(asked: tuple[int, int | None] | None, count: int) -> tuple[int, int]:
    start, stop = asked or (0, None)
    if start >= count:
        raise UsageError(f"--rows {start}:{stop or ''}: the data has {count} rows")
    return start, min(stop or count, count)


def _discrete(request: Request, kinds: Mapping[str, str], loaded: LoadedModel) -> frozenset[str]:
    found = {c for c, kind in kinds.items() if kind not in {"number", "integer", "empty"}}
    found |= set(kinds) & loaded.discrete
    for pattern in request.categorical:
        hits = {c for c in kinds if fnmatch.fnmatchcase(c, pattern)}
        if not hits:
            raise UsageError(
                f"--categorical {pattern!r} matches no column of the model{nearest(pattern, kinds)}"
            )
        found |= hits
    return frozenset(found)


def _background_table(request: Request, table: Table) -> tuple[Table, list[str]]:
    if request.background is not None:
        options = _read_options(request, of_data=False)
        held = datasets.open_table([request.background], replace(options, dtypes=()))
        # a column of DATA alone, such as the id, may have a type that the background cannot
        return replace(held, dtypes={c: t for c, t in options.dtypes if c in held.columns}), []
    if "-" in request.data:
        raise UsageError(
            "rows from standard input need --background FILE: rows that stand for the training"
            " distribution"
        )
    return table, ["background: the whole of DATA (--background FILE names another)"]


def _integer_note(kinds: Mapping[str, str], discrete: frozenset[str]) -> list[str]:
    whole = [c for c, kind in kinds.items() if kind == "integer" and c not in discrete]
    if not whole:
        return []
    shown = ", ".join(whole[:5]) + (f" and {len(whole) - 5} more" if len(whole) > 5 else "")
    return [f"integer columns are taken as numbers: {shown} (--categorical NAME makes categories)"]


def _probe(
    table: Table, kinds: Mapping[str, str], loaded: LoadedModel
) -> tuple[Settled, list[str]]:
    """
    Settle the model on the first rows; where some of them are bad, on the first good one.

    A bad row then fails by itself later, wherever in DATA it stands.
    """
    rows = datasets.first_readable(read_rows(table, kinds, loaded, PROBE_ROWS))
    try:
        return loaded.settle(rows), []
    except RefusedError:
        for i in range(len(rows)):
            with contextlib.suppress(RefusedError):
                settled = loaded.settle(rows.take([i]).reset_index(drop=True))
                return settled, [f"the model fails on some of the first {len(rows)} rows"]
        raise


def open_inputs(request: Request) -> Opened:
    """
    Open what the request names.

    Raises
    ------
    RefusedError, UsageError
        With the file, the place and the way out.
    """
    recipe = _recipe(request)
    table = datasets.open_table(request.data, _read_options(request, of_data=True))
    loaded = load_model(recipe)
    if request.model_output is not None and loaded.kind != "onnx":
        raise UsageError(
            f"--model-output names an output of an ONNX model; those of a {loaded.kind} model are"
            " chosen with --target"
        )
    matched = match_columns(
        table.columns,
        loaded.columns,
        loaded.n_columns,
        id_column=request.id_column,
        features=request.features,
        drop=request.drop_columns,
        where=table.paths[0],
    )
    _check_carried(request, table)
    source, notes = _background_table(request, table)
    kinds = read_kinds(table, source, matched.columns, loaded)
    background, found = read_background(table, source, kinds, loaded)
    notes += found
    discrete = _discrete(request, kinds, loaded)
    settled, probed = _probe(table, kinds, loaded)
    model = loaded.bind(settled)
    background, found = usable_background(background, model, source.paths[0])
    notes += found
    start, stop = _slice(request.rows, datasets.n_rows(table))
    said = (settled.note, *loaded.notes, *table.notes, *matched.notes, *notes, *probed)
    return Opened(
        recipe=recipe,
        loaded=loaded,
        settled=settled,
        model=model,
        table=table,
        kinds=kinds,
        background=background,
        background_sha=source.sha256,
        discrete=discrete,
        groups=parse_groups(request.groups, matched.columns),
        start=start,
        stop=stop,
        notes=(*said, *_integer_note(kinds, discrete)),
    )
