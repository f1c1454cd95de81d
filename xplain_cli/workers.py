"""How chunks are spread: here, over threads, processes, a cluster; never changing a number."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from xplain_cli.chunks import explain_chunk
from xplain_cli.cluster import explain_on_cluster
from xplain_cli.crew import Crew, Done
from xplain_cli.explainer import Assignment
from xplain_cli.modalities import Piece

_SMALL_SECONDS = 5.0


@dataclass(frozen=True)
class Spread:
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
    wary
        Whether an earlier process ended in the midst of this run, perhaps by a row of it.
    """

    backend: str
    jobs: int
    opening_seconds: float
    row_timeout: float | None = None
    scheduler: str = ""
    wary: bool = False


def _explain(assignment: Assignment, task: Piece) -> Done:
    return Done(task, *explain_chunk(assignment, task.batch, task.rows))


def _serial(assignment: Assignment, tasks: Iterable[Piece]) -> Iterator[Done]:
    for task in tasks:
        yield _explain(assignment, task)


def _threads(assignment: Assignment, tasks: Iterator[Piece], jobs: int) -> Iterator[Done]:
    """Send waves of chunks to joblib: its own generator would read far ahead of a slow writer."""
    import joblib

    with (
        joblib.parallel_config(backend="threading", n_jobs=jobs),
        joblib.Parallel(return_as="generator") as pool,
    ):
        work = joblib.delayed(_explain)
        while wave := list(itertools.islice(tasks, 2 * jobs)):
            yield from pool(work(assignment, task) for task in wave)


def _processes(assignment: Assignment, tasks: Iterator[Piece], spread: Spread) -> Iterator[Done]:
    crew = Crew(assignment, spread.jobs, spread.row_timeout)
    try:
        yield from crew.explain(tasks)
    finally:
        crew.stop()


def explain_all(
    assignment: Assignment,
    tasks: Iterator[Piece],
    spread: Spread,
    total: int,
    chosen: Callable[[str], None],
) -> Iterator[Done]:
    """
    Explain chunks and return them in order.

    ``auto`` explains the first chunk here and stays here while the rest would take less than 5 s
    or less than twice what starting a worker takes. A run that was cut off, and one whose rows
    have a time limit, goes to processes from its first row on: they may die, and it goes on.

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
    if backend == "auto" and (spread.wary or spread.row_timeout is not None):
        backend = "loky"
    if backend == "auto":
        first = next(tasks, None)
        if first is None:
            return
        began = time.perf_counter()
        explained = _explain(assignment, first)
        rows = first.stop - first.start
        rest = (time.perf_counter() - began) * (total - rows) / rows
        yield explained
        worth = rest > max(_SMALL_SECONDS, 2 * spread.opening_seconds)
        backend = "loky" if worth and spread.jobs > 1 else "serial"
    chosen(backend)
    if backend == "dask":
        yield from explain_on_cluster(assignment, tasks, spread.scheduler)
    elif backend == "loky":
        yield from _processes(assignment, tasks, spread)
    elif backend == "threads" and spread.jobs > 1:
        yield from _threads(assignment, tasks, spread.jobs)
    else:
        yield from _serial(assignment, tasks)
