"""What a command is run with, what it leaves, and how that is read."""

import contextlib
import csv
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from xplain_cli.workers.template import can_fork, fork

forks = pytest.mark.skipif(not can_fork(), reason="this system does not fork")
SMALL = ("-n", "128", "-r", "3")


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Case:
    """A stored model and a table to explain."""

    model: Path
    data: Path


def until(condition, seconds=150):
    """Return what holds at last; nothing else says when another process has come so far."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def environment(**extra):
    """Return the environment without XPLAIN_* and without colours, with *extra* variables."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("XPLAIN_")}
    fixed = {"TYPER_USE_RICH": "0", "TERMINAL_WIDTH": "100"}
    return clean | fixed | extra


def run_in(folder, *words):
    """Run ``xplain`` in this process and in a folder, for fixtures that outlive a test."""
    from xplain_cli.main import main

    with contextlib.chdir(folder), pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    assert ending.value.code == 0


def copied(folder, to):
    """Copy what a fixture made once into the folder of a test, which may spoil it."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return to


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bytes_of(folder, name="weights.csv"):
    return (folder / name).read_bytes()


def command(case, *options):
    return ("tabular", case.model, case.data, *SMALL, "--rows", "0:5", *options)


class Forked:
    """
    A run in a process of its own that is forked from this one, so that nothing is imported anew.

    Parameters
    ----------
    folder
        Where it works, and where what it says on stdout and stderr is: ``said.out``, ``said.err``.
    words
        The command line.
    given
        What is piped into it; None: its stdin is empty.
    """

    def __init__(self, folder, *words, given=None):
        self.said = folder / "said.err"
        self.code = None
        if given is None:
            stdin = os.open(os.devnull, os.O_RDONLY)
        else:
            stdin, pipe = os.pipe()
            os.write(pipe, given.encode())
            os.close(pipe)
        self.pid = fork()
        if self.pid == 0:
            try:
                self._become(folder, stdin)
                self._run([str(word) for word in words])
            finally:
                os._exit(99)
        os.close(stdin)

    def _become(self, folder, stdin):
        """Stand for a fresh process: a session, a folder, an environment and streams of its own."""
        os.setsid()
        clean = environment()
        os.environ.clear()
        os.environ.update(clean)
        os.chdir(folder)
        os.dup2(stdin, 0)
        for number, path in ((1, folder / "said.out"), (2, self.said)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", closefd=False)
            for number, mode in enumerate("rww")
        )

    def _run(self, words):
        from xplain_cli.main import main

        try:
            main(words)
        except SystemExit as ending:
            os._exit(ending.code)

    def poll(self):
        """Return the exit code, negative for a signal; None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, seconds=60):
        """Return the exit code, or None if it still runs after some seconds."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.code

    def signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """End it, and only it."""
        self.signal(signal.SIGKILL)
        self.wait()

    def end(self):
        """End it and all that it began."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()
