"""The texts of a class that may stand in for another: found once, by asking the model."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xplain_cli import datasets
from xplain_cli.datasets import Table
from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.modalities.image.candidates import answers_of, class_index, in_class
from xplain_cli.modalities.text.masks import TextLaw
from xplain_cli.modalities.text.nearest import NearestText, NearestTextOf, nearest_of
from xplain_cli.models import Model, Settled


@dataclass(frozen=True)
class SoughtTexts:
    """
    Where candidates are sought, and how the model is asked.

    Attributes
    ----------
    table, column
        The texts.
    where
        What the user calls them.
    id_column
        What names them, where they have it; None: their numbers.
    law
        How texts are split.
    batch_rows
        Texts of every model batch.
    most
        Of candidates.
    """

    table: Table
    column: str
    where: str
    id_column: str | None
    law: TextLaw
    batch_rows: int
    most: int = 10_000

    def batches(self, labels: str | None, label: str) -> Iterator[dict[str, str]]:
        """
        Yield distinct texts with their origins, a model batch at a time.

        Parameters
        ----------
        labels
            The column in which only *label* is taken; None: every text is.
        """
        named = self.id_column if self.id_column in self.table.columns else None
        carried = [column for column in (named, labels) if column]
        seen: dict[str, str] = {}
        held: dict[str, str] = {}
        for piece in datasets.chunks(self.table, {self.column: "text"}, carried, 4096):
            told = piece.carried[labels].tolist() if labels else None
            ids = piece.ids(named) if named else None
            for i, text in enumerate(piece.table[self.column].tolist()):
                other = told is not None and told[i] != label
                if not isinstance(text, str) or i in piece.reasons or text in seen or other:
                    continue
                seen[text] = held[text] = ids[i] if ids else f"row {piece.start + i}"
                if len(held) == self.batch_rows:
                    yield held
                    held = {}
        if held:
            yield held


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


def find_nearest_texts(
    wanted: NearestTextOf, sought: SoughtTexts, model: Model, settled: Settled
) -> tuple[NearestText, str]:
    """
    Collect the texts that the model puts in a class, and say how many there are.

    Raises
    ------
    UsageError
        The model has no such class, or no classes; there is no column of labels.
    RefusedError
        It puts no text there.
    """
    index, name = class_index(wanted, settled), str(wanted.class_)
    if wanted.labels is not None and wanted.labels not in sought.table.columns:
        raise UsageError(
            f"--baseline {wanted.says}: {sought.where} has no column {wanted.labels!r}"
            f"{nearest(wanted.labels, sought.table.columns)}"
        )
    held, asked, read_length = dict[str, str](), 0, model.capabilities.read_length
    for batch in sought.batches(wanted.labels, name):
        read = dict[str, str]()
        for text, origin in batch.items():
            part = text if read_length is None else text[: read_length(text)]
            if sought.law.units_of([part]).counts[0]:
                read.setdefault(part, origin)
        texts = list(read)
        answers = answers_of(model, texts, sought.batch_rows) if texts else np.empty((0, 1))
        held |= {texts[i]: read[texts[i]] for i in np.flatnonzero(in_class(answers, index))}
        asked += len(texts)
        if len(held) >= sought.most:
            break
    labelled = f" labelled {name!r} in column {wanted.labels!r}" if wanted.labels else ""
    if not held:
        raise RefusedError(
            f"--baseline {wanted.says}: the model puts none of the {asked} texts of {sought.where}"
            f"{labelled} in class {name!r}; name another class, or other texts:"
            f" nearest:class={name},from=FILE"
        )
    full = len(held) >= sought.most
    some = f"the first {len(held)} texts" if full else f"{len(held)} of {asked} texts"
    note = (
        f"baseline: {some} of {sought.where}{labelled} that the model puts in class {name}; each"
        " text takes the nearest (Jaccard over units), never itself"
    )
    return nearest_of(name, held, sought.law), note
