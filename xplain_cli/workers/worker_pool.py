"""Workers that may die: their chunk is tried again, then row by row, and the job goes on.

A worker is a room (see ``rooms``), so that a death points at what that room was doing, and nothing
else is lost. A model call that takes too long ends its room by SIGALRM, which needs no help from
the model's own code; what other threads of that room were at is asked again with the rest.
"""

import contextlib
import itertools
import re
import shutil
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from xplain_cli.engine.chunk import Effort
from xplain_cli.engine.explainer import Assignment
from xplain_cli.engine.pool import find_pool
from xplain_cli.errors import ModelDiedError, RefusedError
from xplain_cli.explanation import (
    STABILITY_COLUMNS,
    WEIGHT_COLUMNS,
    Records,
    Rows,
    join_records,
)
from xplain_cli.modalities import Piece
from xplain_cli.models import Model
from xplain_cli.models.batches import take
from xplain_cli.runs.parts import pack, unpack
from xplain_cli.workers.room_models import place_of, too_slow
from xplain_cli.workers.rooms import Room, Rooms

_TRIES = 2
_AHEAD = 2  # chunks that wait in each worker, so that it need not wait for this process
_WINDOW = 4  # chunks in hand for each worker
_HOPELESS = 8  # deaths before anything was explained
_EXIT = re.compile(r"\((exit (SIG[A-Z]+|EXIT) .*)\)")


@dataclass(frozen=True)
class ChunkResult:
    """
    A chunk that is explained.

    Attributes
    ----------
    part
        The bytes of its part.
    failed, lines
        How many of its lines of stability.csv say that a row failed, and how many there are.
    reason
        Why the first of them failed.
    """

    task: Piece
    part: bytes
    effort: Effort
    failed: int
    lines: int
    reason: str

    def records(self, identity: str) -> Records:
        """Return what the part of a plan says."""
        return unpack(self.part, identity)


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


def _result_of(data: bytes, task: Piece, assignment: Assignment, effort: Effort) -> ChunkResult:
    """Return a chunk as a room explained it; ValueError where its bytes are no part of it."""
    records = unpack(data, assignment.identity, codes=True)
    labels, kept = assignment.labels, tuple(map(str, task.rows.kept.columns))
    for frame, own in (
        (records.stability, (*STABILITY_COLUMNS, *labels.stability_columns)),
        (records.weights, (*WEIGHT_COLUMNS, *labels.weight_columns)),
    ):
        if sorted(map(str, frame.columns)) != sorted((*own, *kept)):
            raise ValueError("other columns were asked")
    stability = records.stability.iloc[:, : len(STABILITY_COLUMNS)]
    lines = stability["row"].to_numpy(dtype=np.int64)
    rows = lines[np.diff(lines, prepend=-1) != 0]
    if not np.array_equal(rows, np.arange(task.start, task.stop)):
        raise ValueError(f"rows {task.start}:{task.stop} were asked")
    ids = [str(task.rows.ids[row - task.start]) for row in lines.tolist()]
    said = [list(map(str, stability[name].tolist())) for name in ("row_id", "run_id")]
    if said != [ids, [labels.run_id] * len(lines)]:
        raise ValueError("lines are of other rows, or of another run")
    counts = records.lines
    if counts.shape != lines.shape or counts.min(initial=0) < 0:
        raise ValueError("lines of weights are not counted")
    if counts.sum() != len(records.weights):
        raise ValueError("lines of weights are missing, or too many")
    failed = np.flatnonzero(stability["status"].eq("failed").to_numpy())
    reason = str(stability["error"].iloc[int(failed[0])]) if len(failed) else ""
    return ChunkResult(task, data, effort, len(failed), len(lines), reason)


def put_together(task: Piece, found: Sequence[ChunkResult], identity: str) -> ChunkResult:
    """Return a chunk whose rows were explained one by one."""
    records = join_records([one.records(identity) for one in found])
    failed = [one for one in found if one.failed]
    return ChunkResult(
        task,
        pack(records, identity),
        sum((one.effort for one in found), Effort()),
        sum(one.failed for one in found),
        sum(one.lines for one in found),
        failed[0].reason if failed else "",
    )


@dataclass(frozen=True)
class Crew:
    """
    What the workers of one run have in common.

    Attributes
    ----------
    assignment
        What to do; sent once to each room.
    rooms
        Where workers come from.
    model
        The model, if it is open in a room already: its first worker is that room.
    threads
        Chunks that a worker explains at the same time.
    """

    assignment: Assignment
    rooms: Rooms
    model: Model | None = None
    threads: int = 1

    @property
    def call_seconds(self) -> float | None:
        """Seconds that a model call may take; None for any."""
        return self.rooms.walls.call_seconds


def with_pool(assignment: Assignment, rooms: Rooms) -> Assignment:
    """Return the assignment with a copy of the shared pool that rooms may read and add to."""
    if assignment.pool_folder is None:
        return assignment
    source, target = Path(assignment.pool_folder), rooms.folder / "pool"
    target.mkdir(exist_ok=True)
    for held in sorted(source.parent.iterdir()):
        if held.is_dir() and held.name.startswith(source.name):
            shutil.copytree(held, target / held.name, dirs_exist_ok=True)
    return replace(assignment, pool_folder=str(target / source.name))


def added_pools(rooms: Rooms, kept: Path) -> None:
    """Copy what rooms added to the shared pool to where the run keeps it, if it is whole."""
    for added in (rooms.folder / "pool").glob("shared-*"):
        files = list(added.iterdir()) if added.is_dir() and not added.is_symlink() else []
        plain = bool(files) and all(stat.S_ISREG(file.lstat().st_mode) for file in files)
        target = kept / added.name
        if plain and find_pool(target) is None and find_pool(added) is not None:
            shutil.copytree(added, target, dirs_exist_ok=True)


class _Worker:
    """One room, started when it is first needed and again after it died."""

    def __init__(self, crew: Crew, place: tuple[Room, int] | None) -> None:
        self._crew = crew
        self._place = place
        self._room: Room | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="room")
        self._stopped = False
        self.held: deque[_Work] = deque()

    def _ready(self) -> Room:
        """Return a room that has taken the run on."""
        if self._room is not None and self._room.is_alive:
            return self._room
        if self._stopped:
            raise RefusedError("the workers were stopped")
        crew, place = self._crew, self._place
        self._place = None
        if place is not None and place[0].is_alive:
            room, number = place[0], place[1]
        else:
            room, number = crew.rooms.start(), None
        self._room = room
        seconds = crew.rooms.walls.open_seconds
        room.ask("begin", crew.assignment, number, crew.call_seconds, limit=seconds)
        return room

    def _explain(self, tasks: Sequence[Piece]) -> list[ChunkResult]:
        room, assignment = self._ready(), self._crew.assignment
        answers = room.ask("explain", list(tasks), self._crew.threads)
        try:
            return [
                _result_of(data, task, assignment, effort)
                for task, (data, effort) in zip(tasks, answers, strict=True)
            ]
        except Exception as error:  # whatever bytes may lead to that anybody may have made
            raise room.spoiled() from error

    def submit(self, tasks: Sequence[Piece]) -> "Future[list[ChunkResult]]":
        """Explain some chunks, after those that wait already."""
        return self._thread.submit(self._explain, tasks)

    def stop(self) -> None:
        """End the room at once, whatever it is doing."""
        self._stopped = True
        if self._room is not None:
            self._room.end()
        self._thread.shutdown(wait=True, cancel_futures=True)


@dataclass(eq=False)
class _Work:
    """Chunks in hand."""

    tasks: list[Piece]
    tries: int = 0
    future: "Future[list[ChunkResult]]" = field(default_factory=Future)


class WorkerPool:
    """
    Workers for one run.

    Parameters
    ----------
    crew
        What they have in common.
    jobs
        Rooms at once.
    """

    def __init__(self, crew: Crew, jobs: int) -> None:
        self._crew = crew
        place = None if crew.model is None else place_of(crew.model)
        self._workers = [_Worker(crew, None if i else place) for i in range(jobs)]
        self._order: deque[_Work] = deque()
        self._deaths = 0
        self._explained = False

    def grow(self, jobs: int) -> None:
        """Have as many workers from now on."""
        while len(self._workers) < jobs:
            self._workers.append(_Worker(self._crew, None))

    def _reason(self, error: ModelDiedError) -> str:
        """Return why a row has no explanation whose worker died of it."""
        code = _EXIT.search(error.reason)
        if code is None:
            return f"the process of the model {error.reason} on this row"
        if code[2] == "SIGALRM" and self._crew.call_seconds is not None:
            return too_slow(self._crew.call_seconds)
        return f"the worker process died of this row ({code[1]})"

    def _died(self, error: ModelDiedError) -> None:
        self._deaths += 1
        if not self._explained and self._deaths >= _HOPELESS:
            raise RefusedError(
                f"worker processes died {self._deaths} times before one row was explained:"
                f" {self._reason(error)}; take fewer --jobs if memory is short, or a larger"
                " --row-timeout if one was asked for"
            ) from error

    def _alone(self, worker: _Worker, task: Piece) -> ChunkResult:
        """Explain a chunk of one row; a row that its room dies of is a failed record."""
        try:
            (found,) = worker.submit([task]).result()
        except ModelDiedError as error:
            self._died(error)
            (found,) = worker.submit([lost_row(task, self._reason(error))]).result()
            return found
        self._explained = True
        return found

    def _rescue(self, worker: _Worker, work: _Work) -> None:
        """Explain chunks row by row; meanwhile the other workers get nothing new."""
        results = []
        for task in work.tasks:
            found = [self._alone(worker, one_row(task, i)) for i in range(len(task.rows.ids))]
            results.append(put_together(task, found, self._crew.assignment.identity))
        work.future = Future()
        work.future.set_result(results)

    def _settle(self, worker: _Worker) -> None:
        """Take what a worker has finished from its hands."""
        while worker.held and worker.held[0].future.done():
            work = worker.held[0]
            error = work.future.exception()
            if isinstance(error, ModelDiedError):
                self._died(error)
                work.tries += 1
                if work.tries >= _TRIES:
                    self._rescue(worker, work)
                else:
                    work.future = worker.submit(work.tasks)
                continue
            if error is not None:
                raise error
            self._explained = True
            worker.held.popleft()

    def _hand(self, worker: _Worker, tasks: list[Piece]) -> _Work:
        work = _Work(tasks)
        work.future = worker.submit(tasks)
        worker.held.append(work)
        self._order.append(work)
        return work

    def _fill(self, tasks: Iterator[Piece]) -> None:
        """Hand out chunks, one to each worker in turn, as far ahead as is useful."""
        each = self._crew.threads
        for _ in range(_AHEAD):
            for worker in self._workers:
                if len(worker.held) >= _AHEAD or len(self._order) >= _WINDOW * len(self._workers):
                    continue
                some = list(itertools.islice(tasks, 2 * each if each > 1 else 1))
                if not some:
                    return
                self._hand(worker, some)

    def is_quick(self, task: Piece, seconds: float) -> bool:
        """Begin with a chunk, and say whether it is done within some seconds."""
        work = self._hand(self._workers[0], [task])
        return bool(wait([work.future], seconds).done)

    def explain(self, tasks: Iterator[Piece]) -> Iterator[ChunkResult]:
        """Explain chunks and yield them in order; what the caller does meanwhile stops nobody."""
        while True:
            self._fill(tasks)
            if not self._order:
                return
            wait(
                [work.future for worker in self._workers for work in worker.held],
                return_when=FIRST_COMPLETED,
            )
            for worker in self._workers:
                self._settle(worker)
            self._fill(tasks)
            held = {id(work) for worker in self._workers for work in worker.held}
            while self._order and id(self._order[0]) not in held:
                yield from self._order.popleft().future.result()

    def stop(self) -> None:
        """End all rooms at once: nothing may outlive a run."""
        for worker in self._workers:
            with contextlib.suppress(Exception):  # every one of them must be told
                worker.stop()
