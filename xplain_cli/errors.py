"""The errors that a user can act on, each with the exit code of the process.

XplainError (5)
  x UsageError (2)      the command line, the project file, or a clash of plans
  x RefusedError (3)    a file, a table or a model that is refused, unreadable or unwritable
    x ModelDiedError    the process that holds the model ended while it was asked
  x FailedRowsError (4) the run finished, or stopped, with too many failed rows

A missed gate is no error: the run is finished, and its exit code is 1.

A message says what is wrong, where, and what to do: one line, lower case, no full stop.
"""

import builtins
import contextlib
import difflib
import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import TextIO

_DISTRIBUTION = "xplain-cli"


class XplainError(Exception):
    """An error with a message for the user; its class decides the exit code."""

    exit_code = 5


class UsageError(XplainError):
    """The command line, the environment or the project file asks for something impossible."""

    exit_code = 2


class RefusedError(XplainError):
    """A file is refused, unreadable or unwritable."""

    exit_code = 3


class ModelDiedError(RefusedError):
    """
    The process that holds a model ended, or had to be ended, while it was asked.

    Attributes
    ----------
    reason
        How, said of the process: ``ended with exit code 0``.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class LostRowError(RefusedError):
    """Nothing can be said of one row, for a reason of its own; others are not touched by it."""


class FewRowsError(RefusedError):
    """Too few rows stand for the training distribution: how many, and of which file."""

    def __init__(self, message: str, path: str, rows: int) -> None:
        super().__init__(message)
        self.path, self.rows = path, rows


class FailedRowsError(XplainError):
    """More rows failed than --max-failed tolerates."""

    exit_code = 4


def well_formed(text: str) -> str:
    """Return a text without lone surrogates, which no table and no file can hold: spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


MOST_QUOTED = 200
"""Characters that a message quotes of what somebody else's code said."""


def words_of(error: BaseException) -> str:
    """Return what an error says; nothing where somebody else's error cannot even say that."""
    try:
        return str(error)
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException:  # noqa: BLE001  its words are somebody else's code, and may do anything
        return ""


def shortened(text: str) -> str:
    """Return a text in one line, cut to what a message may quote."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_QUOTED else f"{line[: MOST_QUOTED - 3]}..."


LEFT_OUT = "(what it said may quote a value, and is left out)"


def _bounded(text: str, cause: BaseException | None, *, shown: bool) -> str:
    """Return a message with what it quotes of its cause cut, or left out."""
    if cause is None or isinstance(cause, (XplainError, OSError)):
        return text
    words = words_of(cause)
    quoted = [words, " ".join(words.split()), *words.splitlines()[:1]]
    found = next((one for one in quoted if one and one in text), None)
    return text if found is None else text.replace(found, shortened(found) if shown else LEFT_OUT)


_SUSPECTS: ContextVar[list[Callable[[], str | None]] | None] = ContextVar("suspects", default=None)


@contextlib.contextmanager
def suspecting() -> Iterator[Callable[[], str | None]]:
    """Collect what is suspected meanwhile; yield what says which of it is to blame, if any is."""
    noted: list[Callable[[], str | None]] = []
    before = _SUSPECTS.set(noted)
    try:
        yield lambda: next(filter(None, (flaw() for flaw in noted)), None)
    finally:
        _SUSPECTS.reset(before)


def suspect(flaw: Callable[[], str | None]) -> None:
    """
    Note files that are read as this tool wrote them: an error over altered ones is no bug.

    Parameters
    ----------
    flaw
        Says what is wrong with them, or None; it is asked only after an error that nothing else
        explains.
    """
    noted = _SUSPECTS.get()
    if noted is not None:
        noted.append(flaw)


_QUOTED: ContextVar[bool | None] = ContextVar("quoted", default=None)
"""Whether what other people's code says may be quoted here; None: nobody has said."""


def _cut_warnings() -> None:
    """Show warnings from now on as the thread that raises them may quote; once is enough."""
    show = warnings.showwarning
    if hasattr(show, "cuts"):
        return

    def cut(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        quoted = _QUOTED.get()
        if quoted is not None:
            message = shortened(str(message)) if quoted else LEFT_OUT
        show(message, category, filename, lineno, file, line)

    vars(cut)["cuts"] = True
    warnings.showwarning = cut


@contextlib.contextmanager
def quoting(*, shown: bool) -> Iterator[None]:
    """
    Cut what errors and warnings quote of other people's code; not *shown*, leave it out.

    Models and libraries write the values that they were given into their messages.
    """
    before = _QUOTED.set(shown)
    _cut_warnings()
    try:
        yield
    except XplainError as error:
        text = _bounded(str(error), error.__cause__, shown=shown)
        if text != str(error):
            error.args = (text,)
        vars(error)["quotable"] = shown
        raise
    except Exception as error:
        vars(error)["quotable"] = shown
        raise
    finally:
        _QUOTED.reset(before)


def is_quotable(error: Exception) -> bool:
    """Return whether a trace may quote what an error, and its causes, say; see ``quoting``."""
    return bool(vars(error).get("quotable", True))


class Terminated(SystemExit):
    """A signal asks the process to end; blocks of ``finally`` and worker pools clean up first."""


class ExitCalledError(RuntimeError):
    """The code of a model called ``sys.exit``, or raised what only the program may raise."""


@contextlib.contextmanager
def exits_caught() -> Iterator[None]:
    """
    Turn an attempt of somebody else's code to end the program into an error of that code.

    Raises
    ------
    ExitCalledError
        It raised ``SystemExit``, or another exception that no ``except Exception`` catches. What
        the user does, by Ctrl-C or a signal, passes.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt, Terminated, GeneratorExit):
        raise
    except SystemExit as ending:
        raise ExitCalledError(f"called sys.exit({ending.code!r})") from ending
    except BaseException as ending:
        raise ExitCalledError(f"raised {type(ending).__name__}") from ending


@contextlib.contextmanager
def staying(source: str) -> Iterator[None]:
    """Refuse the code of a model that would end the program, as scripts do on import."""
    try:
        with exits_caught():
            yield
    except ExitCalledError as error:
        raise RefusedError(
            f"{source}: its code ended the program ({error}); move what a script does under"
            " if __name__ == '__main__', and let functions raise an error"
        ) from error


def nearest(word: str, known: Iterable[str], option: str = "") -> str:
    """
    Return ``"; did you mean 'x'?"`` for the known words nearest to *word*, else ``""``.

    Parameters
    ----------
    option
        An option of names that are parted at commas: names that hold one are shown as they are
        typed there.
    """
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    if option:
        close += [name for name in known if name.startswith(f"{word},")][: 3 - len(close)]
    shown = [naming(option, one) if option and "," in one else repr(one) for one in close]
    return f"; did you mean {' or '.join(dict.fromkeys(shown))}?" if close else ""


def naming(option: str, name: str, value: str = "") -> str:
    """
    Return what to type so that an option means the column *name*, whatever is in it.

    Parameters
    ----------
    value
        Of an option of pairs, whose names are not parted at commas: "=text".
    """
    from shlex import quote

    if value:
        name += value
    elif "," in name or name != name.strip() or name.startswith('"'):
        name = '"' + name.replace('"', '""') + '"'
    return f"{option}{'=' if name.startswith('-') else ' '}{quote(name)}"


_SPELLED_AN = frozenset("AEFHILMNORSX")
_LIKE_YOU_OR_ONE = ("one", "uni", "use", "eu")


def with_article(name: str) -> str:
    """Return "a Pipeline", "an AdditiveChi2Sampler", "an SVC", "a OneClassSVM"."""
    if name[:2].isupper() and name[:2].isalpha():  # spelled out, letter by letter
        vowel = name[0] in _SPELLED_AN
    else:
        word = name.lower()
        vowel = word[:1] in {*"aeiou"} and not word.startswith(_LIKE_YOU_OR_ONE)
    return f"{'an' if vowel else 'a'} {name}"


def counted(number: int, noun: str = "row") -> str:
    """Return "1 row", "2 rows", "1,000 rows"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def kind_of(error: BaseException, *, quotes: bool = True) -> str:
    """
    Return the kind of an error.

    Parameters
    ----------
    quotes
        False: the nearest kind that Python has, for a class of somebody else's may be named by
        what a row holds.
    """
    for kind in type(error).__mro__:
        if quotes or vars(builtins).get(kind.__name__) is kind or kind.__module__ == __name__:
            return kind.__name__
    raise AssertionError


def summed_up(error: Exception, *, quotes: bool = True) -> str:
    """
    Return the kind of an error and what it says, in one line of at most 200 characters.

    Parameters
    ----------
    quotes
        Whether it may be quoted: what a model says of a row often holds the row's values.
    """
    kind, text = kind_of(error, quotes=quotes), " ".join(words_of(error).split())
    if not quotes or not text:
        return kind
    return shortened(f"{kind}: {text}")


def install_line(extra: str) -> str:
    """
    Return what to type for an extra: its packages by name, wherever xplain itself came from.

    A wheel, a clone that is gone by now or an index: only the packages are everywhere the same.
    """
    import importlib.metadata
    import re
    import sys

    try:
        wanted = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:  # run from its source
        return f"pip install '{_DISTRIBUTION}[{extra}]'"
    found = []
    for package, _, marker in (one.partition(";") for one in wanted):
        if re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", marker) is None:
            continue
        system = re.search(r"sys_platform (==|!=) ['\"](\w+)['\"]", marker)
        if system is None or (system[2] == sys.platform) == (system[1] == "=="):
            found.append(f"'{package.strip()}'")
    return f"pip install {' '.join(found)}"


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
        raise UsageError(f"this needs the package {package!r}: {install_line(extra)}") from error
