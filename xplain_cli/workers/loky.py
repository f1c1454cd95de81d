"""Worker processes that may die: their chunk is tried again, then row by row, and the job goes on.

Each worker is a loky executor of one process, so that a death points at what that process was
doing, and nothing else is lost. A model call that takes too long ends its process by SIGALRM,
which needs no help from the model's own code.
"""

import contextlib
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

from xplain_cli.engine.chunk import Effort, explain_chunk
from xplain_cli.engine.explainer import Assignment
from xplain_cli.errors import RefusedError
from xplain_cli.explanation import Records, Rows, join_records
from xplain_cli.modalities import Piece
from xplain_cli.models.batches import limit_calls, take
from xplain_cli.workers.processes import start

_TRIES = 2
_AHEAD = 2  # chunks that wait in each worker, so that it need not wait for this process
_WINDOW = 4  # chunks in hand for each worker
_HOPELESS = 8  # deaths before anything was explained
_EXIT_CODE = re.compile(r"(SIG[A-Z]+|EXIT)\((-?\d+)\)")

_HERE: list[Assignment] = []


@dataclass(frozen=True)
class ChunkResult:
    """A chunk that is explained."""

    task: Piece
    records: Records
    effort: Effort


def _begin(assignment: Assignment, row_timeout: float | None) -> None:
    """Set a worker process up."""
    _HERE[:] = [assignment]
    limit_calls(row_timeout)


def _explain(task: Piece) -> tuple[Records, Effort]:
    return explain_chunk(_HERE[0], task.batch, task.rows)


def one_row(task: Piece, i: int) -> Piece:
    """Return one row of a chunk as a chunk."""
    rows = task.rows
    unread = {0: rows.unread[i]} if i in rows.unread else {}
    kept = rows.kept.iloc[i : i + 1].reset_index(drop=True)
    return Piece(take(task.batch, [i]), Rows(rows.start + i, rows.ids[i : i + 1], kept, unread))


def lost_row(task: Piece, reason: str) -> Piece:
    """Return a chunk of one row as one that cannot be read."""
    rows = task.rows
    return Piece(task.batch, Rows(rows.start, rows.ids, rows.kept, {0: reason}))


class _Worker:
    """One process, started when it is first needed and again after it died."""

    def __init__(self, *settings: Any) -> None:
        self._settings = settings
        self._executor: Any = None
        self.held: deque[_Work] = deque()

    def submit(self, task: Piece) -> "Future[tuple[Records, Effort]]":
        if self._executor is None:
            self._executor = start(1, _begin, *self._settings)
        found: Future[tuple[Records, Effort]] = self._executor.submit(_explain, task)
        return found

    def stop(self) -> None:
        """End the process at once, whatever it is doing."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None


@dataclass(eq=False)
class _Work:
    """A chunk in hand."""

    task: Piece
    tries: int = 0
    future: "Future[tuple[Records, Effort]]" = field(default_factory=Future)


class WorkerPool:
    """
    Worker processes for one run.

    Parameters
    ----------
    assignment
        What to do; sent once to each process.
    jobs
        Processes at once.
    row_timeout
        Seconds that a model call may take; None for any.
    """

    def __init__(self, assignment: Assignment, jobs: int, row_timeout: float | None) -> None:
        self._assignment = assignment
        self._row_timeout = row_timeout
        self._workers = [_Worker(assignment, row_timeout) for _ in range(jobs)]
        self._deaths = 0
        self._explained = False

    def _reason(self, error: Exception) -> str:
        """Return why a row has no explanation whose worker died of it."""
        code = _EXIT_CODE.search(str(error))
        if code and code[1] == "SIGALRM":
            return f"a model call took more than {self._row_timeout:g} s (--row-timeout)"
        said = f"exit {code[1]} {code[2]}" if code else "it gave no exit code"
        likely = ", likely out of memory" if code and code[1] == "SIGKILL" else ""
        return f"the worker process died of this row ({said}{likely})"

    def _died(self, error: Exception) -> None:
        self._deaths += 1
        if not self._explained and self._deaths >= _HOPELESS:
            raise RefusedError(
                f"worker processes died {self._deaths} times before one row was explained:"
                f" {self._reason(error)}; take fewer --jobs if memory is short, a larger"
                " --row-timeout if one was asked for, or --backend serial to see the cause"
            ) from error

    def _alone(self, worker: _Worker, task: Piece) -> tuple[Records, Effort]:
        """Explain a chunk of one row; a row that its process dies of is a failed record."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        try:
            found = worker.submit(task).result()
        except BrokenProcessPool as error:
            worker.stop()
            self._died(error)
            lost = lost_row(task, self._reason(error))
            return explain_chunk(self._assignment, lost.batch, lost.rows)
        self._explained = True
        return found

    def _rescue(self, worker: _Worker, work: _Work) -> None:
        """Explain a chunk row by row; meanwhile the other workers get nothing new."""
        rows = range(len(work.task.rows.ids))
        found = [self._alone(worker, one_row(work.task, i)) for i in rows]
        work.future = Future()
        effort = sum((effort for _, effort in found), Effort())
        work.future.set_result((join_records([records for records, _ in found]), effort))

    def _replace(self, worker: _Worker, error: Exception) -> None:
        """Start a worker again that died, with what it held; the first of it was the cause."""
        self._died(error)
        worker.stop()
        lost = [work for work in worker.held if _is_lost(work)]
        lost[0].tries += 1
        if lost[0].tries >= _TRIES:
            self._rescue(worker, lost.pop(0))
        for work in lost:
            work.future = worker.submit(work.task)

    def _settle(self, worker: _Worker) -> None:
        """Take what a worker has finished from its hands."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        while worker.held and worker.held[0].future.done():
            error = worker.held[0].future.exception()
            if isinstance(error, BrokenProcessPool):
                self._replace(worker, error)
                continue
            if error is not None:
                raise error
            self._explained = True
            worker.held.popleft()

    def _fill(self, tasks: Iterator[Piece], order: deque[_Work]) -> None:
        """Hand out chunks, one to each worker in turn, as far ahead as is useful."""
        for _ in range(_AHEAD):
            for worker in self._workers:
                if len(worker.held) >= _AHEAD or len(order) >= _WINDOW * len(self._workers):
                    continue
                task = next(tasks, None)
                if task is None:
                    return
                work = _Work(task)
                work.future = worker.submit(task)
                worker.held.append(work)
                order.append(work)

    def explain(self, tasks: Iterator[Piece]) -> Iterator[ChunkResult]:
        """Explain chunks and yield them in order; what the caller does meanwhile stops nobody."""
        order: deque[_Work] = deque()
        while True:
            self._fill(tasks, order)
            if not order:
                return
            wait(
                [work.future for worker in self._workers for work in worker.held],
                return_when=FIRST_COMPLETED,
            )
            for worker in self._workers:
                self._settle(worker)
            self._fill(tasks, order)
            held = {id(work) for worker in self._workers for work in worker.held}
            while order and id(order[0]) not in held:
                done = order.popleft()
                yield ChunkResult(done.task, *done.future.result())

    def stop(self) -> None:
        """End all processes at once: nothing may outlive a run."""
        for worker in self._workers:
            with contextlib.suppress(Exception):  # every one of them must be told
                worker.stop()


def _is_lost(work: _Work) -> bool:
    """Say whether a chunk has no result: what was finished before a death is kept."""
    return not (work.future.done() and work.future.exception() is None)
