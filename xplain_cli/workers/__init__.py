"""Spreads chunks over workers: here, threads, processes, a cluster; no number depends on it."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from xplain_cli.engine.chunk import explain_chunk
from xplain_cli.engine.explainer import Assignment
from xplain_cli.modalities import Piece
from xplain_cli.workers.dask import explain_on_cluster
from xplain_cli.workers.loky import ChunkResult, WorkerPool

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
        Seconds that a model call may take; None for any.
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


def _explain(assignment: Assignment, task: Piece) -> ChunkResult:
    return ChunkResult(task, *explain_chunk(assignment, task.batch, task.rows))


def _serial(assignment: Assignment, tasks: Iterable[Piece]) -> Iterator[ChunkResult]:
    for task in tasks:
        yield _explain(assignment, task)


def _threads(assignment: Assignment, tasks: Iterator[Piece], jobs: int) -> Iterator[ChunkResult]:
    """Send waves of chunks to joblib: its own generator would read far ahead of a slow writer."""
    import joblib

    with (
        joblib.parallel_config(backend="threading", n_jobs=jobs),
        joblib.Parallel(return_as="generator") as pool,
    ):
        work = joblib.delayed(_explain)
        while wave := list(itertools.islice(tasks, 2 * jobs)):
            yield from pool(work(assignment, task) for task in wave)


def _processes(
    assignment: Assignment, tasks: Iterator[Piece], spread: Parallelism
) -> Generator[ChunkResult, None, None]:
    crew = WorkerPool(assignment, spread.jobs, spread.row_timeout)
    try:
        yield from crew.explain(tasks)
    finally:
        crew.stop()


class _OwnChunk(threading.Thread):
    """A chunk that is explained here, aside."""

    def __init__(self, assignment: Assignment, task: Piece) -> None:
        super().__init__(daemon=True)
        self._assignment, self._task = assignment, task
        self._found: ChunkResult | BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._found = _explain(self._assignment, self._task)
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._found = error

    def result(self) -> ChunkResult:
        """Wait for it."""
        self.join()
        if not isinstance(self._found, ChunkResult):
            raise self._found or RuntimeError("a thread ended without a word")
        return self._found


def _wherever(
    assignment: Assignment,
    tasks: Iterator[Piece],
    spread: Parallelism,
    total: int,
    chosen: Callable[[str], None],
) -> Iterator[ChunkResult]:
    """Explain the first chunk here, and the rest where it is worth it."""
    task = next(tasks, None)
    if task is None:
        return
    rows = task.stop - task.start
    if spread.jobs < 2 or rows >= total:
        chosen("serial")
        yield from _serial(assignment, itertools.chain([task], tasks))
        return
    first = _OwnChunk(assignment, task)
    first.join(max(_SMALL_SECONDS, 2 * spread.opening_seconds) * rows / (total - rows))
    if not first.is_alive():
        chosen("serial")
        yield first.result()
        yield from _serial(assignment, tasks)
        return
    chosen("loky")
    with contextlib.closing(_processes(assignment, tasks, spread)) as rest:
        second = next(rest)  # workers begin before the first chunk is done
        yield first.result()
        yield second
        yield from rest


def explain_all(
    assignment: Assignment,
    tasks: Iterator[Piece],
    spread: Parallelism,
    total: int,
    chosen: Callable[[str], None],
) -> Iterator[ChunkResult]:
    """
    Explain chunks and return them in order.

    ``auto`` explains the first chunk here. Once that has taken so long that the rest would take
    more than 5 s, and more than twice what starting a worker takes, workers begin with the rest;
    if it never does, the rest stays here. A run that was cut off, and one whose rows have a time
    limit, goes to processes from its first row on: they may die, and it goes on.

    Parameters
    ----------
    assignment
        What to do.
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
        yield from _wherever(assignment, tasks, spread, total, chosen)
        return
    chosen(backend)
    if backend == "dask":
        yield from explain_on_cluster(assignment, tasks, spread.scheduler)
    elif backend == "loky":
        yield from _processes(assignment, tasks, spread)
    elif backend == "threads" and spread.jobs > 1:
        yield from _threads(assignment, tasks, spread.jobs)
    else:
        yield from _serial(assignment, tasks)
