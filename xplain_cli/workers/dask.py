"""A Dask cluster as workers: model and pool are sent once, versions compared, killed workers borne.

A worker of a cluster holds no model: each of its threads asks a room that is a process of its own
(see ``rooms``), for confinement is for good. A chunk that its room dies of is taken row by row, as
in ``worker_pool``. Dask gives a chunk whose worker died to another one; what several workers died
of is taken row by row as well.
"""

import atexit
import contextlib
import platform
import secrets
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xplain_cli.engine.explainer import Assignment
from xplain_cli.errors import RefusedError, UsageError, require
from xplain_cli.modalities import Piece
from xplain_cli.workers.rooms import Rooms, Walls
from xplain_cli.workers.worker_pool import (
    ChunkResult,
    Crew,
    WorkerPool,
    lost_row,
    one_row,
    put_together,
    with_pool,
)

_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_WINDOW = 4  # chunks in hand for each thread of the cluster
_PACKAGES = (
    *("xplain-cli", "numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "onnxruntime"),
    *("xgboost", "lightgbm", "catboost", "torch"),
)


@dataclass(frozen=True)
class Parcel:
    """
    What a worker needs to explain any chunk, wherever it runs.

    Attributes
    ----------
    assignment
        What to do; its paths are those of the machine that sends it.
    model
        The bytes of the model file; None for a callable, which the worker imports.
    pool
        The files of the shared pool, by name.
    versions
        The packages that numbers depend on, as they are here.
    walls
        What rooms may do there.
    job
        A name of its own for what sends it: the same run may be asked again with other walls.
    """

    assignment: Assignment
    model: bytes | None
    pool: Mapping[str, bytes] = field(repr=False)
    versions: Mapping[str, str]
    walls: Walls
    job: str = field(default_factory=partial(secrets.token_hex, 8))


def versions_here() -> dict[str, str]:
    """Return the versions of what numbers depend on, as far as it is installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def make_parcel(assignment: Assignment, walls: Walls) -> Parcel:
    """
    Return what workers of a cluster need.

    Raises
    ------
    RefusedError
        The model or the pool cannot be read.
    """
    source = Path(assignment.recipe.source)
    pool = Path(assignment.pool_folder) if assignment.pool_folder else None
    try:
        model = source.read_bytes() if source.is_file() else None
        files = {path.name: path.read_bytes() for path in pool.iterdir()} if pool else {}
    except OSError as error:
        raise RefusedError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return Parcel(assignment, model, files, versions_here(), walls)


_LOCK = threading.RLock()  # a parcel may end, and close its rooms, while this thread holds it
_UNPACKED: dict[tuple[str, str], Assignment] = {}


def unpack(parcel: Parcel, folder: Path) -> Assignment:
    """Write the files of a parcel into a folder, once in a process; return what to do there."""
    assignment = parcel.assignment
    key = (assignment.identity, str(folder))
    with _LOCK:
        if key not in _UNPACKED:
            own = folder / f"xplain-{assignment.identity[:12]}"
            (own / "pool").mkdir(parents=True, exist_ok=True)
            for name, data in parcel.pool.items():
                (own / "pool" / name).write_bytes(data)
            if parcel.pool:
                assignment = replace(assignment, pool_folder=str(own / "pool"))
            if parcel.model is not None:
                model = own / Path(assignment.recipe.source).name
                model.write_bytes(parcel.model)
                assignment = replace(
                    assignment, recipe=replace(assignment.recipe, source=str(model))
                )
            _UNPACKED[key] = assignment
        return _UNPACKED[key]


def differing(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Return in words which versions differ; "" where none does."""
    names = [name for name in here if there.get(name) != here[name]]
    return ", ".join(f"{name} {there.get(name, 'missing')} (here {here[name]})" for name in names)


def _keep(parcel: Parcel) -> Parcel:
    return parcel


_POOLS: dict[tuple[str, int], tuple[Rooms, WorkerPool]] = {}


def _close(job: str, thread: int | None = None) -> None:
    """End the rooms of a job, or of one thread: the scheduler has no more use for them."""
    with _LOCK:
        keys = [key for key in _POOLS if key[0] == job and thread in {None, key[1]}]
        ended = [_POOLS.pop(key) for key in keys]
    for rooms, pool in ended:
        atexit.unregister(rooms.close)
        pool.stop()
        rooms.close()


def _pool(parcel: Parcel, assignment: Assignment) -> WorkerPool:
    """Return the room of this thread for a job; it ends with the job, however that ends."""
    key = (parcel.job, threading.get_ident())
    with _LOCK:
        if key not in _POOLS:
            if all(job != parcel.job for job, _ in _POOLS):
                weakref.finalize(parcel, _close, parcel.job)
            sources = (assignment.recipe.source, *parcel.walls.sources[1:])
            rooms = Rooms(replace(parcel.walls, sources=sources), fresh=True)
            atexit.register(rooms.close)
            _POOLS[key] = rooms, WorkerPool(Crew(with_pool(assignment, rooms), rooms), 1)
        return _POOLS[key][1]


@contextlib.contextmanager
def _while_wanted(worker: Any, job: str) -> Iterator[None]:
    """End the room of a task that nobody waits for any more: its model may never answer."""
    key, done, thread = worker.get_current_task(), threading.Event(), threading.get_ident()

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                _close(job, thread)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _explain(parcel: Parcel, task: Piece) -> ChunkResult:
    from distributed import get_worker

    worker = get_worker()
    apart = differing(versions_here(), parcel.versions)
    if apart:
        raise UsageError(
            f"--scheduler: worker {worker.address} has {apart}; install the same there"
        )
    pool = _pool(parcel, unpack(parcel, Path(worker.local_directory)))
    with _while_wanted(worker, parcel.job):
        (found,) = pool.explain(iter([task]))
    return found


def _connect(scheduler: str) -> Any:
    distributed = require("distributed", "dask")
    try:
        client = distributed.Client(scheduler, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler {scheduler}: no Dask scheduler answers within {_SECONDS:.0f} s ({error})"
        ) from error
    if not client.ncores():
        client.close()
        raise UsageError(f"--scheduler {scheduler}: has no workers; start dask worker {scheduler}")
    return client


class _Cluster:
    """A connected cluster, with the parcel of one run."""

    def __init__(self, client: Any, crew: Crew) -> None:
        self._client = client
        self._crew = crew
        with warnings.catch_warnings():  # it is large, and sent once
            warnings.simplefilter("ignore", UserWarning)
            # a task, not scattered data: it is made again when all who held it have died
            self._parcel = client.submit(
                _keep, make_parcel(crew.assignment, crew.rooms.walls), pure=False
            )

    def submit(self, task: Piece) -> Any:
        return self._client.submit(_explain, self._parcel, task, pure=False)

    def _alone(self, task: Piece) -> ChunkResult:
        from distributed.scheduler import KilledWorker

        try:
            found: ChunkResult = self.submit(task).result()
        except KilledWorker as error:
            reason = f"{error.allowed_failures + 1} workers of the cluster died of this row"
            return self._lost(lost_row(task, reason))
        return found

    def _lost(self, task: Piece) -> ChunkResult:
        """Return the record of a lost row, made in a room here."""
        pool = WorkerPool(self._crew, 1)
        try:
            (found,) = pool.explain(iter([task]))
        finally:
            pool.stop()
        return found

    def result(self, task: Piece, future: Any) -> ChunkResult:
        """Return a chunk's result; one that kills its workers is taken row by row."""
        from distributed.scheduler import KilledWorker

        try:
            found: ChunkResult = future.result()
        except KilledWorker:
            rows = range(len(task.rows.ids))
            alone = [self._alone(one_row(task, i)) for i in rows]
            return put_together(task, alone, self._crew.assignment.identity)
        return found


def explain_on_cluster(crew: Crew, tasks: Iterator[Piece], scheduler: str) -> Iterator[ChunkResult]:
    """
    Explain chunks on a Dask cluster and yield them in order.

    Raises
    ------
    UsageError
        No scheduler answers, it has no workers, or one of them has other versions.
    """
    client = _connect(scheduler)
    try:
        cluster = _Cluster(client, crew)
        order: deque[tuple[Piece, Any]] = deque()
        for task in tasks:
            order.append((task, cluster.submit(task)))
            if len(order) >= _WINDOW * sum(client.ncores().values() or [1]):
                yield cluster.result(*order.popleft())
        while order:
            yield cluster.result(*order.popleft())
    finally:
        client.close()
