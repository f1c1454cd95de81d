"""Texts: a column of a table, or a line each; their units are features."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from xplain_cli import datasets
from xplain_cli.baselines import Baseline, label_of, open_baseline
from xplain_cli.baselines.assignment import check_unasked
from xplain_cli.baselines.lessons import Examples
from xplain_cli.baselines.texts import Deletion, Replacement, Token
from xplain_cli.datasets import Table
from xplain_cli.errors import RefusedError, UsageError, counted, nearest
from xplain_cli.methods import Method
from xplain_cli.modalities import (
    PROBE_ROWS,
    Load,
    Neighbourhood,
    OpenedModality,
    Piece,
    classes_named,
)
from xplain_cli.modalities.row_ids import (
    carried_columns,
    check_carried,
    read_options,
    reading_numbers,
    rows_of,
)
from xplain_cli.modalities.text.candidates import OtherTexts, TextReference
from xplain_cli.modalities.text.held_cells import HeldColumns, held_columns
from xplain_cli.modalities.text.masks import TextMasker, text_key
from xplain_cli.modalities.text.segmentation import check_unit, has_dictionary
from xplain_cli.models import MaskedText, Model, Signature
from xplain_cli.models.batches import BATCH_ROWS
from xplain_cli.options.request import Request

SALT = "XPLAIN_HASH_SALT"
_SCORED_CHUNK_ROWS, _SPARSE_CHUNK_ROWS, _CHUNK_ROWS = 512, 256, 64
_READ_AHEAD = 1024
_AGREE = 1e-9
_TRIED_MASKS = 16


@dataclass(frozen=True)
class Text:
    """
    Opened texts.

    Attributes
    ----------
    request
        What the user asked for.
    table, column
        DATA, and the column of the texts.
    perturbation
        How texts are split.
    sparse
        Whether the model can be asked masked texts without their strings.
    first
        The first texts that are there, or rows with such, as the model takes them.
    tokenizer
        SHA-256 (hex) of the model's tokenizer file, if it has one.
    baseline
        What stands for absent units.
    others
        Texts that the baseline names.
    held
        The columns that the model reads, where it reads others beside the texts; else None.
    """

    request: Request
    table: Table
    column: str
    perturbation: TextMasker
    first: Any
    tokenizer: str | None
    baseline: Baseline
    others: OtherTexts
    held: HeldColumns | None

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
        """The number of texts."""
        return datasets.n_rows(self.table)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of DATA."""
        return self.table.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """Which column is explained, and what reading found."""
        said = list(self.table.notes)
        if self.request.texts.text_column is None and len(self.table.columns) > 1:
            said.append(f"texts: column {self.column!r}, the only one that holds text")
        if self.held is not None and self.held.others:
            said.append(f"columns that stay as they are in each row: {', '.join(self.held.others)}")
        return tuple(said)

    @property
    def batch_rows(self) -> int:
        """Rows of every model batch."""
        return self.request.batches.batch_size or BATCH_ROWS

    def gives(self, method: str) -> str:  # noqa: ARG002 - all mask alike
        """Return ``masks``."""
        return "masks"

    def probe(self) -> Any:
        """Return the first texts."""
        return self.first

    def typical(self) -> Any:
        """Return the first texts."""
        return self.first

    def reference(self) -> Any:
        """Return typical texts."""
        return self.typical()

    def pieces(self, size: int, start: int, stop: int) -> Iterator[Piece]:
        """Yield texts start..stop in pieces of *size*."""
        carried = carried_columns(self.request)
        if self.held is not None:
            for chunk in self.held.read(self.table, size, carried, (start, stop)):
                yield Piece(chunk.table, rows_of(self.request, chunk))
            return
        for chunk in datasets.chunks(self.table, {self.column: "text"}, carried, size, start, stop):
            yield Piece(chunk.table[self.column].tolist(), rows_of(self.request, chunk))

    def chunk_rows(self, method: Method, neighbourhood: Neighbourhood) -> int:  # noqa: ARG002 - all mask alike
        """Return how many texts make a good unit of work: those with as many units share most."""
        if neighbourhood.scored:
            return _SCORED_CHUNK_ROWS
        return _SPARSE_CHUNK_ROWS if neighbourhood.sparse else _CHUNK_ROWS

    def examples(self, model: Model) -> Examples:  # noqa: ARG002 - the protocol's
        """
        Refuse to learn from texts.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError(
            "ganmex makes rows of tables and pictures, and nothing lies between two words: for"
            " texts take -b nearest:class=NAME, the nearest text of the class"
        )

    def perturbation_for(self, method: Method, model: Model, signature: Signature) -> Neighbourhood:
        """Return the masker, and whether masked texts are asked as sparse rows."""
        label = label_of("text", self.baseline, self.request.first_baseline)
        if self.held is not None and not isinstance(self.baseline, Deletion | Token):
            raise UsageError(
                f"--baseline {label}: the model reads other columns beside the texts, and another"
                " text has others; take the default, or --mask-token"
            )
        fitted = check_unasked(self.baseline.fit(self._reference(model, signature)), label)
        perturbation = replace(self.perturbation, refine=method.wants.refine)
        sparse, scored, notes = False, False, list(fitted.notes)
        if isinstance(fitted, Replacement):
            perturbation = replace(perturbation, mask_token=fitted.token)
        elif perturbation.refine is None:
            perturbation = replace(perturbation, others=fitted)
        else:
            name = label.partition(":")[0]
            raise UsageError(
                f"lime:refine={perturbation.refine} takes units away; leave -b {name} out"
            )
        masked = model.capabilities.masked_text
        if perturbation.others is None and perturbation.mask_token is None and masked is not None:
            sparse = sparse_agrees(perturbation, model, masked, self.first)
            scored = sparse and _are_scores(perturbation, masked, self.first)
            if not sparse:
                notes.append(
                    "masked texts are asked as strings: sparse rows built from the masks do not"
                    " give the model's own answers"
                )
        return Neighbourhood(
            perturbation,
            label,
            self.baseline.sentence,
            sparse=sparse,
            scored=scored,
            notes=tuple(notes),
        )

    def _reference(self, model: Model, signature: Signature) -> TextReference:
        """Return what baselines are fitted on."""
        return TextReference(
            files=self.others,
            data=self.table,
            column=self.column,
            perturbation=self.perturbation,
            model=model,
            batch_rows=self.batch_rows,
            classes=classes_named(signature),
        )

    def numbers(self) -> dict[str, Any]:
        """Return what of the reading and the splitting decides the numbers."""
        request, perturbation = self.request, self.perturbation
        return {
            "text_column": self.column,
            "tokenizer": self.tokenizer,
            "unit": perturbation.unit,
            "occurrences": request.texts.occurrences,
            "hashed": perturbation.salt
            if not perturbation.salt
            else text_key(perturbation.salt).hex(),
            "dictionary": _dictionary_version() if perturbation.dictionary else None,
            **({} if self.held is None else {"columns": dict(self.held.kinds)}),
            **self.baseline.numbers(self.others),
            "reading": reading_numbers(request),
        }

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says of the texts."""
        return {"text_column": self.column, "unit": self.perturbation.unit}

    def described(self) -> str:
        """Return the model's inputs in a line."""
        said = [f"{self.column} (text, by {self.perturbation.unit})"]
        if self.held is not None:
            kinds = self.held.kinds
            said += [f"{name} ({kinds[name]}, as it is)" for name in self.held.others]
        return ", ".join(said)


def _dictionary_version() -> str:
    try:
        return version("icu4py")
    except PackageNotFoundError:  # importable, but not as a package of that name
        return "unknown"


def _candidates(request: Request, table: Table) -> list[str]:
    aside = {request.ids.id_column, *request.ids.keep}
    kinds = datasets.kinds(table, [c for c in table.columns if c not in aside])
    return [c for c, kind in kinds.items() if kind in {"text", "category", "empty"}]


def _text_column(request: Request, table: Table) -> str:
    """Return the column of the texts: the one that is named, or the only one that holds text."""
    where = table.paths[0]
    if request.texts.text_column is not None:
        if request.texts.text_column not in table.columns:
            raise UsageError(
                f"--text-column: {where} has no column {request.texts.text_column!r}; it has"
                f" {', '.join(table.columns[:12])}"
                f"{nearest(request.texts.text_column, table.columns)}"
            )
        return request.texts.text_column
    found = list(table.columns) if len(table.columns) == 1 else _candidates(request, table)
    if not found:
        raise RefusedError(
            f"{where}: no column holds text; it has {', '.join(table.columns[:12])}"
            " (--text-column NAME takes one all the same)"
        )
    if len(found) > 1:
        raise UsageError(
            f"{where}: {len(found)} columns hold text: {', '.join(found[:12])}; name the one to"
            " explain with --text-column"
        )
    return found[0]


def sparse_agrees(
    perturbation: TextMasker, model: Model, masked: MaskedText, texts: list[str]
) -> bool:
    """
    Say whether sparse rows give the answers of the masked strings themselves, to 1e-9.

    Tried on the first texts, under masks of every size.
    """
    rows = perturbation.units_of(texts)
    good = [i for i in range(len(rows)) if i not in rows.reasons]
    for i in good:
        n = int(rows.counts[i])
        shares = np.linspace(0, 1, _TRIED_MASKS)
        masks = np.random.default_rng(i).random((_TRIED_MASKS, n)) < shares[:, None]
        matrix = masked.masked_rows(*rows.spanned(i), masks)
        if matrix is None:
            continue
        gap = masked.predict_rows(matrix) - model.predict(rows.masked(i, masks))
        if not (np.abs(gap) <= _AGREE).all():
            return False
    return bool(good)


def _are_scores(perturbation: TextMasker, masked: MaskedText, texts: list[str]) -> bool:
    """Say whether masked texts are few numbers each, of which many rows fit in memory."""
    rows = perturbation.units_of(texts)
    good = [i for i in range(len(rows)) if i not in rows.reasons and rows.counts[i]]
    full = (masked.masked_rows(*rows.spanned(i), np.ones((1, rows.counts[i]), bool)) for i in good)
    return isinstance(next((one for one in full if one is not None), None), np.ndarray)


def _baseline(request: Request) -> Baseline:
    """Return what stands for absent units: ``--mask-token`` is a baseline, by an older name."""
    text, token = request.first_baseline, request.texts.mask_token
    if token is None:
        return open_baseline("text", text)
    if text is not None:
        raise UsageError(f"--baseline {text} and --mask-token: name one of them")
    return Token(token)


def _first(table: Table, column: str, held: HeldColumns | None) -> Any:
    """Return the first texts that are there, or rows with such, as the model takes them."""
    if held is None:
        head = next(datasets.chunks(table, {column: "text"}, [], _READ_AHEAD)).readable
    else:
        head = next(held.read(table, _READ_AHEAD)).readable
    there = [isinstance(text, str) and bool(text.strip()) for text in head[column]]
    if not any(there):
        raise RefusedError(
            f"{table.paths[0]}: no text in the first {counted(len(head), 'cell')} of column"
            f" {column!r}; name another one with --text-column"
        )
    first = head[there].head(PROBE_ROWS).reset_index(drop=True)
    return first[column].tolist() if held is None else first


def open_data(request: Request, load: Load) -> OpenedModality:
    """
    Open texts and the model.

    Raises
    ------
    RefusedError, UsageError
        With the file, the place and the way out.
    """
    if request.references.background is not None:
        raise UsageError("--background: texts need none; their units are taken away in place")
    table = datasets.open_table(request.sources.data, read_options(request), lines=True)
    column = _text_column(request, table)
    check_carried(request, table)
    baseline = _baseline(request)
    check_unit(request.texts.unit, request.trust.python_path)
    loaded = load()
    held = held_columns(request, loaded, table, column)
    first = _first(table, column, held)
    perturbation = TextMasker(
        unit=request.texts.unit,
        merged=request.texts.occurrences == "merge",
        dictionary=request.texts.unit == "word" and has_dictionary(),
        salt=os.environ.get(SALT, "") if request.texts.hash_units else None,
        quotes=request.shows_values,
        column=None if held is None else column,
    )
    tokenizer = loaded.tokenizer_sha256
    others = OtherTexts(request)
    opened = Text(
        request=request,
        table=table,
        column=column,
        perturbation=perturbation,
        first=first,
        tokenizer=tokenizer,
        baseline=baseline,
        others=others,
        held=held,
    )
    return OpenedModality(opened, loaded)
