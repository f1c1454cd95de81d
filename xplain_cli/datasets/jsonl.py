"""JSON Lines: one object a line; a key that a line lacks is missing there."""

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Cells, Facts, Missing
from xplain_cli.datasets.files import refuse_foreign
from xplain_cli.datasets.records import codec_of, nul_byte, open_text, read_lines, undecodable
from xplain_cli.datasets.sources import (
    CellBlock,
    CellQuery,
    DataFile,
    ReadOptions,
    block_rows,
    check_flaws,
    within,
)
from xplain_cli.errors import RefusedError

Record = dict[str, Any]
ReadRecords: TypeAlias = Callable[[DataFile, str], Iterator[tuple[int, Record | str]]]
"""Takes a file and its encoding; yields the number of each record, and it or why there is none."""


def _object(pairs: list[tuple[str, Any]]) -> Record:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a key stands twice: {next(n for n in names if names.count(n) > 1)!r}")
    return record


def _parse(line: str) -> Record:
    """Return the object of a line; ValueError says why it is none."""
    if line.lstrip().startswith("["):
        raise ValueError("a list, for example to unpack with jq -c '.[]'")
    record = json.loads(line, object_pairs_hook=_object)
    if not isinstance(record, dict):
        raise TypeError("a bare value")
    if "\\ud" in line.lower():
        json.dumps(record, ensure_ascii=False).encode()  # a lone surrogate cannot be written
    return record


@dataclass(frozen=True)
class JsonLinesFile:
    """A checked JSON Lines file."""

    keeps_types: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    file: DataFile
    columns: tuple[str, ...]
    rows: int
    encoding: str
    missing: Missing
    flaws: Mapping[int, str]
    read: ReadRecords

    def survey(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Look at every value of the rows that can be read."""
        forms: dict[str, Counter[str]] = {c: Counter() for c in columns}
        missing = dict.fromkeys(columns, 0)
        for _, record in self.read(self.file, self.encoding):
            if isinstance(record, str):
                continue
            for column in columns:
                value = record.get(column)
                if self.missing.has(value):
                    missing[column] += 1
                else:
                    forms[column][cell.form_of_value(value)] += 1
        return {c: Facts(dict(forms[c]), missing[c]) for c in columns}

    def blocks(self, wanted: CellQuery) -> Generator[CellBlock, None, None]:
        """Yield all rows in order."""
        size = block_rows(len(wanted.kinds) + len(wanted.carried))
        at, records = 0, list[tuple[int, Record | str]]()
        for record in self.read(self.file, self.encoding):
            records.append(record)
            if len(records) == size:
                yield self._block(records, wanted, at)
                at += size
                records = []
        if records:
            yield self._block(records, wanted, at)

    def _block(
        self, lines: list[tuple[int, Record | str]], wanted: CellQuery, at: int
    ) -> CellBlock:
        records = [{} if isinstance(record, str) else record for _, record in lines]
        reasons = within(self.flaws, at, len(records))

        def place(i: int) -> str:
            return f"{self.file.name}: row {wanted.first + at + i}, line {lines[i][0]}"

        def typed(column: str, kind: str) -> Cells:
            return cell.convert(
                [record.get(column) for record in records],
                kind,
                missing=self.missing,
                column=column,
                where=place,
                reasons=reasons,
                shown=wanted.show_cells,
            )

        return CellBlock(
            len(records),
            {column: typed(column, kind) for column, kind in wanted.kinds.items()},
            {c: cell.as_text([record.get(c) for record in records]) for c in wanted.carried},
            reasons,
        )


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply; flatten it to one value a key"
    if isinstance(error, UnicodeEncodeError):
        return "has half a character (a lone surrogate); write the text as utf-8"
    return f"is not an object: {error}; write one object a line"


def _records(file: DataFile, encoding: str) -> Iterator[tuple[int, Record | str]]:
    """Yield (line, object or why there is none) of every line that is not blank."""
    with open_text(file, encoding) as handle:
        for line, text in enumerate(read_lines(file, handle), start=1):
            if text.isspace():
                continue
            if "\0" in text:
                yield line, nul_byte(file, line)
                continue
            try:
                yield line, _parse(text)
            except (ValueError, TypeError, RecursionError) as error:
                yield line, f"{file.name}: line {line} {_reason(error)}"


def checked_records(file: DataFile, options: ReadOptions, read: ReadRecords) -> JsonLinesFile:
    """
    Check a file of records from end to end.

    Parameters
    ----------
    read
        How it is read.

    Raises
    ------
    RefusedError
        Not decodable, no rows or no keys, or most records cannot be read.
    """
    refuse_foreign(file)
    encoding = codec_of(options.encoding)
    columns: dict[str, None] = {}
    flaws: dict[int, str] = {}
    rows = 0
    try:
        for _, record in read(file, encoding):
            if isinstance(record, str):
                flaws[rows] = record
                check_flaws(flaws)
            else:
                columns.update(dict.fromkeys(record))
            rows += 1
    except UnicodeError as error:
        raise undecodable(file, encoding) from error
    check_flaws(flaws, rows)
    if not columns:
        raise RefusedError(
            f"{file.name}: {rows} rows without a key; write cells as keys and values"
        )
    missing = cell.missing_words(options.na_values)
    return JsonLinesFile(file, tuple(columns), rows, encoding, missing, flaws, read)


def open_jsonl(file: DataFile, options: ReadOptions) -> JsonLinesFile:
    """
    Check a JSON Lines file from end to end.

    Raises
    ------
    RefusedError
        Not decodable, no rows or no keys, or most lines are not objects.
    """
    return checked_records(file, options, _records)
