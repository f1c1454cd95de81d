"""The parts of a run, in input order, become the asked-for files, and are summed up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from xplain_cli.explanation import Records
from xplain_cli.modalities.text.vocabulary import vocabulary
from xplain_cli.output import Piece, Rendering, csv_bytes, join_pieces, render_piece
from xplain_cli.quality.precision import Goal
from xplain_cli.quality.summary import Summary, Tally
from xplain_cli.runs.folder import Run, write_atomically, writing
from xplain_cli.workers.processes import in_order

_MANY_PARTS = 64  # below that, starting processes takes longer than they save


@dataclass(frozen=True)
class Shown:
    """
    How parts become files.

    Attributes
    ----------
    rendering, fmt
        The rendering and the format.
    repeats
        Whether each repeat's weights are written too.
    corpus
        Whether units are summed up over all rows.
    """

    rendering: Rendering
    fmt: str
    repeats: bool = False
    corpus: bool = False


def ranges(start: int, stop: int, step: int) -> list[tuple[int, int]]:
    """Return the chunks of rows start..stop."""
    return [(at, min(at + step, stop)) for at in range(start, stop, step)]


def _read(run: Run, chunks: Iterable[tuple[int, int]], tally: Tally) -> Iterator[Records]:
    for chunk in chunks:
        records = run.read_part(*chunk)
        tally.add(records)
        yield records


def precise_rows(run: Run, chunks: Iterable[tuple[int, int]], goal: Goal | None) -> dict[str, Any]:
    """Return for the manifest how many rows reached the goal, with how many repeats at most."""
    if goal is None:
        return {}
    reached = rows = most = 0
    for chunk in chunks:
        stability = run.read_part(*chunk).stability
        met, count = goal.count(stability)
        reached, rows = reached + met, rows + count
        most = max(most, int(stability["n_repeats"].max()))
    counted = {"rows_reached": reached, "rows": rows, "most_repeats": most}
    asked = {"max_rel_se": goal.max_rel_se, "max_samples": goal.max_samples}
    return {"precision_goal": asked | counted}


def sum_up(run: Run, chunks: Sequence[tuple[int, int]], stability_k: int) -> Summary:
    """Return what a run says as a whole."""
    tally = Tally(stability_k)
    for _ in _read(run, chunks, tally):
        pass
    return tally.summary()


def _render(
    run: Run, shown: Shown, stability_k: int, chunk: tuple[int, int]
) -> tuple[Piece, Tally]:
    tally = Tally(stability_k)
    (records,) = _read(run, [chunk], tally)
    return render_piece(records, shown.rendering, shown.fmt), tally


def _pieces(
    run: Run, chunks: Sequence[tuple[int, int]], shown: Shown, whole: Tally, jobs: int
) -> Iterator[Piece]:
    """Yield the pieces of parts in order, and count them in; over processes where they are many."""
    work = partial(_render, run, shown, whole.top_k)
    many = jobs > 1 and len(chunks) >= _MANY_PARTS
    for piece, tally in in_order(work, chunks, jobs) if many else map(work, chunks):
        whole.merge(tally)
        yield piece


def join_parts(
    run: Run,
    chunks: Sequence[tuple[int, int]],
    shown: Shown,
    facts: Mapping[str, Any],
    stability_k: int,
    jobs: int = 1,
) -> tuple[Summary, list[Path]]:
    """
    Write the final files in one pass over the parts, a few of which are in memory at a time.

    Returns
    -------
    what the run says as a whole, and the files beside the two that every run has.
    """
    tally = Tally(stability_k)
    with writing(*run.files) as (weights, stability):
        pieces = _pieces(run, chunks, shown, tally, jobs)
        join_pieces(pieces, shown.fmt, weights, stability, manifest=facts)
    extra = [run.write_repeats(chunks)] if shown.repeats else []
    if shown.corpus:
        found = vocabulary(run.read_part(*chunk) for chunk in chunks)
        extra.append(run.place.vocabulary)
        write_atomically(extra[-1], csv_bytes(found, guarded=shown.rendering.csv_guard))
    return tally.summary(), extra
