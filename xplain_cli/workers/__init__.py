"""Spreads chunks over workers: a room, its threads, several, a cluster; no number depends on it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from xplain_cli.modalities import Piece
from xplain_cli.workers.worker_pool import ChunkResult, Crew, WorkerPool

_SMALL_SECONDS = 5.0


@dataclass(frozen=True)
class Parallelism:
    """
    How work is spread.

    Attributes
    ----------
    backend
        "auto", "serial", "threads", "loky" or "dask".
    jobs
        Workers at once.
    opening_seconds
        How long it took to import and open everything here: a worker process takes as long.
    row_timeout
        Seconds that a model call may take; None for any: workers then may die from the first row.
    scheduler
        The address of a Dask scheduler.
    resumed
        Whether an earlier process ended in the midst of this run, perhaps by a row of it.
    """

    backend: str
    jobs: int
    opening_seconds: float
    row_timeout: float | None = None
    scheduler: str = ""
    resumed: bool = False


def _shared(crew: Crew, jobs: int, tasks: Iterator[Piece]) -> Iterator[ChunkResult]:
    pool = WorkerPool(crew, jobs)
    try:
        yield from pool.explain(tasks)
    finally:
        pool.stop()


def _wherever(
    crew: Crew,
    tasks: Iterator[Piece],
    spread: Parallelism,
    total: int,
    chosen: Callable[[str], None],
) -> Iterator[ChunkResult]:
    """Explain the first chunk in the room that is open, and the rest where it is worth it."""
    task = next(tasks, None)
    if task is None:
        return
    rows = task.stop - task.start
    if spread.jobs < 2 or rows >= total:
        chosen("serial")
        yield from _shared(crew, 1, itertools.chain([task], tasks))
        return
    pool = WorkerPool(crew, 1)
    try:
        patience = max(_SMALL_SECONDS, 2 * spread.opening_seconds) * rows / (total - rows)
        quick = pool.is_quick(task, patience)
        chosen("serial" if quick else "loky")
        pool.grow(1 if quick else spread.jobs)  # workers begin before the first chunk is done
        yield from pool.explain(tasks)
    finally:
        pool.stop()


def explain_all(
    crew: Crew,
    tasks: Iterator[Piece],
    spread: Parallelism,
    total: int,
    chosen: Callable[[str], None],
) -> Iterator[ChunkResult]:
    """
    Explain chunks and return them in order.

    All of it is done in rooms (see ``rooms``): ``serial`` in one, ``threads`` on several threads of
    one, ``loky`` in several. ``auto`` explains the first chunk in one. Once that has taken so long
    that the rest would take more than 5 s, and more than twice what starting a worker takes,
    others begin with the rest; if it never does, the rest stays there. A run that was cut off, and
    one whose rows have a time limit, has several from its first row on.

    Parameters
    ----------
    crew
        What to do, and the rooms to do it in.
    tasks
        The chunks, in order.
    spread
        The backend and the number of workers asked for.
    total
        Rows of all tasks together.
    chosen
        Told the backend that is used.
    """
    backend = spread.backend
    if backend == "auto" and (spread.resumed or spread.row_timeout is not None):
        backend = "loky"
    if backend == "auto":
        yield from _wherever(crew, tasks, spread, total, chosen)
        return
    chosen(backend)
    if backend == "dask":
        from xplain_cli.workers.dask import explain_on_cluster

        yield from explain_on_cluster(crew, tasks, spread.scheduler)
    elif backend == "threads":
        yield from _shared(replace(crew, threads=spread.jobs), 1, tasks)
    else:
        yield from _shared(crew, spread.jobs if backend == "loky" else 1, tasks)
