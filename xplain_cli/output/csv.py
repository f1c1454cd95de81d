"""Comma-separated files: UTF-8, lines end in a line feed, formulas disarmed."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

import pandas as pd

from xplain_cli.explanation import Records
from xplain_cli.output.cells import INTEGERS, guard
from xplain_cli.output.lines import csv_lines, encoded
from xplain_cli.output.rendering import RenderedPiece, Rendering, check_head, prune, widen

_SPECIAL = re.compile(r'[",\r\n]')


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _guarded(text: str) -> str:
    return _quoted(guard(text))


def _sheet(
    frame: pd.DataFrame, escape: Callable[[str], str], integers: frozenset[str] = INTEGERS
) -> tuple[bytes, bytes]:
    """Return the header line and the lines of a frame."""
    head = ",".join(escape(str(name)) for name in frame.columns)
    return encoded(f"{head}\n"), csv_lines(frame, escape, integers)


def csv_bytes(frame: pd.DataFrame, *, guarded: bool) -> bytes:
    """Return a frame as a whole csv file."""
    return b"".join(_sheet(frame, _guarded if guarded else _quoted))


def write_csv(file: BinaryIO, frames: Iterable[pd.DataFrame], *, guarded: bool) -> None:
    """Write frames of the same columns one after the other; one is in memory at a time."""
    for at, frame in enumerate(frames):
        head, lines = _sheet(frame, _guarded if guarded else _quoted)
        file.write(lines if at else head + lines)


class CsvWriter:
    """Two csv files."""

    def piece(self, records: Records, rendering: Rendering) -> RenderedPiece:
        """Return a chunk as csv lines."""
        escape = _guarded if rendering.csv_guard else _quoted
        pruned = prune(records, rendering.top_k)
        if rendering.wide:
            frame = widen(records, rendering.top_k)
            head, lines = _sheet(frame, escape, frozenset())
        else:
            head, lines = _sheet(pruned.weights, escape)
        stability_head, stability = _sheet(pruned.stability, escape)
        return RenderedPiece(lines, stability, (head, stability_head))

    def join(
        self,
        pieces: Iterable[RenderedPiece],
        weights: BinaryIO,
        stability: BinaryIO | None,
        manifest: Mapping[str, Any],  # noqa: ARG002 (csv has no place for it)
    ) -> None:
        """Write the header and the lines of all pieces."""
        opened = b""
        waiting = b""
        for piece in pieces:
            head, stability_head = piece.heads
            if stability is not None:
                stability.write(piece.stability if waiting else stability_head + piece.stability)
                stability.flush()
            waiting = waiting or head
            # Wide lines of failed rows are none, and such a piece does not know its features.
            if piece.weights:
                check_head(head, opened or head)
                weights.write(piece.weights if opened else head + piece.weights)
                weights.flush()
                opened = head
        if not opened:
            weights.write(waiting)
