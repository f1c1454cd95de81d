"""One process at a time: in a run folder, or at what several would make alike."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from xplain_cli.errors import UsageError


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """
    Hold a run folder, made if need be, against other processes while the block runs.

    The system lets go of it when a process dies in whatever way. A file system that knows no
    locks, as some network ones, holds nobody off.

    Raises
    ------
    UsageError
        Another process is at work there.
    """
    import fcntl

    made = False
    with contextlib.suppress(OSError):  # what is wrong with the place is told where it is opened
        folder.mkdir()
        made = True
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UsageError(
            f"{folder}: another process is at work in this run; wait for it, or name another"
            " place with --output"
        ) from error
    except OSError:
        pass
    try:
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # it goes if nothing came of it
        os.close(descriptor)


@contextlib.contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Wait until no other process holds the file *path*, as far as the file system can tell."""
    import fcntl

    with path.open("wb") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
