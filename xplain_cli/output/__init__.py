"""The writers of result files: rendered chunk by chunk, joined in input order."""

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Protocol

from xplain_cli.errors import UsageError, nearest
from xplain_cli.explanation import Records
from xplain_cli.output.cells import guard, unguard
from xplain_cli.output.csv import CsvWriter, csv_bytes, write_csv
from xplain_cli.output.json import JsonLinesWriter, JsonWriter
from xplain_cli.output.parquet import ParquetWriter
from xplain_cli.output.rendering import RenderedPiece, Rendering, prune, widen

__all__ = [
    "FORMATS",
    "RenderedPiece",
    "Rendering",
    "Writer",
    "check_rendering",
    "csv_bytes",
    "guard",
    "join_pieces",
    "prune",
    "render_piece",
    "unguard",
    "widen",
    "write_csv",
]


class Writer(Protocol):
    """A format: how a chunk becomes a piece, and pieces become two files."""

    def piece(self, records: Records, rendering: Rendering) -> RenderedPiece:
        """Return a chunk in this format; a pure function, fit for workers."""
        ...

    def join(
        self,
        pieces: Iterable[RenderedPiece],
        weights: BinaryIO,
        stability: BinaryIO | None,
        manifest: Mapping[str, Any],
    ) -> None:
        """Write the pieces in order; one piece is in memory at a time."""
        ...


FORMATS: dict[str, type[Writer]] = {
    "csv": CsvWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
    "parquet": ParquetWriter,
}


def _writer(fmt: str) -> Writer:
    if fmt not in FORMATS:
        raise UsageError(
            f"--output-format {fmt}: unknown; known are {', '.join(FORMATS)}{nearest(fmt, FORMATS)}"
        )
    return FORMATS[fmt]()


def check_rendering(rendering: Rendering, fmt: str) -> None:
    """
    Check, before the first row, that results can be shown as asked.

    Raises
    ------
    UsageError
        The format is unknown or needs a package that is missing, the layout is not one of the
        format's, or ``top_k`` is below 1.
    """
    _writer(fmt)
    if rendering.wide and fmt not in {"csv", "parquet"}:
        raise UsageError(f"--wide is a layout of csv and parquet only, not of {fmt}")
    if rendering.top_k is not None and rendering.top_k < 1:
        raise UsageError(f"--top-k {rendering.top_k}: give 1 or more, or leave it out for all")


def render_piece(records: Records, rendering: Rendering, fmt: str) -> RenderedPiece:
    """Return one chunk in the format *fmt*; equal records give equal bytes."""
    return _writer(fmt).piece(records, rendering)


def join_pieces(
    pieces: Iterable[RenderedPiece],
    fmt: str,
    weights: BinaryIO,
    stability: BinaryIO | None = None,
    *,
    manifest: Mapping[str, Any] | None = None,
) -> None:
    """
    Write pieces, in input order, as whole files; what is open already stays open.

    Parameters
    ----------
    weights, stability
        Where to; ``stability`` is ``None`` when only the result is wanted (standard output).
    manifest
        What a json document carries ahead of its explanations.

    Raises
    ------
    UsageError
        Wide lines were asked for, and rows have different features.
    """
    _writer(fmt).join(pieces, weights, stability, manifest or {})
