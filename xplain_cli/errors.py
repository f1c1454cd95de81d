"""The errors that a user can act on, each with the exit code of the process.

XplainError (5)
  x UsageError (2)      the command line, the project file, or a clash of plans
  x RefusedError (3)    a file, a table or a model that is refused, unreadable or unwritable
  x FailedRowsError (4) the run finished, or stopped, with too many failed rows

A missed gate is no error: the run is finished, and its exit code is 1.

A message says what is wrong, where, and what to do: one line, lower case, no full stop.
"""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class XplainError(Exception):
    """An error with a message for the user; its class decides the exit code."""

    exit_code = 5


class UsageError(XplainError):
    """The command line, the environment or the project file asks for something impossible."""

    exit_code = 2


class RefusedError(XplainError):
    """A file is refused, unreadable or unwritable."""

    exit_code = 3


class FailedRowsError(XplainError):
    """More rows failed than --max-failed tolerates."""

    exit_code = 4


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known words nearest to *word*, else ``""``."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


_LONGEST = 200


def summed_up(error: Exception, *, quotes: bool = True) -> str:
    """
    Return the kind of an error and what it says, in one line of at most 200 characters.

    Parameters
    ----------
    quotes
        Whether it may be quoted: what a model says of a row often holds the row's values.
    """
    kind, said = type(error).__name__, " ".join(str(error).split())
    if not quotes or not said:
        return kind
    whole = f"{kind}: {said}"
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 3]}..."


def require(package: str, extra: str) -> ModuleType:
    """
    Import an optional package.

    Raises
    ------
    UsageError
        The package is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UsageError(
            f"this needs the package {package!r}: pip install 'xplain-cli[{extra}]'"
        ) from error
