"""Tables: columns are features, and a background stands for the training distribution."""

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from xplain_cli import datasets
from xplain_cli.batches import BATCH_ROWS
from xplain_cli.datasets import Table
from xplain_cli.datasets.columns import match_columns
from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import IntArray
from xplain_cli.features.measuring import parse_groups, table_law
from xplain_cli.methods import Method
from xplain_cli.methods.lime import Lime
from xplain_cli.modalities import PROBE_ROWS, Drawing, Load, Piece, Reading
from xplain_cli.modalities.carried import check_carried, read_options, rows_of
from xplain_cli.models import LoadedModel, Model, Settled
from xplain_cli.plan import Request
from xplain_cli.pool import predict_perturbed

_LEAST_BACKGROUND, _FEW_BACKGROUND = 20, 200
_CHUNK_ROWS, _AROUND_CHUNK_ROWS = 512, 32


@dataclass(frozen=True)
class Tabular:
    """
    An opened table with its background.

    Attributes
    ----------
    request
        What the user asked for.
    table, kinds
        DATA, and the kind of each model column.
    background, background_sha
        Typed rows that stand for the training distribution, and where they come from.
    discrete
        Columns taken as categories.
    groups
        Features that stand for several columns.
    notes
        What was decided, for the user.
    """

    request: Request
    table: Table
    kinds: Mapping[str, str]
    background: pd.DataFrame
    background_sha: str
    discrete: frozenset[str]
    groups: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    gives = "draws"
    batch_rows = BATCH_ROWS

    @property
    def paths(self) -> tuple[str, ...]:
        """DATA as the user named it."""
        return self.table.paths

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of DATA."""
        return self.table.sha256

    @property
    def n_rows(self) -> int:
        """The number of rows of DATA."""
        return datasets.n_rows(self.table)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of DATA."""
        return self.table.columns

    def probe(self) -> pd.DataFrame:
        """Return the first rows."""
        return next(datasets.chunks(self.table, self.kinds, [], PROBE_ROWS)).table

    def typical(self) -> pd.DataFrame:
        """Return rows of the background."""
        return self.background.head(PROBE_ROWS)

    def pieces(self, size: int, start: int, stop: int) -> Iterator[Piece]:
        """Yield rows start..stop in pieces of *size*."""
        for table, rows in rows_of(self.request, self.table, self.kinds, size, start, stop):
            yield Piece(table, rows)

    def chunk_rows(self, method: Method) -> int:
        """Return how many rows make a good unit of work."""
        return _CHUNK_ROWS if method.pooled else _AROUND_CHUNK_ROWS

    def draw_by(self, method: Method, model: Model, settled: Settled) -> Drawing:
        """Return the law, measured on the background."""
        if not isinstance(method, Lime):
            raise TypeError(f"{method} draws nothing")
        labels = None
        if method.discretizer == "entropy":
            labels = _labels(self.background, model, settled)
        law = table_law(
            self.background,
            self.kinds,
            str(method.discretizer),
            discrete=self.discrete,
            groups=self.groups,
            labels=labels,
        )
        meaning = "background: absent features are drawn from the background's distribution"
        return Drawing(law, "background", meaning)

    def numbers(self) -> dict[str, Any]:
        """Return what of the reading decides the numbers."""
        request = self.request
        return {
            "background": self.background_sha,
            "columns": dict(self.kinds),
            "discrete": sorted(self.discrete),
            "groups": {name: list(members) for name, members in self.groups.items()},
            "reading": {
                "sep": request.sep,
                "encoding": request.encoding,
                "na_values": sorted(request.na_values),
                "header": not request.no_header,
            },
        }

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says of the background."""
        return {
            "background": {
                "path": self.request.background,
                "sha256": self.background_sha,
                "rows": len(self.background),
            }
        }

    def described(self) -> str:
        """Return the model's inputs in a line."""
        return ", ".join(
            f"{column} ({'category' if column in self.discrete else kind})"
            for column, kind in self.kinds.items()
        )


def _labels(background: pd.DataFrame, model: Model, settled: Settled) -> IntArray | None:
    """Return the model's class of each background row, for entropy bins."""
    if settled.task != "classification":
        return None
    labels: IntArray = predict_perturbed(model, background).argmax(axis=1)
    return labels


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


def _kinds(
    table: Table, source: Table, columns: tuple[str, ...], loaded: LoadedModel
) -> dict[str, str]:
    """Decide the kind of each model column, from DATA and its background."""
    kinds = _model_kinds(datasets.kinds(table, columns), loaded, table.paths[0])
    if source is table:
        return kinds
    missing = [c for c in columns if c not in source.columns]
    if missing:
        raise RefusedError(
            f"{source.paths[0]}: the background has no column {missing[0]!r}"
            f"{nearest(missing[0], source.columns)}"
        )
    held = _model_kinds(datasets.kinds(source, columns), loaded, source.paths[0])
    return _merge_kinds(kinds, held)


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
        options = read_options(request, of_data=False)
        held = datasets.open_table([request.background], replace(options, dtypes=()))
        # a column of DATA alone, such as the id, may have a type that the background cannot
        return replace(held, dtypes={c: t for c, t in options.dtypes if c in held.columns}), []
    if "-" in request.data:
        raise UsageError(
            "rows from standard input need --background FILE: rows that stand for the training"
            " distribution"
        )
    return table, ["background: the whole of DATA (--background FILE names another)"]


def _check_background(rows: int, path: str) -> list[str]:
    if rows < _LEAST_BACKGROUND:
        raise RefusedError(
            f"{path}: {rows} rows are too few for a background; at least {_LEAST_BACKGROUND} must"
            " stand for the training distribution (--background FILE)"
        )
    if rows < _FEW_BACKGROUND:
        return [f"background: only {rows} rows; bins and frequencies are rough below 200"]
    return []


def _integer_note(kinds: Mapping[str, str], discrete: frozenset[str]) -> list[str]:
    whole = [c for c, kind in kinds.items() if kind == "integer" and c not in discrete]
    if not whole:
        return []
    shown = ", ".join(whole[:5]) + (f" and {len(whole) - 5} more" if len(whole) > 5 else "")
    return [f"integer columns are taken as numbers: {shown} (--categorical NAME makes categories)"]


def open_tabular(request: Request, load: Load) -> Reading:
    """
    Open a table, its background and the model.

    Raises
    ------
    RefusedError, UsageError
        With the file, the place and the way out.
    """
    table = datasets.open_table(request.data, read_options(request))
    loaded = load()
    matched = match_columns(
        table.columns,
        loaded.columns,
        loaded.n_columns,
        id_column=request.id_column,
        features=request.features,
        drop=request.drop_columns,
        where=table.paths[0],
    )
    check_carried(request, table)
    source, notes = _background_table(request, table)
    kinds = _kinds(table, source, matched.columns, loaded)
    background = datasets.read_columns(source, kinds)
    notes += _check_background(len(background), source.paths[0])
    discrete = _discrete(request, kinds, loaded)
    opened = Tabular(
        request=request,
        table=table,
        kinds=kinds,
        background=background,
        background_sha=source.sha256,
        discrete=discrete,
        groups=parse_groups(request.groups, matched.columns),
        notes=(*matched.notes, *notes, *_integer_note(kinds, discrete)),
    )
    return Reading(opened, loaded)
