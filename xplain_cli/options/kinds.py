"""Of which kind the value of an option is: how it is read, typed and checked."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xplain_cli.errors import UsageError, nearest

Kind = Literal[
    "text", "share", "path", "paths", "integer", "number", "flag", "list", "names", "pairs"
]
LISTS = ("paths", "list", "names", "pairs")

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Setting:
    """
    What one option takes.

    Attributes
    ----------
    kind : Kind
        "path" and "paths" are relative to the project file that names them. "names" are lists
        whose items may hold several names with commas; "pairs" are lists of NAME=VALUE, or a table.
        A "share" is a number, of a percentage or a unit, as text.
    default : object
        The value where nobody says anything.
    least : int or None
        The least integer allowed; a "number" must be above it.
    choices : tuple of str
        The values allowed; empty: any.
    shape : Pattern or None
        What the text, or each item, must look like in full.
    example : str
        A value of that shape, for the message.
    """

    kind: Kind = "text"
    default: object = None
    least: int | None = None
    choices: tuple[str, ...] = ()
    shape: re.Pattern[str] | None = None
    example: str = ""


def split(setting: Setting, items: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items of a list, those of "names" split at their commas."""
    if setting.kind != "names":
        return items
    return tuple(part.strip() for item in items for part in item.split(",") if part.strip())


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{where} is {text!r}; it must be a number") from error


def parse(setting: Setting, text: str, where: str) -> object:
    """
    Return the value that the text of an environment variable stands for.

    Raises
    ------
    UsageError
        The text is no number, or neither true nor false.
    """
    if setting.kind in LISTS:
        separator = os.pathsep if setting.kind == "paths" else ","
        return tuple(part.strip() for part in text.split(separator) if part.strip())
    if setting.kind == "integer":
        try:
            return int(text)
        except ValueError as error:
            raise UsageError(f"{where} is {text!r}; it must be a whole number") from error
    if setting.kind == "number":
        return _number(text, where)
    if setting.kind == "flag":
        if text.lower() not in _TRUE + _FALSE:
            raise UsageError(f"{where} is {text!r}; it must be 1, 0, true or false")
        return text.lower() in _TRUE
    return text


def typed(setting: Setting, value: object, where: str) -> object:
    """
    Return the value of a project-file key in the option's own type.

    Raises
    ------
    UsageError
        The TOML value has the wrong type.
    """
    if setting.kind == "integer" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if setting.kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if setting.kind == "flag" and isinstance(value, bool):
        return value
    if setting.kind in LISTS:
        return _typed_list(setting, value, where)
    if setting.kind == "share" and isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value).removesuffix(".0")
    if setting.kind in {"text", "path", "share"} and isinstance(value, str):
        return value
    wanted = {"integer": "a whole number", "number": "a number", "flag": "true or false"}.get(
        setting.kind, "a string"
    )
    raise UsageError(f"{where} is {value!r}; it must be {wanted}")


def _typed_list(setting: Setting, value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return split(setting, (value,))
    if setting.kind == "pairs" and isinstance(value, Mapping):
        value = [f"{name}={item}" for name, item in value.items()]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)  # an array can hold names with commas: nothing is split
    raise UsageError(f"{where} is {value!r}; it must be a string or an array of strings")


def check(setting: Setting, value: object, where: str) -> None:
    """
    Check a value of the right type against the values allowed.

    Raises
    ------
    UsageError
        It is below the least one, no choice, or of the wrong shape.
    """
    if isinstance(value, float) and not (setting.least or 0) < value < math.inf:
        raise UsageError(f"{where} is {value:g}; it must be a number above {setting.least or 0}")
    if isinstance(value, int) and setting.least is not None and value < setting.least:
        raise UsageError(f"{where} is {value}; it must be at least {setting.least}")
    if setting.choices and value not in setting.choices:
        hint = nearest(str(value), setting.choices)
        raise UsageError(f"{where} is {value!r}; it must be {' or '.join(setting.choices)}{hint}")
    if setting.shape is not None:
        items = value if isinstance(value, tuple) else (value,)
        for item in items:
            if not setting.shape.fullmatch(str(item)):
                raise UsageError(f"{where} is {item!r}; it must look like {setting.example}")
