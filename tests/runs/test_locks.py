"""Locks: one process at a time in a run folder, whatever becomes of the other one."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import filelock
import pytest

from xplain_cli.errors import UsageError
from xplain_cli.runs.locks import lock, wait_for_lock

HOLDER = """
import sys, time
from pathlib import Path
from xplain_cli.runs.locks import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the run folder ``run``; yield once it does."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_another_process_holds_is_refused_by_name(holder, tmp_path):
    with pytest.raises(UsageError) as caught, lock(tmp_path / "run"):
        pass
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: another process is at work in this run; wait for it, or name"
        " another place with --output"
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="has no SIGKILL")
def test_a_killed_process_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    with lock(tmp_path / "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_leaves_nothing_behind_and_can_be_taken_again(tmp_path):
    for _ in range(2):
        with lock(tmp_path / "run"):
            assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_stays_with_its_name_when_the_folder_is_renamed(tmp_path):
    (tmp_path / "run").mkdir()
    with lock(tmp_path / "run"):
        (tmp_path / "run").rename(tmp_path / "aside")
        (tmp_path / "run").mkdir()
        with pytest.raises(UsageError, match="another process"), lock(tmp_path / "run"):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aside", "run"]


def test_folders_of_other_names_are_held_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with lock(tmp_path / "a"), lock(tmp_path / "b"), lock(tmp_path / ".c.csv.xplain"):
        names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".a.lock", ".b.lock", ".c.csv.xplain.lock"]


def test_one_folder_has_one_lock_however_it_is_spelled(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path / "run")
    with lock(tmp_path / "run"):
        for spelled in (".", "../run", "../link"):
            with pytest.raises(UsageError), lock(Path(spelled)):
                pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EACCES])
def test_where_nothing_can_be_locked_nobody_is_held_off(tmp_path, monkeypatch, code):
    def refuse(self):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with lock(tmp_path / "run"), lock(tmp_path / "run"), wait_for_lock(tmp_path / "pool.lock"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_a_parent_is_left_to_who_opens_it(tmp_path):
    with lock(tmp_path / "no" / "such"):
        assert list(tmp_path.iterdir()) == []


def test_what_several_would_make_alike_is_made_in_turn(tmp_path):
    at_work, most = [], []

    def work():
        with wait_for_lock(tmp_path / "pool.lock"):
            at_work.append(1)
            most.append(len(at_work))
            time.sleep(0.02)
            at_work.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder of the system's own")
def test_where_no_file_can_be_made_nobody_is_said_to_be_at_work(run, cancer):
    with lock(Path("/proc/xplain-run")):
        pass
    done = run("tabular", cancer.model, cancer.data, "--rows", "0:2", "-o", "/proc/xplain-run")
    assert done.code == 3
    assert "/proc/xplain-run: cannot be written: nothing can be made in /proc; name" in done.err
