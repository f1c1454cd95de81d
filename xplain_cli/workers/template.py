"""A template: a process that holds imports and no model, and is forked into one room after another.

It is forked of the tool itself before that has read rows or begun threads, so that a room costs
milliseconds and holds nothing of the user's. Where processes cannot be forked, each room is a
process of its own that imports everything again.
"""

import contextlib
import importlib
import json
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, Protocol

from xplain_cli.errors import RefusedError
from xplain_cli.workers.folders import remove_tree
from xplain_cli.workers.room import RoomRules, begin_process, serve

_LENGTH = struct.Struct("=Q")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_MOST = 1 << 20
_JOIN_SECONDS = 1.0


class RoomSource(Protocol):
    """Where rooms come from."""

    def start(self, rules: RoomRules) -> "tuple[Connection[Any, Any], int]":
        """Start a room; return this end of its pipe, and the number of its process."""
        ...

    def ended(self, process: int) -> int:
        """Wait for a room that ends; return its exit code, or minus the signal that ended it."""
        ...

    def has_ended(self, process: int) -> bool:
        """Say whether a room has ended, without waiting for it."""
        ...

    def stop(self) -> None:
        """End what there is, at once."""
        ...


def _send(channel: socket.socket, value: bytes, descriptors: "tuple[int, ...]" = ()) -> None:
    socket.send_fds(channel, [_LENGTH.pack(len(value))], list(descriptors))
    channel.sendall(value)


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Return a message and the descriptors beside it; b"" where the other end is closed."""
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, 1)
    if len(head) < _LENGTH.size:
        return b"", descriptors
    (left,) = _LENGTH.unpack(head)
    parts = []
    while left:
        parts.append(channel.recv(min(left, _MOST)))
        if not parts[-1]:
            return b"", descriptors
        left -= len(parts[-1])
    return b"".join(parts), descriptors


def _die_with_parent() -> None:
    """Let the system end this process when the one that forked it is gone."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _adopt_orphans() -> None:
    """Let the system give this process what its children leave behind: it ends those too."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _children() -> list[int]:
    """Return the children of this process, adopted ones too."""
    me = os.getpid()
    with contextlib.suppress(OSError):
        listed = Path(f"/proc/self/task/{me}/children").read_text(encoding="ascii")
        return [int(number) for number in listed.split()]
    return []


def _end_children(rooms: set[int]) -> None:
    """End every room, and what code in one began and left: nothing outlives a job."""
    ending = {*rooms, *_children()}
    while ending:
        for process in ending:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        ending = set(_children())


def fork() -> int:
    """Return the number of a forked process; 0 in it."""
    with warnings.catch_warnings():  # of threads of libraries, which a fork leaves behind
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _status(process: int) -> int:
    """Wait for a child; return its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _fork_room(channel: socket.socket, descriptor: int, rules: RoomRules) -> int:
    process = fork()
    if process:
        os.close(descriptor)
        return process
    try:
        channel.detach()  # its descriptor is closed with the others
        begin_process({descriptor})
        _die_with_parent()
        serve(Connection(descriptor), rules)
    finally:
        os._exit(1)


def _answer(channel: socket.socket, rooms: set[int], data: bytes, descriptors: list[int]) -> None:
    """Do what the tool asks: start a room, or tell how one ended."""
    question, value = pickle.loads(data)  # noqa: S301 - of the process that forked this one
    if question == "start":
        found = _fork_room(channel, descriptors[0], value)
        rooms.add(found)
    elif question == "has ended":
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        found = int(value not in rooms or os.waitid(os.P_PID, value, look) is not None)
    else:
        found = _status(value)
        rooms.discard(value)
    _send(channel, json.dumps(found).encode())


def run(channel: socket.socket, folder: str) -> NoReturn:
    """Be a template until the tool is gone; then end every room and remove their folder."""
    rooms: set[int] = set()
    _adopt_orphans()
    try:
        importlib.import_module("joblib")  # it looks for locks that no room may have
        while True:
            data, descriptors = _receive(channel)
            if not data:
                break
            _answer(channel, rooms, data, descriptors)
    finally:
        _end_children(rooms)
        remove_tree(Path(folder))
        os._exit(0)


def _hold_standard_descriptors() -> None:
    """Open stdin, stdout and stderr where they are closed: a channel must not take their place."""
    number = -1
    while number < 3:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


class Template:
    """
    The tool's end of a template.

    Parameters
    ----------
    folder
        The rooms' folder, removed when the tool is gone.
    fresh
        Whether the template is a program of its own, and no fork: a process with threads, such
        as the worker of a cluster, must not be forked.
    """

    def __init__(self, folder: str, *, fresh: bool = False) -> None:
        _hold_standard_descriptors()
        self._lock = threading.Lock()
        self._channel, other = socket.socketpair()
        self._process = self._begin_fresh(other, folder) if fresh else self._begin(other, folder)
        other.close()

    def _begin(self, other: socket.socket, folder: str) -> int:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # it was closed before Python began
                stream.flush()
        process = fork()
        if process:
            return process
        try:
            begin_process({other.fileno()})  # the channel ends with the tool, however that ends
            run(other, folder)
        finally:
            os._exit(1)

    def _begin_fresh(self, other: socket.socket, folder: str) -> int:
        import subprocess

        code = (
            "import socket, sys; from xplain_cli.workers import template;"
            " template.run(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])"
        )
        words = [sys.executable, "-P", "-c", code, str(other.fileno()), folder]
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        begun = subprocess.Popen(  # noqa: S603 - this program itself
            words,
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": paths},
        )
        begun.returncode = 0  # this object waits for it itself
        return begun.pid

    def _ask(self, question: str, value: Any, descriptors: tuple[int, ...] = ()) -> int:
        answer, cause = b"", None
        try:
            with self._lock:
                _send(self._channel, pickle.dumps((question, value)), descriptors)
                answer, _ = _receive(self._channel)
        except OSError as error:  # no pipe of the user's is closed
            cause = error
        if not answer:
            raise RefusedError(
                "the process that starts those of models was ended; the same command continues"
            ) from cause
        return int(json.loads(answer))

    def start(self, rules: RoomRules) -> "tuple[Connection[Any, Any], int]":
        """Start a room; return this end of its pipe, and the number of its process."""
        mine, its = socket.socketpair()
        try:
            process = self._ask("start", rules, (its.fileno(),))
        except RefusedError:
            mine.close()
            raise
        finally:
            its.close()
        return Connection(mine.detach()), process

    def ended(self, process: int) -> int:
        """Wait for a room that ends; return its exit code, or minus the signal that ended it."""
        return self._ask("ended", process)

    def has_ended(self, process: int) -> bool:
        """Say whether a room has ended, without waiting for it."""
        return bool(self._ask("has ended", process))

    def stop(self) -> None:
        """End the template, which ends its rooms."""
        self._channel.close()
        with contextlib.suppress(OSError):
            os.waitpid(self._process, 0)


class SpawnedRooms:
    """Rooms that are programs of their own, where processes cannot be forked."""

    def __init__(self) -> None:
        self._processes: dict[int, Any] = {}

    def start(self, rules: RoomRules) -> "tuple[Connection[Any, Any], int]":
        """Start a room; return this end of its pipe, and the number of its process."""
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        process = context.Process(target=serve, args=(its, rules), daemon=True)
        process.start()
        its.close()
        self._processes[int(process.pid or 0)] = process
        return mine, int(process.pid or 0)

    def ended(self, process: int) -> int:
        """Wait for a room that ends; return its exit code, or minus the signal that ended it."""
        held = self._processes.pop(process)
        held.join()
        return int(held.exitcode or 0)

    def has_ended(self, process: int) -> bool:
        """Say whether a room has ended, without waiting for it."""
        held = self._processes.get(process)
        return held is None or held.exitcode is not None

    def stop(self) -> None:
        """End every room."""
        for held in self._processes.values():
            held.terminate()
            held.join(_JOIN_SECONDS)
        self._processes.clear()


def can_fork() -> bool:
    """Say whether rooms are forked on this system: elsewhere libraries do not bear it."""
    return sys.platform.startswith("linux") and hasattr(os, "fork")
