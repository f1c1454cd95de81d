"""Runs the tool on a terminal of its own, as wide as a test wants it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress

from running import environment

_STYLES = re.compile(r"\x1b\[[0-9;]*m")


def plain(text):
    """Return what a terminal shows without its styles."""
    return _STYLES.sub("", text)


def on_terminal(columns, *words, cwd=None, **extra):
    """Return the exit code of a command, and all that it writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    variables = environment(TERM="xterm-256color", **extra)
    for name in ("COLUMNS", "TERMINAL_WIDTH", "TYPER_USE_RICH", "NO_COLOR", "CI"):
        if name not in extra:
            variables.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "xplain_cli", *map(str, words)],
        cwd=cwd,
        env=variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    shown = bytearray()
    with suppress(OSError):  # the end of a terminal
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    return process.wait(60), shown.decode("utf-8").replace("\r\n", "\n")
