"""A confined process reads what it needs, and can write, start, reach and touch nothing else."""

import ctypes
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from confined import LINUX, confined, in_child

from xplain_cli.workers import confine as confining
from xplain_cli.workers.confine import (
    ALL_RIGHTS,
    Allowance,
    Confinement,
    address_space,
    confine,
    keep_environment,
    landlock_version,
    make_locks_local,
)

pytestmark = pytest.mark.skipif(
    not LINUX or not landlock_version(), reason="needs a kernel with Landlock"
)


@pytest.fixture
def places(tmp_path):
    """A folder that the process may use, and one outside of it with a file."""
    own, outside = tmp_path / "own", tmp_path / "outside"
    own.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    return own, outside


def listen():
    """Return a socket that listens on a port of this machine."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


REFUSED = {
    "write beside": lambda out: (out / "mark").write_text("x"),
    "append": lambda out: (out / "secret").open("a"),
    "write over": lambda out: os.open(out / "secret", os.O_WRONLY),
    "truncate": lambda out: os.truncate(out / "secret", 0),
    "read": lambda out: (out / "secret").read_text(),
    "map": lambda out: mmap.mmap(os.open(out / "secret", os.O_RDONLY), 0),
    "list": os.listdir,
    "remove": lambda out: (out / "secret").unlink(),
    "rename": lambda out: (out / "secret").rename(out / "other"),
    "make a folder": lambda out: (out / "mark").mkdir(),
    "remove a folder": os.rmdir,
    "link": lambda out: (out / "mark").hardlink_to(out / "secret"),
    "point": lambda out: (out / "mark").symlink_to("/"),
    "pipe": lambda out: os.mkfifo(out / "mark"),
    "mode": lambda out: (out / "secret").chmod(0o777),
    "owner": lambda out: os.chown(out / "secret", os.getuid(), os.getgid()),
    "times": lambda out: os.utime(out / "secret"),
    "attribute": lambda out: os.setxattr(out / "secret", "user.mark", b"x"),
    "by the root of a process": lambda out: (Path("/proc/1/root") / out / "secret").read_text(),
    "a socket": lambda _: socket.socket(),
    "udp": lambda _: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "unix": lambda _: socket.socket(socket.AF_UNIX),
    "netlink": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a name": lambda _: socket.create_connection(("localhost", 9)),
    "fork": lambda _: os.fork(),
    "program": lambda _: os.execv("/bin/true", ["true"]),  # noqa: S606
    "spawned": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
    "shell": lambda _: subprocess.run(["true"], check=True),
    "this Python": lambda _: subprocess.run([sys.executable, "-c", ""], check=True),
    "signal the parent": lambda _: os.kill(os.getppid(), 0),
    "signal a group": lambda _: os.killpg(os.getpgid(os.getppid()), 0),
    "signal all": lambda _: os.kill(-1, 0),
    "limit the parent": lambda _: __import__("resource").prlimit(os.getppid(), 7, (9, 9)),
    "move the parent": lambda _: os.sched_setaffinity(os.getppid(), {0}),
    "priority": lambda _: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "handle": lambda _: os.pidfd_open(os.getppid()),
    "memory of the parent": lambda _: Path(f"/proc/{os.getppid()}/mem").read_bytes(),
    "environment of the parent": lambda _: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "point from its own folder": lambda _: Path(os.environ["OWN"], "link").symlink_to("/"),
    "other root": os.chroot,
    "a large file": lambda _: Path(os.environ["OWN"], "large").write_bytes(b"x" * (1 << 21)),
    "memory": lambda _: bytearray(4 << 30),
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_a_confined_process_is_refused(places, monkeypatch, attempt):
    own, outside = places
    monkeypatch.setenv("OWN", str(own))
    found = confined(lambda: REFUSED[attempt](outside), own, memory=1 << 30, file_bytes=1 << 20)
    assert found in {"PermissionError", "OSError", "MemoryError", "gaierror"}
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


ALLOWED = {
    "write into its folder": lambda own: (own / "a").write_text("x"),
    "folders in it": lambda own: (own / "b" / "c").mkdir(parents=True),
    "read its libraries": lambda _: __import__("sklearn.ensemble"),
    "throw away": lambda _: Path(os.devnull).write_text("x"),
    "chance": lambda _: os.urandom(8),
    "threads": lambda _: threading.Thread(target=int).start(),
    "end itself later": lambda _: os.kill(os.getpid(), 0),
    "its own limits": lambda _: __import__("resource").getrlimit(7),
    "processors": lambda _: os.sched_getaffinity(0),
    "ask whether it is a terminal": lambda _: os.isatty(0),
}


@pytest.mark.parametrize("need", ALLOWED)
def test_a_confined_process_may_do_what_libraries_need(places, need):
    assert confined(lambda: ALLOWED[need](places[0]), places[0]) == "done"


def test_its_own_entry_of_proc_is_held_open(places):
    # the kernel makes entries anew when memory is short, and what is allowed hangs on the old one
    def held():
        links = Path("/proc/self/fd").iterdir()
        assert Path(f"/proc/{os.getpid()}") in [one.readlink() for one in links if one.is_symlink()]

    assert confined(held, places[0]) == "done"


def test_numbers_are_the_same_in_it(places):
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from threadpoolctl import threadpool_limits

    X = np.random.default_rng(0).normal(size=(60, 4))
    models = [
        RandomForestClassifier(8, n_jobs=2, random_state=0).fit(X, X[:, 0] > 0),
        HistGradientBoostingClassifier(max_iter=5).fit(X, X[:, 0] > 0),
    ]
    outside = [model.predict_proba(X) for model in models]

    def inside():
        make_locks_local()
        with threadpool_limits(limits=1):  # as rooms do; OpenMP does not bear forks of its threads
            for model, known in zip(models, outside, strict=True):
                assert np.array_equal(model.predict_proba(X), known)

    assert confined(inside, places[0]) == "done"


def test_a_thread_begun_before_is_not_confined_and_one_begun_after_is(places):
    own, outside = places
    go, done = threading.Event(), threading.Event()

    def write(name):
        try:
            (outside / name).write_text("x")
        except OSError:
            (own / name).write_text("refused")

    def early():
        go.wait()
        write("early")
        done.set()

    def run():
        threading.Thread(target=early).start()
        confine(Allowance(readable=("/usr",), writable=(str(own),)))
        go.set()
        done.wait()
        late = threading.Thread(target=write, args=("late",))
        late.start()
        late.join()
        return True

    assert in_child(run) is True
    # so that a room, which is forked and has one thread, is confined before it begins another
    assert sorted(path.name for path in outside.iterdir()) == ["early", "secret"]
    assert (own / "late").read_text() == "refused"


def test_what_holds_is_a_value(places):
    held = in_child(lambda: confine(Allowance(writable=(str(places[0]),))))
    assert held == Confinement(
        f"Linux {os.uname().release}", landlock_version(), ALL_RIGHTS, missing=()
    )
    assert held.whole


def test_a_kernel_without_landlock_is_said(monkeypatch, places):
    monkeypatch.setattr(confining, "landlock_version", lambda: 0)
    held = in_child(lambda: confine(Allowance(writable=(str(places[0]),))))
    assert held.holds == ("network", "programs")
    assert held.missing == ("this kernel has no Landlock",)
    assert not held.whole


def test_an_unknown_processor_is_said(monkeypatch, places):
    monkeypatch.setattr(confining.seccomp, "ARCHITECTURES", {})
    held = in_child(lambda: confine(Allowance(writable=(str(places[0]),))))
    assert held.holds == ("files",)
    assert "no filter is known for" in held.missing[0]


def test_another_system_is_said(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    held = confine(Allowance())
    assert (held.holds, held.whole, held.landlock) == ((), False, 0)


@pytest.mark.parametrize("version", range(1, 9))
def test_every_version_of_landlock_has_rights(version):
    rights = confining._file_rights(version)
    assert rights.bit_length() == {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    sizes = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}
    assert len(confining._ruleset(version, network=False)) == sizes.get(version, 24)


def test_the_network_can_be_allowed(places):
    with listen() as server:
        port = server.getsockname()[1]

        def connect():
            socket.create_connection(("127.0.0.1", port), timeout=5).close()

        assert confined(connect, places[0], network=True) == "done"
        assert confined(connect, places[0]) == "PermissionError"


def test_a_folder_can_be_allowed(places):
    own, outside = places
    readable = ("/usr", str(outside))
    assert confined((outside / "secret").read_text, own, readable=readable) == "done"
    writing = lambda: (outside / "mark").write_text("x")  # noqa: E731
    assert confined(writing, own, readable=readable) == "PermissionError"
    assert confined(writing, own, writable=(str(outside),)) == "done"


def test_the_environment_is_gone_from_memory_as_well():
    script = (
        "import os; from xplain_cli.workers.confine import keep_environment\n"
        "keep_environment(['PATH'])\n"
        "left = open('/proc/self/environ', 'rb').read()\n"
        "print(sorted(os.environ), b'token' in left)"
    )
    environment = os.environ | {"XPLAIN_TOKEN": "token"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['PATH'] False\n"


def test_some_variables_are_kept(monkeypatch):
    monkeypatch.setenv("KEPT", "1")

    def run():
        keep_environment(["KEPT", "NOT_THERE"])
        return dict(os.environ)

    assert in_child(run) == {"KEPT": "1"}


def test_a_call_by_the_other_interface_ends_the_process(places):
    # the old interface of 32 bits has other numbers for the same calls
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, getpid; int 0x80; ret
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    if os.uname().machine != "x86_64":
        pytest.skip("an interface of x86_64")
    assert confined(call, places[0]) == f"signal {signal.SIGSYS.value}"


def test_address_space_is_known():
    assert address_space() > 1 << 20


def test_confining_takes_milliseconds(places):
    def run():
        began = time.process_time()
        confine(Allowance(readable=("/usr", "/etc"), writable=(str(places[0]),)))
        return time.process_time() - began

    assert min(in_child(run) for _ in range(3)) < 0.05  # a busy machine may take one for longer
