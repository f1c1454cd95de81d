"""JSON: one document of a run, or an object per row and line; NaN and infinities are null."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import pandas as pd

from xplain_cli.errors import UsageError
from xplain_cli.explanation import STABILITY_COLUMNS, Records
from xplain_cli.output.cells import INTEGERS, plain, plains
from xplain_cli.output.rendering import RenderedPiece, Rendering, prune

_ROW_COLUMNS = ("run_id", "row_id", "row")
_EXPLANATION_COLUMNS = (
    "target",
    *(n for n in STABILITY_COLUMNS if n not in {*_ROW_COLUMNS, "target"}),
)


def _dump(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate has no UTF-8; its backslash form is the JSON escape of it.
    return text.encode("utf-8", "backslashreplace")


def _objects(frame: pd.DataFrame, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the lines of a frame as objects with the keys *names*, in that order."""
    at = {name: place for place, name in reversed(list(enumerate(frame.columns)))}
    keys = list(names)
    columns = [plains(frame.iloc[:, at[key]], is_integer=key in INTEGERS) for key in keys]
    if not columns:
        return [{} for _ in range(len(frame))]
    return [dict(zip(keys, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _rows(records: Records) -> Iterator[dict[str, Any]]:
    """Yield an object per row, its explanations and their weights nested."""
    kept = [name for name in records.stability.columns if name not in STABILITY_COLUMNS]
    own = {"run_id", "row_id", "target", *kept}
    names = [name for name in records.weights.columns if name not in own]
    weights = _objects(records.weights, names)
    explanations = _objects(records.stability, _EXPLANATION_COLUMNS)
    tops = _objects(records.stability, [*_ROW_COLUMNS, *kept])
    row: dict[str, Any] | None = None
    start = 0
    for top, explanation, n in zip(tops, explanations, records.lines.tolist(), strict=True):
        if row is None or row["row"] != top["row"]:
            if row is not None:
                yield row
            state = {"status": explanation["status"], "error": explanation["error"]}
            row = {**top, **state, "explanations": []}
        if explanation["status"] != "failed":
            row["explanations"].append({**explanation, "weights": weights[start : start + n]})
        start += n
    if row is not None:
        yield row


def _flat(records: Records) -> list[dict[str, Any]]:
    return _objects(records.stability, dict.fromkeys(records.stability.columns))


def _piece(records: Records, rendering: Rendering, end: bytes, between: bytes) -> RenderedPiece:
    if rendering.wide:
        raise UsageError("--wide is a layout of csv and parquet only; leave it out for json")
    pruned = prune(records, rendering.top_k)
    rows, flat = map(_dump, _rows(pruned)), map(_dump, _flat(pruned))
    return RenderedPiece(
        between.join(row + end for row in rows), between.join(line + end for line in flat)
    )


class JsonLinesWriter:
    """JSON Lines: an object per row, and a flat one per line of stability."""

    def piece(self, records: Records, rendering: Rendering) -> RenderedPiece:
        """Return a chunk as lines of JSON."""
        return _piece(records, rendering, b"\n", b"")

    def join(
        self,
        pieces: Iterable[RenderedPiece],
        weights: BinaryIO,
        stability: BinaryIO | None,
        manifest: Mapping[str, Any],  # noqa: ARG002 (lines have no place for it)
    ) -> None:
        """Write the lines of all pieces."""
        for piece in pieces:
            weights.write(piece.weights)
            weights.flush()
            if stability is not None:
                stability.write(piece.stability)


class JsonWriter:
    """Two documents: ``{"manifest": ..., "explanations": [...]}`` and a list of flat objects."""

    def piece(self, records: Records, rendering: Rendering) -> RenderedPiece:
        """Return a chunk as objects with commas between them."""
        return _piece(records, rendering, b"", b",\n")

    def join(
        self,
        pieces: Iterable[RenderedPiece],
        weights: BinaryIO,
        stability: BinaryIO | None,
        manifest: Mapping[str, Any],
    ) -> None:
        """Write the manifest and the objects of all pieces."""
        files = [
            (weights, b'{"manifest":' + _dump(plain(manifest)) + b',\n"explanations":[', b"]}\n")
        ]
        if stability is not None:
            files.append((stability, b"[", b"]\n"))
        for file, head, _ in files:
            file.write(head)
        begun = [False, False]
        for piece in pieces:
            for at, (file, _, _) in enumerate(files):
                content = piece.stability if at else piece.weights
                if content:
                    file.write((b",\n" if begun[at] else b"\n") + content)
                    begun[at] = True
        for file, _, tail in files:
            file.write(b"\n" + tail)
