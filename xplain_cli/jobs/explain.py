"""A request becomes a plan, chunks, workers, parts in order, and the asked-for files."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from xplain_cli.console import Console
from xplain_cli.engine.pool import find_pool, grown
from xplain_cli.errors import XplainError
from xplain_cli.jobs.finish import Shown, join_parts, precise_rows, ranges, sum_up
from xplain_cli.jobs.gate import exit_code, judge_gates, written
from xplain_cli.jobs.manifest import Course, details, manifest, reached, results
from xplain_cli.jobs.schedule import explain_rows, share_pool, spread_of
from xplain_cli.modalities.image.data import PictureData
from xplain_cli.modalities.image.drawing import Folders, draw_run, folders_of
from xplain_cli.output import Piece as RenderedPiece
from xplain_cli.output import join_pieces, render_piece
from xplain_cli.plan import Request
from xplain_cli.planning.budget import within_budget
from xplain_cli.planning.estimate import describe, estimate, lines_of
from xplain_cli.planning.prepare import Prepared, assign, chunk_rows, prepare
from xplain_cli.quality.summary import Summary, Tally
from xplain_cli.report import check_page, write_page
from xplain_cli.runs.conflicts import check_inputs
from xplain_cli.runs.folder import Run, RunPlace, open_run
from xplain_cli.runs.locks import alone


def _folders(job: Prepared, place: RunPlace) -> Folders:
    """Return where heatmaps go; nowhere for what is no picture."""
    request, pictures = job.request, isinstance(job.opened.modality, PictureData)
    return folders_of(
        place,
        drawn=request.maps and pictures,
        arrays=request.write_maps and pictures,
        picture=not request.no_values,
    )


def _draw(job: Prepared, run: Run, chunks: list[tuple[int, int]]) -> dict[str, Any]:
    """Draw heatmaps; return what the manifest says of them."""
    data, folders = job.opened.modality, _folders(job, run.place)
    if not isinstance(data, PictureData) or not folders.paths:
        return {}
    parts = ((start, stop, run.read_part(start, stop)) for start, stop in chunks)
    count = draw_run(folders, data, parts, spread_of(job, run).jobs)
    return {"maps": {"folders": [path.name for path in folders.paths.values()], "files": count}}


def _told(job: Prepared, whole: Summary) -> Summary:
    """Return the run as a whole; superpixel 3 of one picture is nothing to that of another."""
    return replace(whole, features=()) if job.request.modality == "image" else whole


def _run_to_stdout(job: Prepared, run: Run) -> int:
    """Stream results to standard output as chunks finish; nothing is kept."""
    tally, frames = Tally(job.request.stability_k), []
    pool, assignment = share_pool(job, run)
    stream = job.console.stream()
    fmt = job.request.output_format

    def pieces() -> Iterator[RenderedPiece]:
        for records in explain_rows(job, run, assignment, Course(time.perf_counter())):
            tally.add(records)
            frames.append(written(records, job.rendering.top_k))
            yield render_piece(records, job.rendering, fmt)
            stream.flush()

    facts = manifest(job.request, job.opened, job.chosen, job.plan, pool, job.notes)
    join_pieces(pieces(), fmt, stream, manifest=facts)
    stream.flush()
    whole = tally.summary()
    job.console.summary(_told(job, whole))
    gates = judge_gates(job.gates, frames, job.console)
    return exit_code(gates, whole.failed, job.tolerated, job.console)


def _tell(job: Prepared, facts: dict[str, Any], outcome: dict[str, Any]) -> None:
    for text in reached(facts):
        job.console.note(text)
    for text in details(outcome):
        job.console.detail(text)


def _write(
    job: Prepared,
    run: Run,
    chunks: list[tuple[int, int]],
    pool: dict[str, Any],
    course: Course,
) -> tuple[Summary, list[Path], dict[str, Any]]:
    """Write the final files; return the run as a whole, the extra files and the manifest."""
    request = job.request
    drawn = _draw(job, run, chunks)
    course.lap("draw")
    precise = precise_rows(run, chunks, job.chosen.budget.goal)
    pool = grown(pool, job.chosen.budget, precise)
    facts = manifest(request, job.opened, job.chosen, job.plan, pool, job.notes) | drawn | precise
    corpus = request.modality == "text"
    shown = Shown(job.rendering, request.output_format, request.write_repeats, corpus)
    with course.during("write"):
        jobs = spread_of(job, run).jobs if course.backend == "loky" else 1
        whole, extra = join_parts(run, chunks, shown, facts, request.stability_k, jobs)
    course.lap("write")
    return whole, extra, facts


def _run_to_files(job: Prepared, run: Run, course: Course) -> int:
    """Explain what is missing, join the parts, judge."""
    if run.state == "finished":
        pool = find_pool(run.pool_path("shared")) or {}
    else:
        pool, assignment = share_pool(job, run)
        course.lap("pool")
        for _ in explain_rows(job, run, assignment, course):
            pass
        course.lap("explain")
    request = job.request
    chunks = ranges(job.opened.start, job.opened.stop, run.chunk_rows)
    if run.rendered:
        whole = sum_up(run, chunks, request.stability_k)
        job.console.note("nothing to do: this run is finished (--force computes it again)")
    else:
        whole, extra, facts = _write(job, run, chunks, pool, course)
    job.console.summary(_told(job, whole))
    lines = (written(run.read_part(*chunk), job.rendering.top_k) for chunk in chunks)
    gates = judge_gates(job.gates, lines, job.console)
    if run.rendered and gates:
        run.keep_gates(gates)
    elif not run.rendered:
        outcome = results(request, course, whole, facts["pool"]) | {"gates": gates}
        run.finish(facts, outcome, n_parts=len(chunks), extra=extra)
        _tell(job, facts, outcome)
    if request.report is not None:
        job.console.note(f"report: {write_page(run.folder, request.report)}")
    job.console.line(run.place.name)
    return exit_code(gates, whole.failed, job.tolerated, job.console)


def _open_run(job: Prepared, held: contextlib.ExitStack) -> Run:
    """Open the run, held against other processes."""
    request = job.request
    place = RunPlace.from_output(request.output, request.output_format)
    paths = job.opened.modality.paths
    inputs = (request.model, *paths, request.background, request.class_names)
    check_inputs(place, (*inputs, request.project_file))
    _folders(job, place).check_free()
    if request.report is not None:
        check_page(request.report, place)
    if place.folder is not None:
        held.enter_context(alone(place.folder))
    run = open_run(
        place,
        job.plan,
        explicit=request.output_explicit,
        force=request.force,
        chunk_rows=request.chunk_rows or chunk_rows(job),
    )
    batch = job.opened.modality.batch_rows
    if run.chunk_rows < min(batch, chunk_rows(job)):
        job.console.note(
            f"chunks of {run.chunk_rows} rows: each is filled up to a model batch of {batch}"
        )
    if run.set_aside is not None:
        job.console.note(f"the earlier run was set aside as {run.set_aside}")
    return run


def preview(request: Request, console: Console) -> list[str]:
    """
    Say what a run would explain and what it would cost; nothing is written.

    Raises
    ------
    XplainError
        What ``explain`` would raise before its first row.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        job = within_budget(prepare(request, console))
        for note in job.notes:
            console.note(note)
        cost = estimate(job.opened, assign(job, None), job.rendering, request.output_format)
        return [*describe(job.opened, job.chosen), *lines_of(cost)]


def explain(request: Request, console: Console) -> int:
    """
    Run an explaining command and return its exit code: 0, 1 or 4.

    Raises
    ------
    XplainError
        Nothing could be explained: usage, a refused file, a clash of runs.
    """
    from threadpoolctl import threadpool_limits

    if request.dry_run:
        for text in preview(request, console):
            console.line(text)
        return 0
    with threadpool_limits(limits=1), contextlib.ExitStack() as held:
        course = Course(time.perf_counter())
        job = within_budget(prepare(request, console))
        for note in job.notes:
            console.note(note)
        course.lap("open")
        run = _open_run(job, held)
        try:
            if run.temporary:
                return _run_to_stdout(job, run)
            return _run_to_files(job, run, course)
        except XplainError:
            run.abandon()
            raise
        except (KeyboardInterrupt, SystemExit):
            if not run.temporary:
                console.warn(f"{run.place.name} is unfinished; the same command continues it")
            raise
        finally:
            run.close()
