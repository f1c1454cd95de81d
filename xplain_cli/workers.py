"""How chunks are spread: serially, over threads or over processes; never changing a number."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import RefusedError
from xplain_cli.explainer import Assignment, explain_chunk
from xplain_cli.explanation import Records
from xplain_cli.modalities import Piece

_JOBLIB = {"threads": "threading", "loky": "loky"}
_SMALL_SECONDS = 5.0


@dataclass(frozen=True)
class Spread:
    """
    How work is spread.

    Attributes
    ----------
    backend
        "auto", "serial", "threads" or "loky".
    jobs
        Workers at once.
    opening_seconds
        How long it took to import and open everything here: a worker process takes as long.
    """

    backend: str
    jobs: int
    opening_seconds: float


def _explain(assignment: Assignment, task: Piece) -> tuple[Piece, Records]:
    return task, explain_chunk(assignment, task.batch, task.rows)


def _serial(assignment: Assignment, tasks: Iterable[Piece]) -> Iterator[tuple[Piece, Records]]:
    for task in tasks:
        yield _explain(assignment, task)


def _parallel(
    assignment: Assignment, tasks: Iterator[Piece], jobs: int, backend: str
) -> Iterator[tuple[Piece, Records]]:
    """Send waves of chunks to joblib: its own generator would read far ahead of a slow writer."""
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    settings: dict[str, Any] = {"inner_max_num_threads": 1} if backend == "loky" else {}
    with (
        joblib.parallel_config(backend=_JOBLIB[backend], n_jobs=jobs, **settings),
        joblib.Parallel(return_as="generator") as pool,
    ):
        work = joblib.delayed(_explain)
        while wave := list(itertools.islice(tasks, 2 * jobs)):
            try:
                yield from pool(work(assignment, task) for task in wave)
            except TerminatedWorkerError as error:
                rows = f"rows {wave[0].start} to {wave[-1].stop - 1}"
                raise RefusedError(
                    f"a worker process died among {rows}, likely out of memory or killed; finished"
                    " chunks are kept: the same command continues, with fewer --jobs if need be"
                ) from error


def stop_workers() -> None:
    """End worker processes at once: nothing may outlive an interrupted run."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(max_workers=1, reuse=True).shutdown(wait=False, kill_workers=True)


def explain_all(
    assignment: Assignment,
    tasks: Iterator[Piece],
    spread: Spread,
    total: int,
    chosen: Callable[[str], None],
) -> Iterator[tuple[Piece, Records]]:
    """
    Explain chunks and return them in order.

    ``auto`` explains the first chunk here and stays here while the rest would take less than 5 s
    or less than twice what starting a worker takes.

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
    if backend == "serial" or spread.jobs == 1:
        yield from _serial(assignment, tasks)
        return
    finished = False
    try:
        yield from _parallel(assignment, tasks, spread.jobs, backend)
        finished = True
    finally:
        if backend == "loky" and not finished:
            stop_workers()
