"""Confines this process as far as the system can: what it reads, writes, starts and reaches.

Landlock (Linux 5.13 and later) binds the calling thread and those that it begins later: a process
is confined while it has one thread, and before anything of a model is opened. What Landlock does
not know of is refused by a filter of system calls (see ``seccomp``). Both are asked for through
``ctypes``, take about a millisecond, need no rights, and hold for good. What a system cannot do is
reported, and is no error here.

The rights and structures are those of ``linux/landlock.h``; which of them exist follows from the
version that the kernel states (``landlock_create_ruleset(2)``).
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xplain_cli.workers import seccomp

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every processor
_ASK_VERSION, _RULE_OF_PATH = 1, 1
_SET_NO_NEW_PRIVS = 38
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_MAKE_OTHERS = sum(1 << bit for bit in (6, 9, 10, 11, 12))  # devices, sockets, pipes, links
_ALL_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NO_TCP, _NO_ABSTRACT_SOCKETS, _NO_SIGNALS = 0b11, 0b01, 0b10
_TCP_SINCE, _SCOPES_SINCE = 4, 6

_CAPABILITY_VERSION = 0x20080522
_OF_FILES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: of all, these are the least

FILES, NETWORK, PROGRAMS = "files", "network", "programs"
ALL_RIGHTS = (FILES, NETWORK, PROGRAMS)
"""What a whole confinement holds: files, the network, and other programs and processes."""


@dataclass(frozen=True)
class Allowance:
    """
    What a confined process may do.

    Attributes
    ----------
    readable
        Files, and folders with all below them, that it may read.
    writable
        Folders in which it may make and change files and folders, and files that it may write.
    network
        Whether it may open sockets.
    memory
        Bytes of address space that it may take beyond what it has; None: any.
    file_bytes
        The size of the largest file that it may write; None: any.
    """

    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    network: bool = False
    memory: int | None = None
    file_bytes: int | None = None


@dataclass(frozen=True)
class Confinement:
    """
    What holds of a confinement, for the user and the manifest.

    Attributes
    ----------
    system
        The system and its version: ``Linux 6.8.0``.
    landlock
        The version of Landlock; 0: there is none.
    holds
        Which of ``ALL_RIGHTS`` are taken away (of the network: unless it was allowed).
    missing
        Why others are not, a sentence each.
    """

    system: str
    landlock: int
    holds: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether all that can be taken away is."""
        return set(ALL_RIGHTS) <= set(self.holds)


def system_name() -> str:
    """Return the system with its version."""
    return f"{platform.system()} {platform.release()}".strip()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """Return the kernel's version of Landlock; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), _ASK_VERSION)))


def _file_rights(version: int) -> int:
    """Return all rights on files that a version of Landlock can take away."""
    return _ALL_RIGHTS[max(known for known in _ALL_RIGHTS if known <= version)]


def _ruleset(version: int, *, network: bool) -> bytes:
    """Return the bytes of ``struct landlock_ruleset_attr``: the rights that are taken away."""
    parts = [struct.pack("=Q", _file_rights(version))]
    if version >= _TCP_SINCE:
        parts.append(struct.pack("=Q", 0 if network else _NO_TCP))
    if version >= _SCOPES_SINCE:
        scopes = _NO_SIGNALS | (0 if network else _NO_ABSTRACT_SOCKETS)
        parts.append(struct.pack("=Q", scopes))
    return b"".join(parts)


def _grant(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """
    Allow some rights on a file, or a folder and all below it; one that is not there is left.

    What lies in /proc stays open: the kernel makes its entries anew when it is short of memory, and
    a rule holds for the entry that it was made for.
    """
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not Path(path).is_dir():  # a rule of a file must not name rights of folders
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
        if libc.syscall(_ADD, rules, _RULE_OF_PATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock does not take a rule for {path}")
    finally:
        if not path.startswith("/proc/"):
            os.close(place)


def _restrict(allowed: Allowance) -> int:
    """Take away all rights on files but the allowed ones; return the version of Landlock."""
    version = landlock_version()
    if not version:
        raise OSError("this kernel has no Landlock")
    libc = _libc()
    attributes = _ruleset(version, network=allowed.network)
    held = ctypes.create_string_buffer(attributes, len(attributes))
    rules = libc.syscall(_CREATE, held, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "Landlock does not take the rights")
    try:
        for path in allowed.readable:
            _grant(libc, rules, path, _READ_FILE | _READ_DIR)
        for path in allowed.writable:
            # a link would lead whoever reads or writes there later out of it
            _grant(libc, rules, path, _file_rights(version) & ~_MAKE_OTHERS)
        libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.syscall(_RESTRICT, rules, 0) != 0:
            raise OSError(ctypes.get_errno(), "Landlock does not hold")
    finally:
        os.close(rules)
    return version


def _limit(allowed: Allowance) -> None:
    """Bound memory and the size of files, and leave no memory on the disk after a crash."""
    import resource

    def bound(kind: int, value: int) -> None:
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))

    bound(resource.RLIMIT_CORE, 0)
    if allowed.file_bytes is not None:
        bound(resource.RLIMIT_FSIZE, allowed.file_bytes)
    if allowed.memory is not None:
        bound(resource.RLIMIT_AS, address_space() + allowed.memory)


def _drop_capabilities() -> None:
    """
    Give up what root may do beside reading and writing files, which Landlock bounds.

    Among it are limits: who may raise them has none. See ``capget(2)``.
    """
    libc = _libc()
    head = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0), 8)
    held = ctypes.create_string_buffer(24)
    if libc.capget(head, held) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be asked for")
    effective, permitted, _, *_ = struct.unpack("=6I", held.raw)
    kept = struct.pack("=6I", effective & _OF_FILES, permitted & _OF_FILES, 0, 0, 0, 0)
    if libc.capset(head, ctypes.create_string_buffer(kept, 24)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


def address_space() -> int:
    """Return the bytes of address space that this process has; 0 where it is not known."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def close_descriptors(kept: Iterable[int]) -> None:
    """Close every descriptor of this process but some."""
    keep = set(kept)
    try:
        held = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    except OSError:
        held = list(range(256))
    for number in held:
        if number not in keep:
            with contextlib.suppress(OSError):
                os.close(number)


def _clear_memory_of_environment() -> None:
    """Overwrite the environment that the kernel copied when the program began: /proc shows it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(fields[47]), int(fields[48])  # env_start and env_end, see proc_pid_stat(5)
        if 0 < end - start < 1 << 24:
            ctypes.memset(start, 0, end - start)


def keep_environment(names: Sequence[str]) -> None:
    """Remove every variable of the environment but those of some names."""
    kept = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.clear()
    _clear_memory_of_environment()
    os.environ.update(kept)


def confine(allowed: Allowance) -> Confinement:
    """
    Confine this process for good, as far as the system can, and return what holds.

    It must have one thread. Nothing is raised: what is missing is in the value.
    """
    missing: list[str] = []
    holds: list[str] = []
    version = 0
    if not sys.platform.startswith("linux"):
        return Confinement(system_name(), 0, (), ("this system confines no process by itself",))
    try:
        version = _restrict(allowed)
        holds.append(FILES)
    except OSError as error:
        missing.append(error.strerror or str(error))
    try:
        _drop_capabilities()
    except OSError as error:
        missing.append(error.strerror or str(error))
    try:
        seccomp.install(network=allowed.network)
        holds += [NETWORK, PROGRAMS]
    except OSError as error:
        missing.append(error.strerror or str(error))
    try:
        _limit(allowed)
    except (OSError, ValueError, ImportError) as error:
        missing.append(f"memory is not bounded: {error}")
    return Confinement(system_name(), version, tuple(holds), tuple(missing))


def make_locks_local() -> None:
    """
    Make locks between processes, which are files in /dev/shm, locks between threads.

    A confined process is alone, so that they are the same; joblib's threads ask for them.
    """
    import multiprocessing.synchronize as shared
    import threading

    import joblib  # noqa: F401 - it looks for the others when it is imported

    def local(make: Any) -> Any:
        def made(*values: Any, ctx: Any = None) -> Any:  # noqa: ARG001 - as the library calls it
            return make(*values)

        return made

    vars(shared).update({
        "Lock": local(threading.Lock),
        "RLock": local(threading.RLock),
        "Semaphore": local(threading.Semaphore),
        "BoundedSemaphore": local(threading.BoundedSemaphore),
    })
