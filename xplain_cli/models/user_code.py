"""Where code that the user names is run: here, or in a process that may be lost with it."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Runner: TypeAlias = Callable[..., Any]
"""Calls a function with values, in this process or in another one."""

_RUNNERS: list[Runner] = []


@contextlib.contextmanager
def run_user_code_by(runner: Runner | None) -> Iterator[None]:
    """
    Let ``run_user_code`` call everything by *runner* meanwhile; None: in this process itself.

    A process that must not end by what the user's code does says so once.
    """
    before = _RUNNERS[:]
    _RUNNERS[:] = [] if runner is None else [runner]
    try:
        yield
    finally:
        _RUNNERS[:] = before


def run_user_code(work: Callable[..., Any], *values: Any) -> Any:
    """
    Return ``work(*values)``, called where code of the user may run.

    Parameters
    ----------
    work
        A function of this program, by itself at the top of a module, that calls the user's.
    values
        What it is called with; they and what it returns must be plain values.
    """
    for runner in _RUNNERS:
        return runner(work, *values)
    return work(*values)
