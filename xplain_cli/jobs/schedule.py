"""Sends the chunks of a run that are missing to workers, and keeps their parts."""

from collections.abc import Iterator, Sequence
from typing import Any

from xplain_cli.engine.chunk import open_explainer
from xplain_cli.engine.explainer import Assignment
from xplain_cli.engine.pool import find_pool, make_pool
from xplain_cli.errors import FailedRowsError
from xplain_cli.explanation import Records
from xplain_cli.jobs.manifest import Course
from xplain_cli.modalities import Piece
from xplain_cli.planning.prepare import Job, assign
from xplain_cli.runs.folder import Run
from xplain_cli.targets import used_outputs
from xplain_cli.workers import Parallelism, explain_all

_FIRST_ROWS = 16  # chunks of a row or two must not stop a run for one bad row


def share_pool(job: Job, run: Run) -> tuple[dict[str, Any], Assignment]:
    """Make the shared pool, or take the one that an interrupted run left."""
    facts: dict[str, Any] = {}
    folder = None
    perturbation = job.chosen.perturbation
    if job.chosen.method.pooled and perturbation.draws is not None:
        folder = run.pool_path("shared")
        kept = used_outputs(job.chosen.target, len(job.opened.signature.outputs))
        facts = find_pool(folder) or make_pool(
            folder, perturbation.draws, job.opened.model, job.chosen.budget, kept
        )
    assignment = assign(job, folder, run.secret() if perturbation.traits.needs_secret else "")
    open_explainer(assignment, job.opened.model)  # this process need not load it again
    return facts, assignment


def _tasks(job: Job, run: Run, rows: Sequence[int] | None) -> Iterator[Piece]:
    """Read the chunks that have no part yet; or some *rows*, each by itself."""
    opened = job.opened
    if rows is not None:
        for row in rows:
            yield from opened.modality.pieces(1, row, row + 1)
        return
    for piece in opened.modality.pieces(run.chunk_rows, opened.start, opened.stop):
        if (piece.start, piece.stop) not in run.done:
            yield piece


def spread_of(job: Job, run: Run) -> Parallelism:
    """Return over what the work of a run is spread."""
    import joblib

    request = job.request
    jobs = request.workers.jobs or joblib.cpu_count()
    resumed = run.state == "resumed"
    return Parallelism(
        backend=request.workers.backend,
        jobs=jobs,
        opening_seconds=job.opening_seconds,
        row_timeout=request.workers.row_timeout,
        scheduler=request.workers.scheduler or "",
        resumed=resumed,
    )


def explain_rows(
    job: Job,
    run: Run,
    assignment: Assignment,
    course: Course,
    rows: Sequence[int] | None = None,
) -> Iterator[Records]:
    """
    Explain what is missing, keep each part; first rows that all fail stop the run.

    Parameters
    ----------
    rows
        Numbers in DATA of the only rows that are explained; None: all of the run.
    """
    total = job.opened.stop - job.opened.start if rows is None else len(rows)
    done = sum(stop - start for start, stop in run.done)
    lost = 0 if not run.done else None  # rows failed before any was explained
    with job.console.progress(total) as progress:
        progress.skip(done)
        tasks = course.timed("read", _tasks(job, run, rows))
        for found in explain_all(
            assignment, tasks, spread_of(job, run), total - done, course.chose
        ):
            task, records = found.task, found.records
            course.spent(found.effort)
            failed = records.stability["status"].eq("failed")
            lost = lost + len(failed) if lost is not None and failed.all() else None
            if lost is not None and lost >= min(_FIRST_ROWS, total) and job.tolerated < total:
                raise FailedRowsError(
                    f"all of the first {lost} rows failed: {records.stability['error'].iloc[0]}"
                )
            with course.during("write"):
                run.write_part(task.start, task.stop, records)
            progress.advance(task.stop - task.start, found.effort.model_inputs)
            yield records
