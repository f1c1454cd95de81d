"""One process at a time: in a run folder, or at what several would make alike."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from xplain_cli.errors import UsageError

_TRIES = 3


def _lock_path(folder: Path) -> Path:
    """
    Return the lock file of a run folder: a hidden one beside it.

    Not inside, for a finished run may be renamed while the new one in its place is at work, and a
    folder that turns out to be no run must not be touched.
    """
    place = Path(os.path.realpath(folder))
    return place.parent / f".{place.name.lstrip('.')}.lock"


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """
    Hold a run folder against other processes while the block runs.

    The system lets go of it when a process dies in whatever way. Where nothing can be locked,
    nobody is held off: no file may be written beside the folder, or the file system knows no locks,
    as some network ones. (A lock without the system's help would outlive a killed process.)

    Raises
    ------
    UsageError
        Another process is at work there.
    """
    from filelock import FileLock, Timeout

    path = _lock_path(folder)
    lock = FileLock(path, fallback_to_soft=False)
    for _ in range(_TRIES):
        try:
            path.parent.stat()  # a parent that is missing would be made
            lock.acquire(blocking=False)
            break
        except Timeout as error:
            if os.path.lexists(path):
                raise UsageError(
                    f"{folder}: another process is at work in this run; wait for it, or name"
                    " another place with --output"
                ) from error
            # who held it is gone since, or no file can be made here, as in /proc
        except (OSError, NotImplementedError):
            break
    if not lock.is_locked:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # who waits notices, and makes the file anew
            path.unlink()
        lock.release()


@contextlib.contextmanager
def wait_for_lock(path: Path) -> Iterator[None]:
    """Wait until no other process holds the file *path*, as far as the file system can tell."""
    from filelock import FileLock

    lock = FileLock(path, fallback_to_soft=False)
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
