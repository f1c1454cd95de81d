"""Where texts of a class are looked for that may stand in for others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from xplain_cli import datasets
from xplain_cli.baselines.candidates import Batch, NearestOfClass, classes_of
from xplain_cli.datasets import Table
from xplain_cli.errors import UsageError, nearest
from xplain_cli.modalities import content_sha256
from xplain_cli.modalities.row_ids import read_options
from xplain_cli.modalities.text.masks import TextMasker
from xplain_cli.modalities.text.nearest import TextMembers, text_members
from xplain_cli.models import Model
from xplain_cli.options.request import Request


@dataclass(frozen=True)
class OtherTexts:
    """
    Reads texts that a baseline names, as those of DATA are (``TextFiles``).

    Attributes
    ----------
    request
        What the user asked for.
    tables
        Path -> its table: each is opened once.
    """

    request: Request
    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, path: str) -> Table:
        """
        Open a file of texts.

        Raises
        ------
        RefusedError
            It cannot be read.
        """
        if path not in self.tables:
            options = replace(read_options(self.request, of_data=False), dtypes=())
            self.tables[path] = datasets.open_table([path], options, lines=True)
        return self.tables[path]

    def table_sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of a file of texts."""
        return self.table(path).sha256

    def sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of any file or folder."""
        return content_sha256(path)


@dataclass(frozen=True)
class TextSource:
    """
    Where candidates are looked for, and how the model is asked (``candidates.FileSource``).

    Attributes
    ----------
    class_, labels
        The class; the column in which only texts with its name are taken, None: all are.
    table, column
        The texts.
    where
        What the user calls them.
    id_column
        What names them, where they have it; None: their numbers.
    perturbation
        How texts are split.
    model
        Says of which class they are.
    batch_rows
        Texts of every model batch.
    most
        Of candidates.
    """

    class_: str
    labels: str | None
    table: Table
    column: str
    where: str
    id_column: str | None
    perturbation: TextMasker
    model: Model
    batch_rows: int
    most: int = 10_000

    noun: ClassVar[str] = "text"
    measure: ClassVar[str] = "Jaccard over units"
    place: ClassVar[str] = "FILE"

    def _distinct(self) -> Iterator[dict[str, str]]:
        """Yield distinct texts with their origins, a model batch at a time."""
        labels = self.labels
        named = self.id_column if self.id_column in self.table.columns else None
        carried = [column for column in (named, labels) if column]
        seen: dict[str, str] = {}
        held: dict[str, str] = {}
        for piece in datasets.chunks(self.table, {self.column: "text"}, carried, 4096):
            labelled = piece.carried[labels].tolist() if labels else None
            ids = piece.ids(named) if named else None
            for i, text in enumerate(piece.table[self.column].tolist()):
                other = labelled is not None and labelled[i] != self.class_
                if not isinstance(text, str) or i in piece.reasons or text in seen or other:
                    continue
                seen[text] = held[text] = ids[i] if ids else f"row {piece.start + i}"
                if len(held) == self.batch_rows:
                    yield held
                    held = {}
        if held:
            yield held

    def batches(self) -> Iterator[Batch[tuple[str, str]]]:
        """Yield texts that have units, as far as the model reads them, predicted."""
        model, read_length = self.model, self.model.capabilities.read_length
        for batch in self._distinct():
            read = dict[str, str]()
            for text, origin in batch.items():
                part = text if read_length is None else text[: read_length(text)]
                if self.perturbation.units_of([part]).counts[0]:
                    read.setdefault(part, origin)
            if read:
                classes = classes_of(model, list(read), self.batch_rows)
                yield Batch(list(read.items()), classes)

    def room(self, held: Sequence[tuple[str, str]], more: Sequence[tuple[str, str]]) -> int:
        """Return how many more texts are kept: those of whole batches."""
        return len(more) if len(held) < self.most else 0

    def keep(self, found: Sequence[tuple[str, str]]) -> TextMembers:
        """Collect the texts by their units."""
        return text_members(self.class_, dict(found), self.perturbation)


def text_column(table: Table, column: str) -> str:
    """
    Return the column of the texts in another file: the same, or the only one.

    Raises
    ------
    UsageError
        There is neither.
    """
    if column in table.columns or len(table.columns) == 1:
        return column if column in table.columns else table.columns[0]
    raise UsageError(
        f"--baseline nearest:from=: {table.paths[0]} has no column {column!r}"
        f"{nearest(column, table.columns)}; it needs the column of the texts"
    )


@dataclass(frozen=True)
class TextReference:
    """
    What texts offer to baselines.

    Attributes
    ----------
    files
        Reads texts that settings name.
    data, column
        DATA, and the column of the texts.
    perturbation
        How texts are split.
    model, batch_rows
        How the model is asked.
    classes
        The names of its classes; none for a model without.
    """

    files: OtherTexts
    data: Table
    column: str
    perturbation: TextMasker
    model: Model
    batch_rows: int
    classes: tuple[str, ...]

    def source(self, wanted: NearestOfClass) -> TextSource:
        """
        Return where candidates are looked for.

        Raises
        ------
        UsageError
            There is no column of texts, or none of labels.
        """
        table = self.data if wanted.from_ is None else self.files.table(wanted.from_)
        where = "DATA" if wanted.from_ is None else table.paths[0]
        column = text_column(table, self.column)
        if wanted.labels is not None and wanted.labels not in table.columns:
            raise UsageError(
                f"--baseline nearest:labels={wanted.labels}: {where} has no column"
                f" {wanted.labels!r}{nearest(wanted.labels, table.columns)}"
            )
        return TextSource(
            class_=str(wanted.class_),
            labels=wanted.labels,
            table=table,
            column=column,
            where=where,
            id_column=self.files.request.ids.id_column,
            perturbation=self.perturbation,
            model=self.model,
            batch_rows=self.batch_rows,
        )
