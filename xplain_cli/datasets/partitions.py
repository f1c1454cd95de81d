"""Partitioned folders (``year=2024/x.parquet``): the names of folders are columns of their rows."""

import os
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from shlex import quote
from urllib.parse import unquote

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.packed import suffix_of
from xplain_cli.datasets.sources import CellBlock, CellQuery, DataFile, ReadOptions, Source
from xplain_cli.errors import RefusedError

Parts = tuple[tuple[str, str], ...]
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_ASIDE = (".", "_")  # _SUCCESS, _metadata, .part.crc: what writers leave beside the rows


def _part(name: str) -> tuple[str, str] | None:
    """Return the column and the value that a folder's name states."""
    column, sign, value = name.partition("=")
    if not (column and sign):
        return None
    return unquote(column), "" if value == _NO_VALUE else unquote(value)


def parts_of(path: str, folder: str = "") -> Parts:
    """Return what the folders between *folder* and a file state of its rows."""
    names = PurePath(os.path.relpath(path, folder) if folder else path).parts[:-1]
    return tuple(part for part in map(_part, names) if part is not None)


def stands_aside(path: str) -> bool:
    """Return whether a name is of what writers leave beside the rows."""
    return PurePath(path).name.startswith(_ASIDE)


def _below(folder: str, above: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the files below a folder; links are followed, but not back to a folder above."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in Path(folder).iterdir():
        if stands_aside(entry.name):
            continue
        if entry.is_dir():
            yield from _below(str(entry), above | {here})
        elif entry.is_file():
            yield str(entry)


def _found(folder: str, suffixes: Collection[str]) -> list[str]:
    return sorted(path for path in _below(folder) if not suffixes or suffix_of(path) in suffixes)


def partitioned(folder: str, suffixes: Collection[str]) -> list[str]:
    """
    Return the files below a partitioned folder, sorted by their paths; none if it is no such one.

    Raises
    ------
    RefusedError
        Not every file lies in folders that state the same columns.
    """
    if not any(_part(path.name) for path in Path(folder).iterdir() if path.is_dir()):
        return []
    files = _found(folder, suffixes)
    stated = {path: tuple(name for name, _ in parts_of(path, folder)) for path in files}
    for path, names in stated.items():
        depth = len(PurePath(os.path.relpath(path, folder)).parts) - 1
        if names != stated[files[0]] or len(names) != depth or len(set(names)) < depth:
            raise RefusedError(
                f"{folder}: is partitioned, and the folders of {files[0]} and {path} do not state"
                " the same columns, each once; name the files one by one"
            )
    return files


def name_those_below(folder: str, suffixes: Collection[str]) -> str:
    """Return what to type for the files in the folders of a folder."""
    files = _found(folder, suffixes)
    if not files:
        return "name its files one by one"
    endings = sorted({"".join(PurePath(path).suffixes[-1:]) for path in files})
    return f"for those in its folders: {' '.join(quote(f'{folder}/**/*{e}') for e in endings[:3])}"


@dataclass(frozen=True)
class Partition:
    """
    A file whose rows have further columns, each with one value.

    Attributes
    ----------
    source
        The file.
    parts
        These columns and their values, as text.
    missing
        Which of them mean "missing".
    """

    source: Source
    parts: Mapping[str, str]
    missing: Missing

    @property
    def file(self) -> DataFile:
        """The file."""
        return self.source.file

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the file, and those of its folders."""
        return (*self.source.columns, *self.parts)

    @property
    def rows(self) -> int:
        """The number of data rows."""
        return self.source.rows

    @property
    def keeps_types(self) -> bool:
        """Whether the file tells a text from a number; folders do not."""
        return self.source.keeps_types

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the file."""
        return self.source.notes

    @property
    def flaws(self) -> Mapping[int, str]:
        """Of each row that cannot be read at all, by its number in the file, the reason."""
        return self.source.flaws

    def survey(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Look at every cell of some columns; a folder's name looks as it does in a csv file."""
        own = [column for column in columns if column not in self.parts]
        found = self.source.survey(own) if own else {}
        for column in columns:
            if column in self.parts:
                text = self.parts[column]
                form = cell.form_of_text(self.missing.pointed(text))
                has = not self.missing.has(text)
                found[column] = Facts({form: self.rows}) if has else Facts({}, self.rows)
        return found

    def blocks(self, wanted: CellQuery) -> Generator[CellBlock, None, None]:
        """Yield all rows in order."""
        kinds = {c: kind for c, kind in wanted.kinds.items() if c not in self.parts}
        carried = tuple(c for c in wanted.carried if c not in self.parts)
        for block in self.source.blocks(replace(wanted, kinds=kinds, carried=carried)):
            yield self._widened(block, wanted)

    def _widened(self, block: CellBlock, wanted: CellQuery) -> CellBlock:
        reasons = dict(block.reasons)

        def stated(column: str, kind: str) -> Cells:
            return cell.convert(
                [self.parts[column]] * block.rows,
                kind,
                missing=self.missing,
                column=column,
                where=lambda _: self.file.name,
                reasons=reasons,
                shown=wanted.show_cells,
            )

        typed = {c: stated(c, kind) for c, kind in wanted.kinds.items() if c in self.parts}
        carried = {
            c: cell.as_text([self.parts[c]] * block.rows) for c in wanted.carried if c in self.parts
        }
        return CellBlock(
            block.rows, {**block.typed, **typed}, {**block.carried, **carried}, reasons
        )


def with_parts(source: Source, options: ReadOptions) -> Source:
    """
    Return a file with the columns that its folders state; one without such as it is.

    Raises
    ------
    RefusedError
        The file has a column of that name.
    """
    parts = dict(source.file.parts)
    if not parts:
        return source
    for column in parts:
        if column in source.columns:
            raise RefusedError(
                f"{source.file.name}: column {column!r} stands in the file and in the name of its"
                " folder; name the files one by one, and the folders say nothing"
            )
    return Partition(source, parts, cell.missing_words(("", *options.na_values), options.decimal))
