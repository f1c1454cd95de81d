"""A filter of system calls: no socket, no new process or program, no touch of other processes.

It is a short program that the Linux kernel runs before each call of this process, installed by
``prctl(2)`` without a library, for good. It also refuses what Landlock (see ``confine``) does not
know of: modes, owners, times and attributes of files, memory that processes share, and keys, clocks
and mounts where the user is root. The numbers of calls are those of the kernel's own tables,
``syscall_64.tbl`` for x86_64 and ``asm-generic/unistd.h`` for aarch64.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data
_X32 = 0x40000000  # calls of the x32 interface have this bit, and would pass by their numbers
_CLONE_THREAD = 0x10000
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_STRICT_ALL_THREADS = (1, 1)  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC

REFUSED: Mapping[str, tuple[int | None, int | None]] = {
    # new processes and programs; threads are told apart from processes below
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    # memory, locks and letters that processes share by number: who knows one needs no opening
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # files in memory, which no limit counts, and looks at what others do to files
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    # ways around this filter, and what only breaks out of kernels
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # what files are, beside their content
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "mknod": (133, None),
    "mknodat": (259, 33),
    # the machine, where the user is root
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "iopl": (172, None),
    "ioperm": (173, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
}
"""Calls that are refused whatever they ask for: their numbers on x86_64 and on aarch64."""

NETWORK: Mapping[str, tuple[int | None, int | None]] = {"socket": (41, 198)}
"""Calls that are refused where the network is not allowed."""

OWN_ALONE: Mapping[str, tuple[int | None, int | None]] = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "prlimit64": (302, 261),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}
"""Calls that a process may use on itself alone; all but signals take 0 for that as well."""

_SIGNALS = {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"}
_CLONE, _CLONE3, _IOCTL = (56, 220), (435, 435), (16, 29)
_FCNTL, _PRCTL = (72, 25), (157, 167)
_OWNERS = (8, 15)  # F_SETOWN, F_SETOWN_EX: another process that the kernel signals for this one
_ENDINGS = (1,)  # PR_SET_PDEATHSIG: it ends with the process that forked it
# TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what libraries ask of files
_IOCTLS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)


@dataclass(frozen=True)
class Architecture:
    """A processor that the filter is known for: its number in the kernel, its place in tables."""

    name: str
    audit: int
    place: int
    install: int


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture("x86_64", 0xC000003E, 0, 317),
    "aarch64": Architecture("aarch64", 0xC00000B7, 1, 277),
}
"""By the machine's name as ``os.uname`` gives it."""


def _instruction(code: int, constant: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, constant)


def _error(number: int) -> bytes:
    return _instruction(_RETURN, 0x00050000 | number)


def _numbers(table: Iterable[tuple[int | None, int | None]], place: int) -> list[int]:
    return [one for numbers in table if (one := numbers[place]) is not None]


def _refuse(number: int, error: int) -> list[bytes]:
    return [_instruction(_EQUAL, number, 0, 1), _error(error)]


def _allow_only(number: int, offset: int, values: Sequence[int], error: int) -> list[bytes]:
    """Allow a call where an argument is one of some values, and refuse it otherwise."""
    last = len(values)  # instructions from the first comparison to the allowing one
    checks = [_instruction(_EQUAL, value, last - i, 0) for i, value in enumerate(values)]
    return [
        _instruction(_EQUAL, number, 0, last + 3),
        _instruction(_LOAD, offset),
        *checks,
        _error(error),
        _instruction(_RETURN, _ALLOW),
    ]


def _refuse_for(number: int, offset: int, values: Sequence[int], error: int) -> list[bytes]:
    """Refuse a call where an argument is one of some values."""
    last = len(values)
    checks = [_instruction(_EQUAL, value, last - i, 0) for i, value in enumerate(values)]
    return [
        _instruction(_EQUAL, number, 0, last + 3),
        _instruction(_LOAD, offset),
        *checks,
        _instruction(_RETURN, _ALLOW),
        _error(error),
    ]


def _only_threads(number: int) -> list[bytes]:
    """Allow ``clone`` for threads of this process alone."""
    return [
        _instruction(_EQUAL, number, 0, 4),
        _instruction(_LOAD, _FIRST),
        _instruction(_ANY_BIT, _CLONE_THREAD, 1, 0),
        _error(errno.EPERM),
        _instruction(_RETURN, _ALLOW),
    ]


def program(machine: Architecture, process: int, *, network: bool) -> bytes:
    """
    Return the filter as instructions of eight bytes.

    Parameters
    ----------
    machine
        The processor.
    process
        The number of the process that it is for, which may signal itself.
    network
        Whether sockets are allowed.
    """
    place = machine.place
    lines = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, machine.audit, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        _instruction(_ABOVE, _X32, 0, 1),
        _error(errno.ENOSYS),
    ]
    refused = [*REFUSED.values(), *(() if network else NETWORK.values())]
    for number in _numbers(refused, place):
        lines += _refuse(number, errno.EPERM)
    for name, numbers in OWN_ALONE.items():
        own = (process,) if name in _SIGNALS else (0, process)
        for number in _numbers([numbers], place):
            lines += _allow_only(number, _FIRST, own, errno.EPERM)
    lines += _allow_only(_IOCTL[place], _SECOND, _IOCTLS, errno.ENOTTY)
    lines += _refuse_for(_FCNTL[place], _SECOND, _OWNERS, errno.EPERM)
    lines += _refuse_for(_PRCTL[place], _FIRST, _ENDINGS, errno.EPERM)
    lines += _only_threads(_CLONE[place])
    lines += _refuse(_CLONE3[place], errno.ENOSYS)  # the C library then takes clone
    return b"".join([*lines, _instruction(_RETURN, _ALLOW)])


def install(*, network: bool) -> None:
    """
    Filter the calls of this process from now on, in all its threads.

    Raises
    ------
    OSError
        The system has no such filter, or does not take it.
    """
    machine = ARCHITECTURES.get(os.uname().machine)
    if machine is None or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"no filter is known for {os.uname().machine}")
    libc = ctypes.CDLL(None, use_errno=True)
    code = program(machine, os.getpid(), network=network)
    held = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: how many instructions, padding, where they are
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(held)))
    libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(machine.install, *_STRICT_ALL_THREADS, whole) == 0:
        return
    if libc.prctl(_SET_SECCOMP, _FILTER, whole, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the filter of system calls is not taken")
