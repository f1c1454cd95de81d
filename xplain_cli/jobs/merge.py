"""Runs on slices of the same DATA become the run that was never divided."""

import itertools
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xplain_cli.console import Console
from xplain_cli.errors import UsageError
from xplain_cli.explanation import Records, join_records, rows_between
from xplain_cli.jobs.finish import Shown, join_parts, ranges
from xplain_cli.output import Rendering
from xplain_cli.plan import Plan
from xplain_cli.remote import all_told
from xplain_cli.runs.conflicts import differences
from xplain_cli.runs.finished import FinishedRun, find_run
from xplain_cli.runs.folder import open_run
from xplain_cli.runs.locks import alone
from xplain_cli.runs.paths import RunPlace


@dataclass(frozen=True)
class _Slice:
    """A finished run on some rows, with what its manifest says."""

    named: str
    run: FinishedRun
    facts: dict[str, Any]

    @property
    def rows(self) -> tuple[int, int]:
        """The rows START and STOP."""
        start, stop = self.run.marker.plan["selection"]["rows"]
        return start, stop

    @property
    def numbers(self) -> dict[str, Any]:
        """What decides its numbers."""
        found: dict[str, Any] = self.run.marker.plan["numbers"]
        return found

    @property
    def selection(self) -> dict[str, Any]:
        """What its parts hold, whatever the rows."""
        held = self.run.marker.plan["selection"]
        return {name: held[name] for name in held if name not in {"rows", "shard"}}


def _open(named: str) -> _Slice:
    run = find_run(named)
    return _Slice(named, run, run.facts())


def _check_alike(slices: Sequence[_Slice]) -> None:
    first = slices[0]
    for other in slices[1:]:
        apart = differences(
            {**first.numbers, **first.selection}, {**other.numbers, **other.selection}
        )
        if apart:
            raise UsageError(
                f"{other.named}: differs from {first.named} in {apart}; only runs of the same"
                " command on different rows can be merged"
            )


def _check_names(first: _Slice) -> None:
    if first.numbers.get("hashed") == "":
        raise UsageError(
            f"{first.named}: its units are hashed with a secret of that run alone, so that the same"
            " unit has another name in each; set XPLAIN_HASH_SALT and explain them again"
        )


def _check_whole(slices: Sequence[_Slice]) -> None:
    """Check that sorted slices follow each other, and make up what they are shards of."""
    for before, after in itertools.pairwise(slices):
        end, start = before.rows[1], after.rows[0]
        if start > end:
            raise UsageError(f"rows {end} to {start - 1} are in none of the runs; explain them too")
        if start < end:
            raise UsageError(
                f"rows {start} to {min(end, after.rows[1]) - 1} are both in {before.named} and in"
                f" {after.named}; leave one of the two out"
            )
    for piece in slices:
        shard = piece.run.marker.plan["selection"].get("shard")
        if shard is None:
            continue
        start, stop = shard["of_rows"]
        for low, high in ((start, slices[0].rows[0]), (slices[-1].rows[1], stop)):
            if low < high:
                raise UsageError(
                    f"rows {low} to {high - 1} are in none of the runs, though {piece.named} is a"
                    f" shard of rows {start} to {stop - 1}; explain them too"
                )


def _rows(slices: Sequence[_Slice]) -> Iterator[Records]:
    for piece in slices:
        yield from piece.run.records()


def _chunked(
    records: Iterator[Records], chunks: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], Records]]:
    """Cut records at the bounds of other chunks; one chunk and one part are in memory."""
    held: list[Records] = []
    for start, stop in chunks:
        while not held or int(held[-1].stability["row"].iloc[-1]) < stop - 1:
            held.append(next(records))
        whole = join_records(held)
        yield (start, stop), rows_between(whole, start, stop)
        rest = rows_between(whole, stop, None)
        held = [rest] if len(rest.stability) else []


def _plan(slices: Sequence[_Slice], fmt: str) -> Plan:
    first = slices[0]
    rows = [first.rows[0], slices[-1].rows[1]]
    held = first.run.marker.plan["selection"]
    selection = {name: rows if name == "rows" else held[name] for name in held if name != "shard"}
    return Plan(first.numbers, selection, {**first.facts["plan"]["rendering"], "format": fmt})


def _facts(slices: Sequence[_Slice], plan: Plan, argv: Sequence[str]) -> dict[str, Any]:
    """Return the manifest of the first slice as that of the whole."""
    notes = dict.fromkeys(note for piece in slices for note in piece.facts["notes"])
    return {
        **{name: said for name, said in slices[0].facts.items() if name != "outputs"},
        "digests": plan.digests,
        "plan": plan.groups,
        "argv": all_told(argv),
        "notes": list(notes),
        "merged": [{"run": piece.named, "rows": list(piece.rows)} for piece in slices],
    }


def _check_place(slices: Sequence[_Slice], place: RunPlace) -> None:
    for piece in slices:
        at = place.folder
        if at is not None and at.exists() and at.samefile(piece.run.folder):
            raise UsageError(f"--output {place.name}: is one of the runs; name another place")


def merge_runs(
    runs: Sequence[str], output: str, *, force: bool, argv: Sequence[str], console: Console
) -> int:
    """
    Join finished runs on consecutive slices of the same DATA; return the exit code 0.

    The files are shown as the first run's are; the suffix of *output* may choose another format.

    Raises
    ------
    UsageError
        The runs differ in more than their rows; rows are missing, or in two runs.
    RefusedError
        A run is not finished or cannot be read; the output cannot be written.
    """
    slices = sorted((_open(named) for named in runs), key=lambda piece: piece.rows)
    _check_alike(slices)
    _check_names(slices[0])
    _check_whole(slices)
    shown = slices[0].facts["plan"]["rendering"]
    place = RunPlace.from_output(output, shown["format"])
    if place.folder is None:
        raise UsageError("--output is '-' (stdout), which leaves no run; name a folder or a file")
    _check_place(slices, place)
    plan = _plan(slices, place.fmt)
    size = slices[0].run.marker.chunk_rows
    with alone(place.folder):
        run = open_run(place, plan, explicit=True, force=force, chunk_rows=size)
        start, stop = plan.selection["rows"]
        chunks = ranges(start, stop, run.chunk_rows)
        for chunk, records in _chunked(_rows(slices), chunks):
            if chunk not in run.done:
                run.write_part(*chunk, records)
        pool = slices[0].run.folder / "pool"
        shutil.copytree(pool, run.folder / "pool", dirs_exist_ok=True)
        facts = _facts(slices, plan, argv)
        rendering = Rendering(shown["top_k"], shown["csv_guard"], shown["wide"])
        texts = plan.numbers["modality"] == "text"
        asked = Shown(rendering, place.fmt, plan.selection["repeats"], corpus=texts)
        whole, extra = join_parts(run, chunks, asked, facts, plan.numbers["stability_k"])
        outcome = {"rows_ok": whole.rows, "rows_failed": whole.failed, "argv": all_told(argv)}
        run.finish(facts, outcome, n_parts=len(chunks), extra=extra)
    console.summary(whole)
    console.line(place.name)
    return 0
