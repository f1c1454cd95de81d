"""The explaining job: a request becomes a plan, chunks, workers, parts, and the asked-for files."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from xplain_cli.console import Console
from xplain_cli.errors import XplainError, counted, quoting
from xplain_cli.jobs.finish import Account, RunFiles, across_rows, check_free, finish
from xplain_cli.jobs.gate import Lost, conclude, judge_gates, written
from xplain_cli.jobs.manifest import WHERE_USED, Course, manifest
from xplain_cli.jobs.schedule import explain_rows, rooms_for, share_pool, spread_of
from xplain_cli.modalities import story_of
from xplain_cli.options.request import Request, stored_form
from xplain_cli.output import RenderedPiece, join_pieces, render_piece
from xplain_cli.planning.prepare import Job, assign, chunk_rows, prepare
from xplain_cli.quality.summary import Tally
from xplain_cli.runs.conflicts import check_inputs
from xplain_cli.runs.folder import Run, RunPlace, open_run
from xplain_cli.runs.locks import lock
from xplain_cli.runs.paths import parents_of
from xplain_cli.workers.rooms import Rooms, described, facts_of


def _planned(request: Request, console: Console, rooms: Rooms) -> Job:
    """Open and decide everything, and tell what was decided."""
    job = prepare(request, console)
    if request.sampling.budget is not None:
        from xplain_cli.planning.budget import within_budget

        job = within_budget(job)
    console.note(described(rooms.walls, rooms.confinement))
    rooms.versions(WHERE_USED)  # which may be asked for when no room is left
    for note in job.notes:
        console.note(note)
    chosen = job.chosen
    console.note(
        f"target {chosen.target.spec}, scale {chosen.scale.label}; {chosen.neighbourhood.meaning}"
    )
    return job


@contextlib.contextmanager
def _opened_run(job: Job) -> Iterator[Run]:
    """Open the run, held against other processes; what is cut off stays, what failed is undone."""
    request = job.request
    place = RunPlace.from_output(request.result.output, request.result.output_format)
    inputs = (
        request.sources.model,
        *job.opened.modality.paths,
        request.references.background,
        request.explanation.class_names,
    )
    check_inputs(place, (*inputs, request.project_file))
    check_free(place, job.plan)
    if request.result.report is not None:
        from xplain_cli.report import check_page

        check_page(request.result.report)
    held = contextlib.nullcontext() if place.folder is None else lock(place.folder)
    with parents_of(place.folder), held:
        run = open_run(
            place,
            job.plan,
            explicit=request.output_explicit,
            force=request.safety.force,
            chunk_rows=request.workers.chunk_rows or chunk_rows(job),
        )
        try:
            yield run
        except XplainError:
            run.abandon()
            raise
        except (KeyboardInterrupt, SystemExit):
            if not run.temporary:
                job.console.warn(f"{run.place.name} is unfinished; the same command continues it")
            raise
        finally:
            run.close()


def _tell_of_run(job: Job, run: Run) -> None:
    """Tell what the user may not expect of where and how the run is kept."""
    batch = job.opened.modality.batch_rows
    if run.chunk_rows < min(batch, chunk_rows(job)):
        job.console.note(
            f"chunks of {counted(run.chunk_rows)}: each is filled up to a model batch of {batch}"
        )
    if run.set_aside is not None:
        job.console.note(f"the earlier run was set aside as {run.set_aside}")
    if run.state == "resumed":
        start, stop = job.plan.selection["rows"]
        done = sum(stop - start for start, stop in run.done)
        job.console.note(f"continuing: {done} of {stop - start} rows were done")


def _explain_missing(job: Job, run: Run, rooms: Rooms, course: Course) -> None:
    """Explain the rows that have no part yet."""
    if run.state == "finished":
        return
    _, crew = share_pool(job, run, rooms)
    course.lap("pool")
    for _ in explain_rows(job, run, crew, course):
        pass
    course.lap("explain")


def _manifest(job: Job, rooms: Rooms, pool: Mapping[str, Any]) -> dict[str, Any]:
    said = manifest(job.request, job.opened, job.chosen, job.plan, pool, job.notes)
    versions = said["versions"] | rooms.versions(WHERE_USED)
    return said | {"versions": versions, "confinement": facts_of(rooms)}


def _account(job: Job, rooms: Rooms, course: Course) -> Account:
    """Return what the run says of itself; figures of its pool are found when it is finished."""
    request, said = job.request, _manifest(job, rooms, {})
    return Account(said, request.argv, stored_form(request), course.model_inputs)


def _wanted(job: Job, run: Run) -> RunFiles:
    """Return what the run shall become."""
    jobs = spread_of(job, run).jobs
    return RunFiles(
        job.opened.modality,
        perturbation=job.chosen.perturbation,
        gates=job.gates,
        page=job.request.result.report,
        jobs=jobs,
    )


def _explain_to_stdout(job: Job, run: Run, rooms: Rooms, course: Course) -> int:
    """Stream results to standard output as chunks finish; nothing is kept."""
    tally, frames = Tally(job.request.sampling.stability_k), []
    pool, crew = share_pool(job, run, rooms)
    stream, fmt = job.console.stream(), job.request.result.output_format

    def pieces() -> Iterator[RenderedPiece]:
        for found in explain_rows(job, run, crew, course):
            records = found.records(job.plan.identity)
            tally.add(records)
            frames.append(written(records, job.rendering.top_k))
            yield render_piece(records, job.rendering, fmt)
            stream.flush()

    join_pieces(pieces(), fmt, stream, manifest=_manifest(job, rooms, pool))
    stream.flush()
    whole = tally.summary()
    story, values = story_of(job.request.modality), job.plan.selection["values"]
    job.console.summary(across_rows(whole, story, job.plan.numbers, values=values))
    gates = judge_gates(job.gates, frames, job.console)
    lost = Lost(whole.failed, job.tolerated)
    return conclude(gates, lost, job.request.gates, job.request.modality, job.console)


def preview(request: Request, console: Console) -> list[str]:
    """
    Say what a run would explain and what it would cost; nothing is written.

    Raises
    ------
    XplainError
        What ``explain`` would raise before its first row.
    """
    from threadpoolctl import threadpool_limits

    from xplain_cli.planning.estimate import describe, estimate, lines_of

    with (
        rooms_for(request) as rooms,
        threadpool_limits(limits=1),
        quoting(shown=request.shows_values),
    ):
        job = _planned(request, console, rooms)
        size = request.workers.chunk_rows or chunk_rows(job)
        fmt = request.result.output_format
        took = job.opening_seconds
        cost = estimate(job.opened, job.chosen, assign(job, None), size, job.rendering, fmt, took)
        return [*describe(job.opened, job.chosen, job.request.method), *lines_of(cost)]


def explain(request: Request, console: Console) -> int:
    """
    Run an explaining command and return its exit code: 0, 1 or 4.

    Raises
    ------
    XplainError
        Nothing could be explained: usage, a refused file, a clash of runs.
    """
    from threadpoolctl import threadpool_limits

    if request.safety.dry_run:
        for text in preview(request, console):
            console.line(text)
        return 0
    course = Course(time.perf_counter())
    with (
        rooms_for(request) as rooms,
        threadpool_limits(limits=1),
        quoting(shown=request.shows_values),
    ):
        job = _planned(request, console, rooms)
        course.lap("open")
        with _opened_run(job) as run:
            _tell_of_run(job, run)
            if run.temporary:
                return _explain_to_stdout(job, run, rooms, course)
            _explain_missing(job, run, rooms, course)
            account, wanted = _account(job, rooms, course), _wanted(job, run)
            done = finish(run, job.plan, account, wanted, course, console)
        lost = Lost(done.failed, job.tolerated)
        return conclude(done.gates, lost, request.gates, request.modality, console)
