"""Merges runs on slices of the same DATA into the run that was never divided."""

import contextlib
import itertools
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xplain_cli.console import Console
from xplain_cli.engine.pool import find_pool
from xplain_cli.errors import UsageError
from xplain_cli.explanation import Records, join_records, rows_between
from xplain_cli.jobs.finish import Account, RunFiles, check_free, finish, ranges
from xplain_cli.jobs.manifest import Course
from xplain_cli.plan import Plan
from xplain_cli.remote import redact, redact_all
from xplain_cli.runs.conflicts import differences
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import FinishedRun, find_run
from xplain_cli.runs.folder import Run, open_run
from xplain_cli.runs.locks import lock
from xplain_cli.runs.paths import RunPlace, parents_of, unwritable


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


def _open(runs: Sequence[str], held: contextlib.ExitStack) -> list[_Slice]:
    """Return the runs in the order of their rows; those of other machines are copied for that."""
    slices = []
    for named in runs:
        run = find_run(held.enter_context(brought_here(named)))
        slices.append(_Slice(redact(named), run, run.facts()))
    return sorted(slices, key=lambda piece: piece.rows)


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
    rendering = {**first.facts["plan"]["rendering"], "format": fmt}
    budgets = {piece.run.marker.budget for piece in slices}
    return Plan(first.numbers, selection, rendering, budgets.pop() if len(budgets) == 1 else None)


def _account(slices: Sequence[_Slice], plan: Plan, argv: Sequence[str]) -> Account:
    """Return what the first slice says of itself, as it holds for the whole."""
    notes = dict.fromkeys(note for piece in slices for note in piece.facts["notes"])
    results = [piece.run.results() for piece in slices]
    asked = results[0].get("request")
    gone = {"outputs"} if plan.budget is not None else {"outputs", "budget"}
    facts = {
        **{name: said for name, said in slices[0].facts.items() if name not in gone},
        "digests": plan.digests,
        "plan": plan.groups,
        "argv": redact_all(argv),
        "notes": list(notes),
        "merged": [{"run": piece.named, "rows": list(piece.rows)} for piece in slices],
    }
    own = {"rows": plan.selection["rows"], "shard": None}
    return Account(
        facts=facts,
        argv=argv,
        request=None if asked is None else {**asked, **own},
        model_inputs=sum(said.get("model_inputs_rows", 0) for said in results),
    )


def _check_place(slices: Sequence[_Slice], place: RunPlace) -> None:
    if place.folder is None:
        raise UsageError("--output is '-' (stdout), which leaves no run; name a folder or a file")
    at = place.folder
    for piece in slices:
        if at is not None and at.exists() and at.samefile(piece.run.folder):
            raise UsageError(f"--output {place.name}: is one of the runs; name another place")


@contextlib.contextmanager
def _opened_run(
    place: RunPlace, plan: Plan, slices: Sequence[_Slice], *, force: bool
) -> Iterator[Run]:
    """Open the run of the whole, held against other processes."""
    folder = place.folder
    held = contextlib.nullcontext() if folder is None else lock(folder)
    with parents_of(folder), held:
        size = slices[0].run.marker.chunk_rows
        run = open_run(place, plan, explicit=True, force=force, chunk_rows=size)
        # what is merged again is written again: its slices may hold more than they did
        yield replace(run, rendered=False)


def _copy_rows(slices: Sequence[_Slice], run: Run, plan: Plan) -> None:
    """Keep the records of all slices as parts of the whole."""
    start, stop = plan.selection["rows"]
    chunks = ranges(start, stop, run.chunk_rows)
    for chunk, records in _chunked(_rows(slices), chunks):
        if chunk not in run.done:
            run.write_part(*chunk, records)


def _copy_pools(slices: Sequence[_Slice], run: Run) -> None:
    """Copy the shared pool; what longer looks added to it may be in any of the slices."""
    for piece in slices:
        pool = piece.run.folder / "pool"
        for held in sorted(pool.iterdir()) if pool.is_dir() else ():
            target = run.folder / "pool" / held.name
            if held.is_dir() and find_pool(target) is None:  # not there, or cut off while copied
                _copy(held, target)


def _copy(held: Path, target: Path) -> None:
    """Copy a folder of files."""
    for path in sorted(held.iterdir()):
        place = target / path.name
        try:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        except OSError as error:
            raise unwritable(error, place) from error


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
    course = Course(time.perf_counter())
    with contextlib.ExitStack() as held:
        slices = _open(runs, held)
        _check_alike(slices)
        _check_names(slices[0])
        _check_whole(slices)
        place = RunPlace.from_output(output, slices[0].facts["plan"]["rendering"]["format"])
        _check_place(slices, place)
        plan = _plan(slices, place.fmt)
        check_free(place, plan)
        course.lap("open")
        run = held.enter_context(_opened_run(place, plan, slices, force=force))
        _copy_rows(slices, run, plan)
        _copy_pools(slices, run)
        course.lap("copy")
        account = _account(slices, plan, argv)
        wanted = RunFiles(slices=tuple(piece.run.place for piece in slices))
        finish(run, plan, account, wanted, course, console)
    return 0
