"""What a room may take, and what the system says of one that has not answered yet."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_STOPPED = b"T"


@dataclass(frozen=True)
class RoomBounds:
    """
    What a room may take, as far as the tool looks after it.

    Attributes
    ----------
    folder_bytes
        Bytes in the folder for temporary files.
    memory
        Bytes of memory; None: any, or the room itself is bound.
    call_seconds
        How long a call of its model may take; None: any time.
    """

    folder_bytes: int
    memory: int | None = None
    call_seconds: float | None = None


def _fields(process: int, name: str) -> list[bytes]:
    """Return the fields of a file of /proc after the name of the program, which may be anything."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/{name}").read_bytes().rpartition(b")")[2].split()
    return []


def is_stopped(process: int) -> bool:
    """Say whether a process is stopped, as by SIGSTOP: it answers no more, and no timer ends it."""
    return _fields(process, "stat")[:1] == [_STOPPED]


def memory_of(process: int) -> int:
    """Return the bytes of memory that a process takes; 0 where the system does not say."""
    fields = _fields(process, "statm")
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0
