"""Tables as pandas writes them in its form "split": {"columns": [...], "data": [[...], ...]}."""

import json
from collections.abc import Iterator
from typing import Any

from xplain_cli.datasets.jsonl import JsonLinesFile, Record, checked_records
from xplain_cli.datasets.records import open_text
from xplain_cli.datasets.sources import DataFile, ReadOptions
from xplain_cli.errors import RefusedError

_LARGEST = 256_000_000  # characters: such a file is read as a whole


def _parsed(file: DataFile, encoding: str) -> Any:
    with open_text(file, encoding) as handle:
        text = handle.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise RefusedError(f"{file.name}: is too large to be read as a whole; write jsonl")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{file.name}: cannot be read as JSON: {str(error)[:200]}") from error


def _split_records(file: DataFile, encoding: str) -> Iterator[tuple[int, Record | str]]:
    """Yield (number of the row from 1, cells by column or why there are none)."""
    document = _parsed(file, encoding)
    whole = isinstance(document, dict) and {"columns", "data"} <= set(document)
    if not whole or not all(isinstance(document[key], list) for key in ("columns", "data")):
        raise RefusedError(
            f'{file.name}: is no table of the form {{"columns": [...], "data": [[...]]}};'
            " write a list of rows as lines: jq -c '.[]' FILE > LINES.jsonl"
        )
    names = [str(name) for name in document["columns"]]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RefusedError(f"{file.name}: column {twice!r} stands more than once; rename one")
    for row, cells in enumerate(document["data"], start=1):
        if isinstance(cells, list) and len(cells) == len(names):
            yield row, dict(zip(names, cells, strict=True))
        else:
            yield row, f"{file.name}: row {row} is no list of {len(names)} cells"


def open_split(file: DataFile, options: ReadOptions) -> JsonLinesFile:
    """
    Check a table of the form "split", which ``DataFrame.to_json(orient="split")`` writes.

    Raises
    ------
    RefusedError
        Not decodable, no such table, too large, no rows, or most rows cannot be read.
    """
    return checked_records(file, options, _split_records)
