"""Raises what a room was up against as an error of the same kind: nothing of the room is run."""

import builtins
from collections.abc import Mapping
from typing import Any, NoReturn

from xplain_cli import errors
from xplain_cli.models.contract import OtherModalityError, UnableError, WrongLengthError

_OURS: Mapping[str, type[Exception]] = {
    one.__name__: one
    for one in (
        errors.XplainError,
        errors.UsageError,
        errors.RefusedError,
        errors.FailedRowsError,
        errors.ExitCalledError,
        WrongLengthError,
    )
}
_BUILT_IN = (
    *("ArithmeticError", "AttributeError", "ImportError", "IndexError", "KeyError", "LookupError"),
    *("MemoryError", "NotImplementedError", "RecursionError", "RuntimeError", "TypeError"),
    *("ValueError", "ZeroDivisionError", "OverflowError", "FloatingPointError", "AssertionError"),
)
_LONGEST = 20_000  # characters of a text


class RoomError(Exception):
    """Code in a room raised an error that is none of ours; its class has the name of that one."""

    def __str__(self) -> str:
        """Return what that one said, in its own words."""
        return str(self.args[0]) if self.args else ""


def _named(kind: str, text: str) -> Exception:
    """Return an error whose class has the name of another, and its kind where that is known."""
    name = kind if kind.isidentifier() and len(kind) < 100 else "Error"
    bases = (RoomError, getattr(builtins, name)) if name in _BUILT_IN else (RoomError,)
    made: Exception = type(name, bases, {})(text)
    return made


def _own(kind: str, text: str, details: Mapping[str, str]) -> Exception | None:
    if kind == "OtherModalityError":
        modality = details.get("modality", "")
        return OtherModalityError(text.removesuffix(f"; xplain {modality} explains it"), modality)
    if kind == "UnableError":
        return UnableError(details.get("reason", text), details.get("instead", ""))
    made = _OURS.get(kind)
    return None if made is None else made(text)


def raise_told(told: Mapping[str, Any]) -> NoReturn:
    """Raise the error that a room tells of as plain values, with its cause."""
    kind, text = str(told["kind"])[:200], str(told["text"])[:_LONGEST]
    details = {str(name): str(value) for name, value in dict(told["details"]).items()}
    error = _own(kind, text, details) or _named(kind, text)
    error.add_note(f"in the process of the model:\n{str(told['trace'])[:_LONGEST]}")
    if told["cause"] is None:
        raise error
    cause_kind, cause_text = (str(one)[:_LONGEST] for one in told["cause"])
    raise error from (_own(cause_kind, cause_text, {}) or _named(cause_kind, cause_text))
