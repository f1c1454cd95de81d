"""Worker processes that end with their parent, and work spread over them in order."""

import itertools
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

_WATCH_SECONDS = 0.5

Given = TypeVar("Given")
Found = TypeVar("Found")


def _watch(parent: int) -> None:
    """
    End this process when its parent is gone: nobody would tell it to stop.

    On Windows a child keeps the number of a parent that is gone: workers may outlive a killed run.
    """
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def _begin(parent: int, begin: Callable[..., None] | None, settings: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent answers it
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if begin is not None:
        begin(*settings)


def start(processes: int, begin: Callable[..., None] | None = None, *settings: Any) -> Any:
    """
    Return a loky executor whose processes compute on one thread, and end when this one does.

    Parameters
    ----------
    begin
        Called with *settings* in each process first: they are sent once, not with every task.
    """
    from joblib.externals.loky.process_executor import ProcessPoolExecutor

    return ProcessPoolExecutor(
        processes,
        initializer=_begin,
        initargs=(os.getpid(), begin, settings),
        env={f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
    )


def in_order(
    work: Callable[[Given], Found], tasks: Iterable[Given], processes: int
) -> Iterator[Found]:
    """Yield ``work(task)`` of each task in order, done over processes, a few tasks ahead."""
    executor = start(processes)
    waiting: deque[Any] = deque()
    left = iter(tasks)
    try:
        while True:
            ahead = 2 * processes - len(waiting)
            waiting.extend(executor.submit(work, task) for task in itertools.islice(left, ahead))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, kill_workers=True)
