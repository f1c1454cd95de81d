"""The door: signals, the boundary where errors become lines and exit codes."""

import atexit
import contextlib
import errno
import gc
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NoReturn, TextIO

from xplain_cli.console import Console
from xplain_cli.errors import Terminated, XplainError, is_quotable, summed_up, suspecting

INTERRUPTED = 130
CLOSED_PIPE = 141
BUG = 5
REFUSED = 3

# Imports make some 300,000 objects that stay: looking for garbage among them after every 700 takes
# a tenth of a short job. `jobs.schedule` puts Python's own number back for the work.
_COLLECT_AFTER = 500_000
_LOGGING = 1  # what the import of `logging` registers


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    # `timeout` and others signal the process and then its group: the second must not cut the
    # clean-up short, for workers would be left behind
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(128 + number)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn SIGTERM and a closed terminal into Terminated, unless the caller has them ignored."""
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ended(ending: SystemExit) -> int:
    """Return the exit code of Typer's ending; what Typer calls 1 is never a missed gate."""
    if isinstance(ending.__context__, BrokenPipeError):
        return CLOSED_PIPE
    if isinstance(ending.__cause__ or ending.__context__, EOFError):
        return BUG
    return ending.code if isinstance(ending.code, int) else int(ending.code is not None)


def _asked(argv: Sequence[str], flag: str) -> bool:
    """Say whether a flag was given, before anything has read the options."""
    variable = "XPLAIN_" + flag.lstrip("-").replace("-", "_").upper()
    return flag in argv or os.environ.get(variable, "").lower() in {"1", "true"}


def _tell(
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001 - the names are those of warnings.showwarning
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Say a warning of a library in one line, as the tool says its own."""
    Console(log_json=_asked(sys.argv, "--log-json")).warn(f"{category.__name__}: {message}")


def _run(argv: Sequence[str]) -> int:
    """Run the command line; return its exit code."""
    os.environ.setdefault("TYPER_USE_RICH", "0")  # it takes a CI for a terminal, and A:vs:B for art
    from xplain_cli.commands import app_for, without_plugins

    warnings.showwarning = _tell
    try:
        with contextlib.ExitStack() as parsing:
            parsing.enter_context(without_plugins())  # a command, and code of the user's, has them
            app_for(argv, parsing.close)(args=list(argv), prog_name="xplain")
    except Terminated:
        raise
    except SystemExit as ending:
        return _ended(ending)
    return 0


def _explain(
    error: Exception,
    console: Console,
    blame: Callable[[], str | None],
    *,
    debug: bool,
    quotes: bool,
) -> int:
    """Say what went wrong; return the exit code."""
    if debug:
        told = (
            traceback.format_exception(error)
            if quotes
            else traceback.format_tb(error.__traceback__)
        )
        console.trace("".join(told))
    if isinstance(error, XplainError):
        console.error(str(error))
        return error.exit_code
    if isinstance(error, OSError):
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}  # files of runs say their names
        nameless = "stdout: " if full else "cannot read or write: "
        place = f"{error.filename}: " if error.filename else nameless
        console.error(f"{place}{error.strerror or error}")
        return REFUSED
    if altered := blame():
        console.error(altered)
        return REFUSED
    hint = "" if debug else "; run again with --debug for the trace"
    console.error(f"bug: {summed_up(error, quotes=quotes)}; please report{hint}")
    return BUG


def _guarded(argv: Sequence[str]) -> int:
    """Run the command line; turn every way to fail into an exit code."""
    debug = _asked(argv, "--debug")
    console = Console(log_json=_asked(argv, "--log-json"))
    with suspecting() as blame:
        try:
            with _signals():
                code = _run(argv)
            if code == INTERRUPTED:
                console.error("interrupted")
        except KeyboardInterrupt:
            console.error("interrupted")
            return INTERRUPTED
        except Terminated as ending:
            console.error("terminated")
            return int(ending.code or 0)
        except BrokenPipeError:
            return CLOSED_PIPE
        except Exception as error:  # noqa: BLE001  the boundary: nothing may pass it
            # flags speak before options are read; who has read them, a project file too, marks
            # errors
            secret = any(_asked(argv, flag) for flag in ("--no-values", "--hash-units"))
            quotes = is_quotable(error) and not secret
            return _explain(error, console, blame, debug=debug, quotes=quotes)
    return code


def _flushed(code: int) -> int:
    """Flush what is left to print; return the exit code, another one if that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            # what cannot be written now must not be tried again when the interpreter ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                code = CLOSED_PIPE
            elif stream is sys.stdout:  # talk that cannot be told must not change what is done
                Console().error(f"cannot write to stdout: {error.strerror}")
                code = code or REFUSED
    return code


class _Ending:
    """
    The last thing that the process does: nothing is taken apart that dies with it.

    Python would empty the modules one by one, a tenth of a second in a short job. What anybody
    registers later is done before; where somebody has registered before (one who measures which
    lines are run, say), whose turn would come after it, Python ends the process as ever.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        earlier = getattr(atexit, "_ncallbacks", lambda: _LOGGING + 1)()
        if earlier <= _LOGGING:
            atexit.register(self._end)

    def _end(self) -> None:
        if self.code is not None:
            logging.shutdown()
            os._exit(_flushed(self.code))


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """
    Run ``xplain`` and leave with its exit code.

    Exit codes: 0 done, 1 a gate was not met, 2 usage, 3 a file refused, 4 too many failed rows,
    5 a bug, 130 Ctrl-C, 141 closed pipe, 143 SIGTERM.
    """
    sys.exit(_flushed(_guarded(sys.argv[1:] if argv is None else argv)))


def command() -> NoReturn:
    """Run ``xplain`` as a process of its own, and end it."""
    ending = _Ending()
    gc.set_threshold(_COLLECT_AFTER)
    ending.code = _flushed(_guarded(sys.argv[1:]))
    sys.exit(ending.code)
