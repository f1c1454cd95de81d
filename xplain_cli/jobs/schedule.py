"""Sends the chunks of a run that are missing to workers, and keeps their parts."""

import contextlib
import gc
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from xplain_cli.baselines import BASELINES
from xplain_cli.engine.pool import find_pool, make_pool
from xplain_cli.errors import FailedRowsError, counted
from xplain_cli.jobs.manifest import Course
from xplain_cli.methods import METHODS
from xplain_cli.modalities import Piece, import_modality
from xplain_cli.models import open_models_by
from xplain_cli.models.user_code import run_user_code_by
from xplain_cli.options.project import names_code
from xplain_cli.options.request import Request
from xplain_cli.options.runs import Sandbox, Trust
from xplain_cli.planning.prepare import Job, assign
from xplain_cli.remote import is_remote, spool
from xplain_cli.runs.folder import Run
from xplain_cli.targets import used_outputs
from xplain_cli.workers import Parallelism, explain_all
from xplain_cli.workers.room_models import load_in, run_in
from xplain_cli.workers.rooms import Rooms, Walls, open_rooms
from xplain_cli.workers.worker_pool import ChunkResult, Crew, added_pools, with_pool

_COLLECT_AFTER = (700, 10, 10)  # as Python begins, which `main` puts off for the imports
_FIRST_ROWS = 16  # chunks of a row or two must not stop a run for one bad row


def walls_of(sandbox: Sandbox, trust: Trust, *sources: str | None) -> Walls:
    """Return what rooms may do that hold some models (None: there is none)."""
    return Walls(
        confine=sandbox.confine,
        sources=tuple(source for source in sources if source),
        trusted=trust.trust_model or bool(trust.trusted),
        python_path=trust.python_path,
        readable=sandbox.allow_read,
        writable=sandbox.allow_write,
        network=sandbox.allow_net,
        environment=sandbox.allow_env,
        open_seconds=sandbox.open_timeout,
    )


def _inputs(request: Request) -> tuple[str, ...]:
    """Return where rows and what they are split by lie, as far as rooms may have to read it."""
    segmenter = request.segmentation.segmenter
    maps = [segmenter.removeprefix("file=")] if segmenter.startswith("file=") else []
    named = [*request.sources.data, request.references.background, *maps]
    here = [name for name in named if name not in {None, "-"} and not is_remote(str(name))]
    everything = (request.sources.model, *map(str, named))
    return (*map(str, here), *([str(spool())] if any(map(is_remote, everything)) else []))


@cache
def _keep_imports() -> None:
    """Look for garbage again from now on, but not in what stays, whose memory rooms share."""
    if gc.get_threshold()[0] > _COLLECT_AFTER[0]:  # `main` has put it off
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)


def _import_parts(request: Request) -> None:
    """Import what a job will use: once, and not again in every room."""
    import_modality(request.modality)
    for package in ("joblib", "scipy.stats"):
        importlib.import_module(package)
    method, baseline = request.method.partition(":")[0], request.first_baseline
    for shelf in METHODS.values():
        shelf.get(method)
    if baseline is not None:
        BASELINES[request.modality].get(re.split("[:=]", baseline)[0])
    _keep_imports()


@contextlib.contextmanager
def rooms_for(request: Request) -> Iterator[Rooms]:
    """Hold the rooms of a job: meanwhile every model is opened in them, and none here."""
    model, judge = request.sources.model, request.references.judge
    walls = replace(
        walls_of(request.sandbox, request.trust, model, judge),
        inputs=_inputs(request),
        call_seconds=request.workers.row_timeout,
        silent=not request.shows_values,
    )
    _import_parts(request)
    if names_code(request.texts.unit):  # its code is imported in the rooms
        walls = replace(walls, trusted=True)
    with (
        open_rooms(walls) as rooms,
        open_models_by(partial(load_in, rooms)),
        run_user_code_by(partial(run_in, rooms)),
    ):
        yield rooms


def share_pool(job: Job, run: Run, rooms: Rooms) -> tuple[dict[str, Any], Crew]:
    """Make the shared pool, or take the one that an interrupted run left; return who explains."""
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
    return facts, Crew(with_pool(assignment, rooms), rooms, job.opened.model)


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
    crew: Crew,
    course: Course,
    rows: Sequence[int] | None = None,
) -> Iterator[ChunkResult]:
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
        for found in explain_all(crew, tasks, spread_of(job, run), total - done, course.chose):
            task = found.task
            course.spent(found.effort)
            all_failed = found.failed == found.lines
            lost = lost + found.failed if lost is not None and all_failed else None
            if lost is not None and lost >= min(_FIRST_ROWS, total) and job.tolerated < total:
                raise FailedRowsError(f"all of the first {counted(lost)} failed: {found.reason}")
            with course.during("write"):
                run.keep_part(task.start, task.stop, found.part)
                if job.chosen.budget.goal is not None:
                    added_pools(crew.rooms, run.pool_path("shared").parent)
            progress.advance(task.stop - task.start, found.effort.model_inputs)
            yield found
