"""Reads, types and checks the value of an option, whoever gives it."""

import math
import os
import re
from collections.abc import Iterator, Mapping

from xplain_cli.errors import UsageError, nearest
from xplain_cli.options.declare import LISTS, Option

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(?:,|$)')


def _parts(text: str) -> Iterator[str]:
    """Yield what commas part; in double quotes, where one is written twice, they are characters."""
    if "," not in text and not text.startswith('"'):  # blanks around a single name are its own
        yield from [text] if text.strip() else []
        return
    at = 0
    while at < len(text) and (found := _PART.match(text, at)):
        quoted, plain = found.groups()
        if quoted is not None:
            yield quoted.replace('""', '"')
        elif plain.strip():
            yield plain.strip()
        at = found.end()


def split(option: Option, items: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items of a list, those of "names" split at their commas."""
    if option.kind != "names":
        return items
    return tuple(part for item in items for part in _parts(item))


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{where} is {text!r}; it must be a number") from error


def parse(option: Option, text: str, where: str) -> object:
    """
    Return the value that the text of an environment variable stands for.

    Raises
    ------
    UsageError
        The text is no number, or neither true nor false.
    """
    if option.kind in LISTS:
        if option.kind != "paths":
            return tuple(_parts(text))
        return tuple(part.strip() for part in text.split(os.pathsep) if part.strip())
    if option.kind == "integer":
        try:
            return int(text)
        except ValueError as error:
            raise UsageError(f"{where} is {text!r}; it must be a whole number") from error
    if option.kind == "number":
        return _number(text, where)
    if option.kind == "flag":
        if text.lower() not in _TRUE + _FALSE:
            raise UsageError(f"{where} is {text!r}; it must be 1, 0, true or false")
        return text.lower() in _TRUE
    return text


def typed(option: Option, value: object, where: str) -> object:
    """
    Return the value of a project-file key in the option's own type.

    Raises
    ------
    UsageError
        The TOML value has the wrong type.
    """
    if option.kind == "integer" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if option.kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if option.kind == "flag" and isinstance(value, bool):
        return value
    if option.kind in LISTS:
        return _typed_list(option, value, where)
    if option.kind == "share" and isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value).removesuffix(".0")
    if option.kind in {"text", "path", "share"} and isinstance(value, str):
        return value
    wanted = {"integer": "a whole number", "number": "a number", "flag": "true or false"}.get(
        option.kind, "a string"
    )
    raise UsageError(f"{where} is {value!r}; it must be {wanted}")


def _typed_list(option: Option, value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return split(option, (value,))
    if option.kind == "pairs" and isinstance(value, Mapping):
        value = [f"{name}={item}" for name, item in value.items()]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)  # an array can hold names with commas: nothing is split
    raise UsageError(f"{where} is {value!r}; it must be a string or an array of strings")


def check(option: Option, value: object, where: str) -> None:
    """
    Check a value of the right type against the values allowed.

    Raises
    ------
    UsageError
        It is below the least one, no choice, or of the wrong shape.
    """
    if isinstance(value, float) and not (option.least or 0) < value < math.inf:
        raise UsageError(f"{where} is {value:g}; it must be a number above {option.least or 0}")
    if isinstance(value, int) and option.least is not None and value < option.least:
        raise UsageError(f"{where} is {value}; it must be at least {option.least}")
    if option.choices and value not in option.choices:
        hint = nearest(str(value), option.choices)
        raise UsageError(f"{where} is {value!r}; it must be {' or '.join(option.choices)}{hint}")
    if option.shape is not None:
        items = value if isinstance(value, tuple) else (value,)
        for item in items:
            if not option.shape.pattern.fullmatch(str(item)):
                raise UsageError(f"{where} is {item!r}; it must look like {option.shape.example}")
