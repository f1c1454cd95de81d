"""Tables: columns are features, and a background stands for the training distribution."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from xplain_cli import datasets
from xplain_cli.baselines import Baseline, open_baseline
from xplain_cli.baselines.lessons import Examples, table_examples
from xplain_cli.datasets import Table
from xplain_cli.datasets.columns import check_signature, match_columns, named_by
from xplain_cli.errors import UsageError, nearest
from xplain_cli.explanation import IntArray
from xplain_cli.methods import METHODS, Method
from xplain_cli.modalities import (
    PROBE_ROWS,
    Load,
    Neighbourhood,
    OpenedModality,
    Piece,
    model_id,
)
from xplain_cli.modalities.row_ids import (
    carried_columns,
    check_carried,
    read_options,
    reading_numbers,
    rows_of,
)
from xplain_cli.modalities.tabular.baselines import (
    BaselineFiles,
    judge_numbers,
    masked_drawing,
)
from xplain_cli.modalities.tabular.column_kinds import ModelColumns, read_kinds
from xplain_cli.modalities.tabular.conditions import edges_said
from xplain_cli.modalities.tabular.draws import row_keys
from xplain_cli.modalities.tabular.fit import parse_groups, table_law
from xplain_cli.modalities.tabular.held_values import HeldValues, find_combinations, parse_held
from xplain_cli.modalities.tabular.leaf_sums import check_leaves
from xplain_cli.modalities.tabular.reading import (
    is_sampled,
    read_background,
    read_rows,
    usable_background,
)
from xplain_cli.models import Model, Signature
from xplain_cli.models.batches import BATCH_ROWS, predict_perturbed
from xplain_cli.options.request import Request
from xplain_cli.specs import split_spec

_CHUNK_ROWS, _AROUND_CHUNK_ROWS, _MANY_CHUNK_ROWS = 512, 32, 4
_WIDE_BATCH = 2048  # of 8,192, half was filling where a row asks some 4,000 inputs
_REFERENCE_ROWS = 512
_READ_ROWS = 65536
_DRAWN = "background: absent features are drawn from the background's distribution"


def _check_draws(request: Request) -> None:
    """Refuse what draws from the background have no use for."""
    if request.references.judge is not None:
        raise UsageError("--judge: lime on draws has no baseline to judge; take -m kernel-shap")
    if request.first_baseline is not None:
        raise UsageError(
            f"--baseline {request.first_baseline}: lime draws absent features from the background;"
            " -m lime:space=baseline, kernel-shap, permutation and occlusion take a baseline"
        )


@dataclass(frozen=True)
class Tabular:
    """
    An opened table with its background.

    Attributes
    ----------
    request
        What the user asked for.
    known
        What the model knows of its columns.
    table, kinds
        DATA, and the kind of each model column.
    source, background, background_sha
        Where the background comes from, and its typed rows, for the training distribution.
    discrete
        Columns taken as categories.
    groups
        Features that stand for several columns.
    held
        Columns that stay the row's own.
    notes
        What was decided, for the user.
    model_id
        SHA-256 (hex) of the model, and its member.
    """

    request: Request
    known: ModelColumns
    table: Table
    kinds: Mapping[str, str]
    source: Table
    background: pd.DataFrame
    background_rows: IntArray
    background_sha: str
    discrete: frozenset[str]
    groups: Mapping[str, tuple[str, ...]]
    held: tuple[str, ...]
    notes: tuple[str, ...]
    model_id: str = ""

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

    @property
    def batch_rows(self) -> int:
        """Rows of every model batch: more where each mask is asked on many baselines."""
        if self.gives(self.request.method) == "draws":
            return BATCH_ROWS
        return _WIDE_BATCH if self._baseline.many else BATCH_ROWS

    def gives(self, method: str) -> str:
        """Return ``draws`` for LIME on the background, else ``masks``: a baseline."""
        name, settings = split_spec(method)
        drawn = name in METHODS["draws"] and settings.get("space") != "baseline"
        return "draws" if drawn or name not in METHODS["masks"] else "masks"

    @property
    def reads_background(self) -> bool:
        """Whether the method draws from the background, or the baseline is made of it."""
        drawn = self.gives(self.request.method) == "draws"
        return drawn or _reads_background(self._baseline, self.discrete)

    @property
    def _baseline(self) -> Baseline:
        return open_baseline("tabular", self.request.first_baseline)

    @property
    def _files(self) -> BaselineFiles:
        held = (self.request, self.table, self.source, self.kinds, self.known)
        return BaselineFiles(*held, self.model_id)

    def probe(self) -> pd.DataFrame:
        """Return the first rows."""
        return datasets.first_readable(read_rows(self.table, self.kinds, self.known, PROBE_ROWS))

    def typical(self) -> pd.DataFrame:
        """Return rows of the background."""
        return self.background.head(PROBE_ROWS)

    def reference(self) -> pd.DataFrame:
        """Return the background, at most 512 rows of it."""
        return self.background.head(_REFERENCE_ROWS)

    def pieces(self, size: int, start: int, stop: int) -> Iterator[Piece]:
        """Yield rows start..stop in pieces of *size*."""
        carried = carried_columns(self.request)
        for chunk in read_rows(
            self.table, self.kinds, self.known, size, carried=carried, span=(start, stop)
        ):
            yield Piece(chunk.table, rows_of(self.request, chunk))

    def chunk_rows(self, method: Method, neighbourhood: Neighbourhood) -> int:
        """Return how many rows make a good unit of work."""
        if neighbourhood.perturbation.traits.has_baselines:
            many = neighbourhood.perturbation.traits.copies >= _AROUND_CHUNK_ROWS
            return _MANY_CHUNK_ROWS if many else _AROUND_CHUNK_ROWS
        return _CHUNK_ROWS if method.pooled else _AROUND_CHUNK_ROWS

    def perturbation_for(self, method: Method, model: Model, signature: Signature) -> Neighbourhood:
        """Return the sampler, fitted to the background."""
        kept, notes = usable_background(
            self.background,
            model,
            self.source.paths[0],
            needed=method.wants.draws or _reads_background(self._baseline, self.discrete),
        )
        background = self.background.iloc[kept].reset_index(drop=True)
        if "leaves" in method.needs:
            check_leaves(model, background)
        path = self.request.references.background
        facts = {"path": path, "sha256": self.background_sha, "rows": len(background)}
        if not method.wants.draws:
            neighbourhood = masked_drawing(
                self._files,
                (background, self.background_rows[kept]),
                self.discrete,
                self.groups,
                (model, signature),
                wants=method.wants,
                held=self.held,
            )
            return replace(
                neighbourhood,
                meaning=neighbourhood.meaning + self._held_said,
                facts={"background": facts},
                notes=(*notes, *neighbourhood.notes),
            )
        _check_draws(self.request)
        by_class = method.wants.discretizer == "entropy"
        perturbation = table_law(
            background,
            self.kinds,
            method.wants.discretizer,
            discrete=self.discrete,
            groups=self.groups,
            labels=_labels(background, model, signature) if by_class else None,
            held=self._held_values(pooled=method.pooled),
        )
        shown = self.request.shows_values
        edges = {"bin_edges": edges_said(perturbation.cells)} if shown else {}
        return Neighbourhood(
            perturbation,
            "background",
            _DRAWN + self._held_said,
            features=len(perturbation.names),
            facts={"background": facts, **edges},
            notes=tuple(notes),
        )

    def examples(self, model: Model) -> Examples:
        """Return rows of the background (``Modality.examples``)."""
        kept, notes = usable_background(self.background, model, self.source.paths[0])
        rows = self.background.iloc[kept].reset_index(drop=True)
        return table_examples(rows, self.discrete, tuple(notes), self.held)

    def numbers(self) -> dict[str, Any]:
        """Return what of the reading decides the numbers."""
        request = self.request
        return {
            "background": self.background_sha,
            **self._baseline.numbers(self._files),
            **judge_numbers(request),
            "columns": dict(self.kinds),
            "discrete": sorted(self.discrete),
            "groups": {name: list(members) for name, members in self.groups.items()},
            **({"hold": list(self.held)} if self.held else {}),
            "reading": reading_numbers(request),
        }

    def facts(self) -> dict[str, Any]:
        """Return nothing: the background depends on the model, and the drawing tells of it."""
        return {}

    def described(self) -> str:
        """Return the model's inputs in a line."""
        return ", ".join(
            f"{column} ({'category' if column in self.discrete else kind}"
            f"{', held' if column in self.held else ''})"
            for column, kind in self.kinds.items()
        )

    @property
    def _held_said(self) -> str:
        """What stays as it is, as the end of a sentence."""
        return f"; held, as the row's own: {', '.join(self.held)}" if self.held else ""

    def _held_values(self, *, pooled: bool) -> HeldValues:
        """Return what is held, with the combinations of its values in DATA if pools need them."""
        if not self.held or not pooled:
            return HeldValues(self.held)
        kinds = {c: self.kinds[c] for c in self.held}
        levels = {c: one for c, one in self.known.levels.items() if c in kinds}
        pieces = read_rows(self.table, kinds, replace(self.known, levels=levels), _READ_ROWS)
        tables = (piece.readable for piece in pieces)
        return find_combinations(self.held, ((rows, row_keys(rows)) for rows in tables))


def _reads_background(baseline: Baseline, discrete: frozenset[str]) -> bool:
    """Say whether a baseline is made of the background; most are, and say nothing of it."""
    reads: str = getattr(baseline, "reads", "all")
    return reads == "all" or (reads == "categories" and bool(discrete))


def _labels(background: pd.DataFrame, model: Model, signature: Signature) -> IntArray | None:
    """Return the model's class of each background row, for entropy bins."""
    if signature.task != "classification":
        return None
    labels: IntArray = predict_perturbed(model, background).argmax(axis=1)
    return labels


def _discrete(request: Request, kinds: Mapping[str, str], known: ModelColumns) -> frozenset[str]:
    found = {c for c, kind in kinds.items() if kind not in {"number", "integer", "empty"}}
    found |= set(kinds) & known.discrete
    for pattern in request.columns.categorical:
        hits = set(named_by(pattern, kinds))
        if not hits:
            raise UsageError(
                f"--categorical {pattern!r} matches no column of the model"
                f"{nearest(pattern, kinds, '--categorical')}"
            )
        found |= hits
    return frozenset(found)


def _background_table(request: Request, table: Table) -> Table:
    if request.references.background is not None:
        options = read_options(request, of_data=False)
        held = datasets.open_table([request.references.background], replace(options, dtypes=()))
        # a column of DATA alone, such as the id, may have a type that the background cannot
        return replace(held, dtypes={c: t for c, t in options.dtypes if c in held.columns})
    return table


def _background_notes(opened: Tabular) -> list[str]:
    """Say that DATA is its own background; nothing where one is named, or nobody reads it."""
    request = opened.request
    if request.references.background is not None or not opened.reads_background:
        return []
    if "-" in request.sources.data:
        raise UsageError(
            "rows from standard input need --background FILE: rows that stand for the training"
            " distribution; -m kernel-shap with -b row=ID, file=PATH, or zero where no column is a"
            " category, needs none"
        )
    sampled = is_sampled(opened.table, opened.source)
    said = f"{len(opened.background):,} of the {opened.n_rows:,} rows" if sampled else "the whole"
    return [f"background: {said} of DATA (--background FILE names another)"]


def _integer_note(kinds: Mapping[str, str], discrete: frozenset[str]) -> list[str]:
    whole = [c for c, kind in kinds.items() if kind == "integer" and c not in discrete]
    if not whole:
        return []
    shown = ", ".join(whole[:5]) + (f" and {len(whole) - 5} more" if len(whole) > 5 else "")
    return [f"integer columns are taken as numbers: {shown} (--categorical NAME makes categories)"]


def _held_notes(held: tuple[str, ...]) -> list[str]:
    names = ", ".join(held)
    return [f"held: {names} (the row's own in every baseline and draw; no weight)"] if held else []


def open_data(request: Request, load: Load) -> OpenedModality:
    """
    Open a table, its background and the model.

    Raises
    ------
    RefusedError, UsageError
        With the file, the place and the way out.
    """
    table = datasets.open_table(request.sources.data, read_options(request))
    loaded = load()
    if request.signature and request.columns.features == request.signature[1:]:
        sizes = loaded.columns, loaded.n_columns
        check_signature(table.columns, request.signature, *sizes, table.paths[0])
    matched = match_columns(
        table.columns,
        loaded.columns,
        loaded.n_columns,
        id_column=request.ids.id_column,
        features=request.columns.features,
        drop=request.columns.drop_columns,
        where=table.paths[0],
    )
    check_carried(request, table)
    source = _background_table(request, table)
    kinds, known = read_kinds(table, source, matched.columns, loaded)
    background, places, found = read_background(table, source, kinds, known)
    discrete = _discrete(request, kinds, known)
    groups = parse_groups(request.columns.group, matched.columns)
    opened = Tabular(
        request=request,
        known=known,
        table=table,
        kinds=kinds,
        source=source,
        background=background,
        background_rows=places,
        background_sha=source.sha256,
        discrete=discrete,
        groups=groups,
        held=parse_held(request.columns.hold, matched.columns, groups),
        notes=(),
        model_id=model_id(request, loaded),
    )
    notes = (*table.notes, *matched.notes, *_background_notes(opened), *found)
    notes = (*notes, *_held_notes(opened.held))
    told = replace(opened, notes=(*notes, *_integer_note(kinds, discrete)))
    return OpenedModality(told, loaded)
