"""The masker of tables: absent features take the values of a baseline."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from xplain_cli import datasets
from xplain_cli.baselines import DEFAULTS, label_of, open_baseline
from xplain_cli.baselines.assignment import NO_CLASS, FittedBaseline
from xplain_cli.baselines.tables import NO_LABEL, OTHER_LABEL, TableReference
from xplain_cli.datasets import Table
from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import IntArray
from xplain_cli.features import Wants
from xplain_cli.modalities import PROBE_ROWS, Neighbourhood, content_sha256
from xplain_cli.modalities.row_ids import read_options
from xplain_cli.modalities.tabular.column_kinds import ModelColumns
from xplain_cli.modalities.tabular.draws import row_keys
from xplain_cli.modalities.tabular.masks import TableMasker
from xplain_cli.modalities.tabular.reading import read_rows
from xplain_cli.models import Model, ModelRecipe, Signature, load_model
from xplain_cli.models.batches import predict_perturbed, repeated
from xplain_cli.models.judges import Judge, choose_judge
from xplain_cli.options.request import Request
from xplain_cli.remote import is_remote

_MOST_FILE_ROWS = 10_000


@dataclass(frozen=True)
class BaselineFiles:
    """Reads what a baseline names: rows as DATA itself is read, labels of the background."""

    request: Request
    data: Table
    source: Table
    kinds: Mapping[str, str]
    known: ModelColumns
    model_id: str = ""

    def row(self, name: str) -> pd.DataFrame:
        """
        Return the one row of DATA with this id, or this number where there are no ids.

        Raises
        ------
        UsageError
            There is none, or it cannot be read.
        """
        column = self.request.ids.id_column
        carried = [column] if column else []
        at = 0
        for piece in read_rows(self.data, self.kinds, self.known, 4096, carried=carried):
            numbers = range(at, at + len(piece.table))
            names = piece.ids(column) if column else [str(i) for i in numbers]
            at += len(piece.table)
            if name in names:
                place = names.index(name)
                if place in piece.reasons:
                    raise UsageError(f"--baseline row={name}: {piece.reasons[place]}")
                return repeated(piece.table, np.array([place]))
        which = f"id {name!r} in column {column!r}" if column else f"number {name!r}"
        raise UsageError(f"--baseline row={name}: {self.data.paths[0]} has no row with {which}")

    def labels(self, column: str) -> list[str]:
        """
        Return a column of the background as it stands in the file.

        Raises
        ------
        UsageError
            There is no such column.
        """
        if column not in self.source.columns:
            raise UsageError(
                f"--baseline labels={column}: {self.source.paths[0]} has no column {column!r}"
                f"{nearest(column, self.source.columns)}"
            )
        pieces = datasets.chunks(self.source, {}, [column], 65536)
        return [cell for piece in pieces for cell in piece.carried[column]]

    def opened(self, path: str) -> Table:
        """Open a file of baselines."""
        options = read_options(self.request, of_data=False)
        return datasets.open_table([path], replace(options, dtypes=()))

    def table(self, path: str) -> pd.DataFrame:
        """
        Return the rows of a file.

        Raises
        ------
        RefusedError
            A column is missing, a row cannot be read, or there are too many.
        """
        source = self.opened(path)
        missing = [c for c in self.kinds if c not in source.columns]
        if missing:
            raise RefusedError(
                f"--baseline file={path}: no column {missing[0]!r}; it needs the model's columns"
            )
        piece = next(read_rows(source, self.kinds, self.known, _MOST_FILE_ROWS + 1))
        if piece.reasons:
            place, reason = next(iter(piece.reasons.items()))
            raise RefusedError(f"--baseline file={path}: row {place}: {reason}")
        if len(piece.table) > _MOST_FILE_ROWS:
            raise RefusedError(
                f"--baseline file={path}: more than {_MOST_FILE_ROWS} rows, and each"
                " multiplies the cost; take --background with sample:k=50"
            )
        return piece.table

    def table_sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of a file of rows."""
        return self.opened(path).sha256

    def sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of any file or folder."""
        return content_sha256(path)


def _predicted(rows: pd.DataFrame, model: Model, signature: Signature) -> IntArray:
    """Return the class that the model gives each row; -1 where it has no classes."""
    if signature.task != "classification" or len(signature.outputs) < 2:
        return np.full(len(rows), -1)
    return np.asarray(predict_perturbed(model, rows).argmax(axis=1), dtype=np.int64)


def _labelled(
    files: BaselineFiles, column: str | None, places: IntArray, signature: Signature
) -> IntArray:
    """Return the label of each background row among the classes."""
    if column is None or signature.task != "classification":
        return np.full(len(places), NO_LABEL)
    known = {name: i for i, name in enumerate(signature.outputs)}
    cells = files.labels(column)
    found = np.array([known.get(cells[i], OTHER_LABEL) for i in places.tolist()], dtype=np.int64)
    if (found == OTHER_LABEL).all():
        shown = ", ".join(map(repr, sorted({*cells} - {""})[:5]))
        holds = f" holds {shown}, of which" if shown and files.source.show_cells else ":"
        raise UsageError(
            f"--baseline labels={column}: {files.source.paths[0]}{holds} none is a class of the"
            f" model ({', '.join(signature.outputs[:12])}); name another column, or --class-names"
        )
    return found


def _notes(text: str | None, fitted: FittedBaseline, wants: Wants) -> tuple[str, ...]:
    """Say which baseline nobody named, and what several baselines cost."""
    notes = list(fitted.notes)
    if text is None:
        notes.append(
            f"baseline: the {DEFAULTS['tabular']} of the background (--baseline names another)"
        )
    if fitted.k > 1:
        each = "the row is compared with each, and weights are averages"
        dealt = "a mask is asked on one of them, each equally often; where all are, on each"
        notes.append(f"baseline: {fitted.k} rows; {dealt if wants.deals else each}")
    return tuple(notes)


def _ordered(table: pd.DataFrame, numbers: IntArray) -> tuple[pd.DataFrame, IntArray]:
    """Return background rows by their values, so that the order of the file decides nothing."""
    keys = row_keys(table)
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
    return repeated(table, order), numbers[order]


def masked_drawing(
    files: BaselineFiles,
    background: tuple[pd.DataFrame, IntArray],
    discrete: frozenset[str],
    groups: Mapping[str, tuple[str, ...]],
    asked: tuple[Model, Signature],
    *,
    wants: Wants,
    held: tuple[str, ...] = (),
) -> Neighbourhood:
    """
    Fit the baseline that the user named on the background, and return the masker.

    Parameters
    ----------
    files
        What the user named, and how it is read.
    background
        Rows that stand for the training data, and where each stands in its file.
    discrete, groups
        Columns that are categories, and features that are several columns.
    asked
        The model, and what its probe chose.
    wants
        What the method wants of the masker.
    held
        Columns that stay the row's own.

    Raises
    ------
    UsageError, RefusedError
        The baseline cannot be had.
    """
    model, signature = asked
    owner = {column: name for name, columns in groups.items() for column in columns}
    names = tuple(dict.fromkeys(owner.get(c, c) for c in files.kinds if c not in held))
    rows, numbers = _ordered(*background)
    text = files.request.first_baseline
    baseline = open_baseline("tabular", text)
    reference = TableReference(
        rows=rows,
        names=tuple(f"background row {i}" for i in numbers.tolist()),
        predicted=_predicted(rows, model, signature),
        labelled=_labelled(files, getattr(baseline, "labels", None), numbers, signature),
        labels=getattr(baseline, "labels", None),
        outputs=signature.outputs,
        discrete=discrete,
        members=tuple(groups.get(name, (name,)) for name in names),
        seed=files.request.sampling.seed,
        files=files,
        held=held,
    )
    perturbation = TableMasker(
        names=names,
        members=reference.members,
        columns=tuple(files.kinds),
        kinds=tuple(files.kinds.values()),
        giver=baseline.fit(reference),
        distance=reference.distance,
        outputs=signature.outputs,
        judged=files.request.references.judge is not None,
        every=wants.every,
        held=held,
    )
    judge = _judge(files.request, perturbation, background[0], signature)
    return Neighbourhood(
        perturbation,
        label_of("tabular", baseline, text),
        baseline.sentence,
        features=len(names),
        judge=judge,
        notes=(*_notes(text, perturbation.giver, wants), *(() if judge is None else judge.notes)),
    )


def _judge_member(text: str) -> tuple[str, str | None]:
    """Return the file of a judge, and of ``FILE:NAME`` the member of the dict that it holds."""
    path, colon, name = text.rpartition(":")
    named = colon and name and Path(path).is_file() and not Path(text).exists()
    return (path, name) if named else (text, None)


def judge_recipe(request: Request) -> ModelRecipe:
    """Return how the judge is opened: it is trusted as far as the model is."""
    source, member = _judge_member(request.references.judge or "")
    return ModelRecipe(
        source=source,
        member=member,
        member_option=f"--judge {source}:",
        quotes=request.shows_values,
        trusted=request.trust.trusted,
        trust_all=request.trust.trust_model,
        python_path=request.trust.python_path,
        accept=request.trust.accept,
    )


def judge_numbers(request: Request) -> dict[str, str]:
    """Return what of the judge decides the numbers; the digest is that of the whole file."""
    if not request.references.judge:
        return {}
    recipe = judge_recipe(request)
    member = {"judge_member": recipe.member} if recipe.member else {}
    return {"judge": load_model(recipe).sha256, **member}


def _judge(
    request: Request, perturbation: TableMasker, background: pd.DataFrame, signature: Signature
) -> Judge | None:
    if request.references.judge is None:
        return None
    if is_remote(request.references.judge):  # nothing pins it
        raise UsageError(f"--judge {request.references.judge}: a judge is read here; copy it first")
    if perturbation.giver.wanted == NO_CLASS:
        raise UsageError(
            "--judge says whether a baseline of a class is of that class, and this one has none:"
            " take medoid, nearest, revert or sample:class=NAME"
        )
    recipe = judge_recipe(request)
    loaded = load_model(recipe)
    pinned = replace(recipe, sha256=loaded.sha256)
    return choose_judge(pinned, loaded, background.head(PROBE_ROWS), signature.outputs)
