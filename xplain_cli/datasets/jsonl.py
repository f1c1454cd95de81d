"""JSON Lines: one object a line; a key that a line lacks is missing there."""

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xplain_cli.datasets import cells as cell
from xplain_cli.datasets.cells import Facts, Missing
from xplain_cli.datasets.delimited import codec_of
from xplain_cli.datasets.files import refuse_foreign
from xplain_cli.datasets.records import open_text, read_lines, undecodable
from xplain_cli.datasets.sources import Block, File, ReadOptions, Wanted, block_rows
from xplain_cli.errors import RefusedError

Record = dict[str, Any]


def _object(pairs: list[tuple[str, Any]]) -> Record:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a key stands twice: {next(n for n in names if names.count(n) > 1)!r}")
    return record


def _parse(line: str) -> Record:
    """Return the object of a line; ValueError says why it is none."""
    if line.lstrip().startswith("["):
        raise ValueError("a list; write one object a line, for example with jq -c '.[]'")
    record = json.loads(line, object_pairs_hook=_object)
    if not isinstance(record, dict):
        raise TypeError(f"{cell.shorten(record)} is not an object")
    if "\\ud" in line.lower():
        json.dumps(record, ensure_ascii=False).encode()  # a lone surrogate cannot be written
    return record


@dataclass(frozen=True)
class JsonLines:
    """A checked JSON Lines file."""

    file: File
    columns: tuple[str, ...]
    rows: int
    encoding: str
    missing: Missing

    def survey(self, columns: Sequence[str], first: int) -> dict[str, Facts]:
        """Look at every value."""
        forms: dict[str, set[str]] = {c: set() for c in columns}
        missing = dict.fromkeys(columns, 0)
        for row, (_, record) in enumerate(_records(self.file, self.encoding), start=first):
            for column in columns:
                value = record.get(column)
                if self.missing.has(value):
                    missing[column] += 1
                    continue
                form = cell.form_of_value(value)
                if not form:
                    raise RefusedError(cell.nested(f"{self.file.name}: row {row}", column))
                forms[column].add(form)
        return {c: Facts(frozenset(forms[c]), missing[c]) for c in columns}

    def blocks(self, wanted: Wanted) -> Generator[Block, None, None]:
        """Yield all rows in order."""
        size = block_rows(len(wanted.kinds) + len(wanted.carried))
        row, records = wanted.first, list[Record]()
        for _, record in _records(self.file, self.encoding):
            records.append(record)
            if len(records) == size:
                yield self._block(records, wanted, row)
                row += size
                records = []
        if records:
            yield self._block(records, wanted, row)

    def _block(self, records: list[Record], wanted: Wanted, row: int) -> Block:
        return Block(
            len(records),
            {
                column: cell.convert(
                    [record.get(column) for record in records],
                    kind,
                    missing=self.missing,
                    column=column,
                    where=lambda i: f"{self.file.name}: row {row + i}",
                )
                for column, kind in wanted.kinds.items()
            },
            {c: cell.as_text([record.get(c) for record in records]) for c in wanted.carried},
        )


def _records(file: File, encoding: str) -> Iterator[tuple[int, Record]]:
    """Yield (line, object) of every line that is not blank."""
    with open_text(file, encoding) as handle:
        for line, text in enumerate(read_lines(file, handle), start=1):
            if text.isspace():
                continue
            try:
                yield line, _parse(text)
            except RecursionError as error:
                raise RefusedError(f"{file.name}: line {line} is nested too deeply") from error
            except UnicodeEncodeError as error:
                raise RefusedError(
                    f"{file.name}: line {line} has half a character (a lone surrogate); "
                    "write the text as utf-8"
                ) from error
            except (ValueError, TypeError) as error:
                raise RefusedError(f"{file.name}: line {line} is not an object: {error}") from error


def open_jsonl(file: File, options: ReadOptions) -> JsonLines:
    """
    Check a JSON Lines file from end to end.

    Raises
    ------
    RefusedError
        Not decodable, a line that is not an object, a key twice in one, no rows or no keys.
    """
    refuse_foreign(file)
    encoding = codec_of(options.encoding)
    columns: dict[str, None] = {}
    rows = 0
    try:
        for _, record in _records(file, encoding):
            columns.update(dict.fromkeys(record))
            rows += 1
    except UnicodeDecodeError as error:
        raise undecodable(file, encoding) from error
    if not columns:
        raise RefusedError(f"{file.name}: {rows} rows without a key; a table has rows and columns")
    return JsonLines(file, tuple(columns), rows, encoding, cell.missing_words(options.na_values))
