"""The rooms of a job, as the tool holds them: started, asked within a time, ended with the job."""

import contextlib
import os
import pickle
import re
import signal
import struct
import sys
import sysconfig
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xplain_cli.errors import ModelDiedError, RefusedError
from xplain_cli.models.callables import names_callable
from xplain_cli.workers.confine import Allowance, Confinement
from xplain_cli.workers.folders import remove_tree, takes_too_much
from xplain_cli.workers.plain import MessageError, decode
from xplain_cli.workers.relay import raise_told
from xplain_cli.workers.room import RoomRules
from xplain_cli.workers.template import RoomSource, SpawnedRooms, Template, can_fork
from xplain_cli.workers.vitals import RoomBounds, is_stopped, memory_of

FOLDER_BYTES = 1 << 30
"""What a confined model may write into its folder for temporary files, altogether."""

DATA_IS_READ = (
    "tables, parquet, npy and other DATA are parsed by the program itself, not in a confined"
    " process; files of pictures are decoded in the model's"
)
"""What the manifest says of DATA, which native code parses as well."""

_MOST_BYTES = 1 << 31  # of an answer
_AT_ONCE = 1 << 20  # bytes
_AT_FIRST = 1 << 26  # bytes of memory for an answer, before it has sent as many
_TICK = 0.25  # seconds between looks at the clock and at the folder
_START_SECONDS = 60.0
_MEMORY_SHARE = 0.75
_KEPT = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONHASHSEED", "LOKY_MAX_CPU_COUNT"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MKL_THREADING_LAYER"),
    *("KMP_AFFINITY", "KMP_DUPLICATE_LIB_OK", "OPENBLAS_CORETYPE", "NUMBA_NUM_THREADS"),
    *("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"),
)
_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/gnu/store"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime"),
    *("/etc/timezone", "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup"),
    *("/sys/kernel/mm/transparent_hugepage", "/proc/self", "/proc/cpuinfo", "/proc/meminfo"),
    *("/proc/stat", "/proc/sys/vm", "/proc/sys/kernel/osrelease", "/proc/version"),
    *("/dev/urandom", "/dev/random", "/dev/zero"),
)


@dataclass(frozen=True)
class Walls:
    """
    What a job asks of its rooms.

    Attributes
    ----------
    confine
        ``auto``: a model file is confined, and a callable beside one, which shares its rooms; a
        callable alone is not. ``required``: all are, or nothing runs; ``off``: none is.
    sources
        The models that are opened: paths, or ``package.module:callable``.
    trusted
        Whether a model may bring code of its own.
    python_path
        Where that code is.
    inputs
        Files and folders that rows are made of; they are read where they are split.
    readable, writable, network, environment
        What the user lets a confined model have beside what it needs.
    open_seconds
        How long opening a model, and its first answers, may take.
    call_seconds
        How long every later call of it may take; None: any time.
    silent
        Whether what code that is not confined prints is not shown: it may quote rows.
    """

    confine: str = "auto"
    sources: tuple[str, ...] = ()
    trusted: bool = False
    python_path: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    network: bool = False
    environment: tuple[str, ...] = ()
    open_seconds: float | None = 60.0
    call_seconds: float | None = None
    silent: bool = False

    @property
    def holds_callable(self) -> bool:
        """Whether one of the models is code that the user names."""
        return any(map(names_callable, self.sources))

    @property
    def holds_callables_alone(self) -> bool:
        """Whether all models are code that the user names."""
        return bool(self.sources) and all(map(names_callable, self.sources))

    @property
    def confined(self) -> bool:
        """Whether the rooms are to be confined: no file may run unconfined for its company."""
        free = self.confine == "off" or (self.confine == "auto" and self.holds_callables_alone)
        return not free


def _holds_packages(folder: Path) -> bool:
    """Return whether packages are installed in a folder, which `pip install --target` may name."""
    usual = folder.name in {"site-packages", "dist-packages"}
    return usual or next(folder.glob("*.dist-info"), None) is not None


def _libraries() -> set[str]:
    """Return the folders of Python, its packages and this program."""
    paths = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, sys.exec_prefix}
    packages = {path for path in sys.path if path and _holds_packages(Path(path))}
    return {os.path.realpath(path) for path in paths | packages} | {
        str(Path(__file__).resolve().parents[1])
    }


def _beside(source: str) -> str:
    """Return what of a model's place it needs: its folder where it is of several files."""
    path = Path(source).resolve()
    return str(path.parent if path.suffix == ".onnx" else path)


def _there(path: str) -> str:
    """Return the file or folder that a name leads to: a pattern, or a member of an archive."""
    if Path(path).exists():
        return path
    plain = re.split(r"[*?\[]", path)[0]
    if plain != path:
        return plain if plain.endswith(os.sep) else str(Path(plain).parent)
    return path.rpartition(":")[0] or path


def _own_code(walls: Walls) -> set[str]:
    """Return where the code of a model that may bring some is."""
    if not (walls.trusted or walls.holds_callable):
        return set()
    folders = [str(Path(source).resolve().parent) for source in walls.sources]
    return {*folders, *walls.python_path, *(path or "." for path in sys.path), str(Path.cwd())}


def _machine_bytes() -> int | None:
    """Return the memory of this machine, or of the group of processes; None: it is not known."""
    if not hasattr(os, "sysconf"):
        return None
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(name).read_text(encoding="ascii")))
    return min(found)


def _most_memory() -> int | None:
    """Return the memory that a room may take; None: it is not known."""
    memory = _machine_bytes()
    return None if memory is None else int(_MEMORY_SHARE * memory)


def _free_memory(walls: Walls) -> int | None:
    """Return the memory that a room may take which is not confined; None: any."""
    return None if walls.confine == "off" else _most_memory()


def allowance(walls: Walls, folder: str) -> Allowance:
    """Return what a confined room may do, *folder* being its own."""
    files = [source for source in walls.sources if not names_callable(source)]
    models = {_beside(_there(source)) for source in files}
    asked = {str(Path(path).resolve()) for path in (*walls.readable, *map(_there, walls.inputs))}
    return Allowance(
        readable=tuple(sorted({*_SYSTEM, *_libraries(), *models, *_own_code(walls), *asked})),
        writable=(folder, "/dev/null", *(str(Path(path).resolve()) for path in walls.writable)),
        network=walls.network,
        memory=_most_memory(),
        file_bytes=FOLDER_BYTES,
    )


def _rules(walls: Walls, folder: str) -> RoomRules:
    if not walls.confined or not sys.platform.startswith("linux"):
        return RoomRules(None, folder, silent=walls.silent)
    environment = (*_KEPT, *walls.environment)
    return RoomRules(allowance(walls, folder), folder, environment)


def ending(status: int) -> str:
    """Return how a process ended, in words."""
    if status >= 0:
        return f"exit EXIT {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    likely = ", likely out of memory" if name == "SIGKILL" else ""
    return f"exit {name} {status}{likely}"


_LATE = "took more than"


def is_late(error: ModelDiedError) -> bool:
    """Say whether a room was ended since it took too long."""
    return error.reason.startswith(_LATE)


def _kill(process: int) -> None:
    """End a process that no room's keeper has waited for yet."""
    number = getattr(signal, "SIGKILL", signal.SIGTERM)
    with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
        os.killpg(process, number)  # a room leads a group: of what it began, where it may
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


class Room:
    """A started room; one question at a time is asked in it."""

    def __init__(self, source: RoomSource, rules: RoomRules, bounds: RoomBounds) -> None:
        self._source = source
        self._folder = rules.folder if rules.allowed is not None else None
        self.bounds = bounds
        self._was_stopped = False
        self._pipe, self.process = source.start(rules)
        self._lock = threading.RLock()
        self.questions = 0
        self._ended: str | None = None
        self._killed = ""
        self.confinement: Confinement = decode(self._receive(_START_SECONDS))

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._ended is None and not self._killed

    def spoiled(self) -> ModelDiedError:
        """End a room that answered what is no answer; return the error that says so."""
        with self._lock:
            return self._stopped("answered what is no answer")

    def _died(self) -> ModelDiedError:
        if self._ended is None:
            self._pipe.close()
            _kill(self.process)  # its pipe may be closed and it not; one that ended keeps its code
            self._ended = self._killed or f"died ({ending(self._source.ended(self.process))})"
        return ModelDiedError(f"the process of the model {self._ended}", self._ended)

    def _receive(self, limit: float | None) -> bytes | bytearray:
        """Return the bytes of an answer; a room that takes too long, or too much, is ended."""
        until = None if limit is None else time.monotonic() + limit
        try:
            if sys.platform == "win32":
                self._await(until, limit)
                return self._pipe.recv_bytes(_MOST_BYTES)
            # as multiprocessing writes it, but never waiting for bytes that may not come
            (length,) = struct.unpack("!i", self._read(4, until, limit))
            if length == -1:
                (length,) = struct.unpack("!Q", self._read(8, until, limit))
            if not 0 <= length <= _MOST_BYTES:
                raise self._stopped("answered what is no answer")
            return self._read(length, until, limit)
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _read(self, length: int, until: float | None, limit: float | None) -> bytearray:
        """Return so many bytes of what the room says."""
        found, filled = bytearray(min(length, _AT_FIRST)), 0
        while filled < length:
            if filled == len(found):  # it may say more than it sends
                found.extend(bytes(min(filled, length - filled)))
            self._await(until, limit)
            with memoryview(found) as view:
                some = os.readv(self._pipe.fileno(), [view[filled : filled + _AT_ONCE]])
            if not some:
                raise EOFError
            filled += some
        return found

    def _await(self, until: float | None, limit: float | None) -> None:
        """Wait until the room says something; end one that takes too long or writes too much."""
        while not self._pipe.poll(_TICK):
            if until is not None and time.monotonic() > until:
                raise self._stopped(f"{_LATE} {limit:g} s")
            if self._folder is not None and takes_too_much(self._folder, self.bounds.folder_bytes):
                raise self._stopped("wrote too much into its temporary folder")
            self._look()
            if self._source.has_ended(self.process) and not self._pipe.poll(0):
                raise EOFError  # who else holds its pipe is not the room

    def _look(self) -> None:
        """End a room that will never answer, or takes the memory that others need."""
        was, self._was_stopped = self._was_stopped, is_stopped(self.process)
        if was and self._was_stopped:  # once may be a system that stops, or wakes, a whole job
            raise self._stopped("stopped itself")
        most = self.bounds.memory
        if most is not None and memory_of(self.process) > most:
            raise self._stopped(f"took {most / 1e9:.3g} GB of memory and wanted more")

    def _stopped(self, reason: str) -> ModelDiedError:
        self._killed = reason
        return self._died()

    def ask(self, question: str, *values: Any, limit: float | None = None) -> Any:
        """
        Return the answer to a question (see ``room``).

        Parameters
        ----------
        limit
            Seconds that it may take; None: any.

        Raises
        ------
        ModelDiedError
            The room ended, or took too long and was ended.
        """
        with self._lock:
            if self._ended is not None:
                raise ModelDiedError(f"the process of the model {self._ended}", self._ended)
            self.questions += 1
            try:
                self._pipe.send_bytes(pickle.dumps((question, values), protocol=5))
            except (OSError, ValueError) as error:
                raise self._died() from error
            data = self._receive(limit)
        try:
            answer = decode(data)
            for category, text in answer["warnings"]:
                _warn(str(category), str(text))
            told = answer.get("error")
        except (MessageError, AttributeError, LookupError, TypeError, ValueError) as strange:
            raise self._stopped("answered what is no answer") from strange
        if told is not None:
            raise_told(told)
        return answer["value"]

    def end(self) -> None:
        """End the room at once, whatever it is doing."""
        if self.is_alive:
            self._killed = "was ended"
            _kill(self.process)
            if self._lock.acquire(timeout=_TICK * 8):  # else who waits for its answer sees the end
                try:
                    self._died()
                finally:
                    self._lock.release()


def _warn(category: str, text: str) -> None:
    """Show a warning of a room as one of this process."""
    kind = type(category if category.isidentifier() else "Warning", (UserWarning,), {})
    warnings.showwarning(text, kind, "", 0)


class Rooms:
    """
    The rooms of a job.

    Parameters
    ----------
    walls
        What the job asks of them.
    fresh
        Whether this process must not be forked: it has threads.
    """

    def __init__(self, walls: Walls, *, fresh: bool = False) -> None:
        self.walls = walls
        self.folder = Path(tempfile.mkdtemp(prefix="xplain-room-"))
        self.held_bytes = 0
        self._rooms: list[Room] = []
        self._source: RoomSource
        if can_fork():
            self._source = Template(str(self.folder), fresh=fresh)
        else:
            self._source = SpawnedRooms()
        self._first: Room | None = None
        self._versions: dict[str, str] = {}

    def start(self) -> Room:
        """
        Start a room.

        Raises
        ------
        RefusedError
            It is not confined as far as the user requires.
        """
        rules = _rules(self.walls, str(self.folder))
        memory = _free_memory(self.walls) if rules.allowed is None else None
        bounds = RoomBounds(FOLDER_BYTES + self.held_bytes, memory, self.walls.call_seconds)
        room = Room(self._source, rules, bounds)
        self._rooms.append(room)
        held = room.confinement
        if self.walls.confine == "required" and not held.whole:
            why = "; ".join(held.missing) or "this system confines no process by itself"
            raise RefusedError(
                f"--confine required: {why}; take --confine auto to run with what there is"
            )
        return room

    @property
    def confinement(self) -> Confinement:
        """What holds of the confinement of its rooms."""
        return self._rooms[0].confinement if self._rooms else self.first.confinement

    def versions(self, packages: Sequence[str]) -> dict[str, str]:
        """Return the versions of some packages, as far as models needed them."""
        if self._first is not None and self._first.is_alive:
            self._versions = self._first.ask("versions", packages)
        return self._versions

    @property
    def first(self) -> Room:
        """The room that models are opened in; a new one where it ended."""
        if self._first is None or not self._first.is_alive:
            self._first = self.start()
        return self._first

    def close(self) -> None:
        """End every room and remove what they left."""
        for room in self._rooms:
            with contextlib.suppress(Exception):  # every one of them must be told
                room.end()
        self._source.stop()
        remove_tree(self.folder)


def described(walls: Walls, held: Confinement) -> str:
    """Return in a line what holds of a confinement."""
    if not walls.confined:
        why = "--confine off" if walls.confine == "off" else "code that you name is your own"
        return f"the model runs in a process of its own, not confined ({why})"
    place = f"{held.system}, Landlock {held.landlock}" if held.landlock else held.system
    if held.whole:
        opened = " but for what --allow-* lets it" if _has_slits(walls) else ""
        files = not walls.holds_callable or walls.holds_callables_alone
        what = "the model is" if files else "the model file, and the callable beside it, are"
        return f"{what} confined{opened}: no writes, no network, no programs ({place})"
    lacking = "; ".join(held.missing)
    part = f"only in part ({', '.join(held.holds)})" if held.holds else "not confined"
    return f"the model is {part}: {lacking} ({place})"


def facts_of(rooms: Rooms) -> dict[str, Any]:
    """Return what the manifest says of the rooms of a job."""
    walls, held = rooms.walls, rooms.confinement
    return {
        "asked": walls.confine,
        "confined": walls.confined and bool(held.holds),
        "system": held.system,
        "landlock": held.landlock,
        "holds": list(held.holds),
        "missing": list(held.missing),
        "data": DATA_IS_READ,
        "allowed": {
            "read": list(walls.readable),
            "write": list(walls.writable),
            "network": walls.network,
            "environment": list(walls.environment),
        },
    }


def _has_slits(walls: Walls) -> bool:
    return bool(walls.readable or walls.writable or walls.network or walls.environment)


@contextlib.contextmanager
def open_rooms(walls: Walls) -> Iterator[Rooms]:
    """Hold the rooms of a job; when it ends, however it does, none is left."""
    rooms = Rooms(walls)
    try:
        yield rooms
    finally:
        rooms.close()
