"""``NAME[:KEY=VALUE,...]`` becomes an object from a shelf, or a "did you mean"."""

import dataclasses
import importlib
import re
import types
import typing
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from xplain_cli.errors import UsageError, nearest

_SETTING = re.compile(
    r"""\s*(?P<key>[^=,\s]+)\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^,]*))\s*(?:,|$)"""
)
T = TypeVar("T")

_YES = {"yes": True, "true": True, "1": True, "on": True}
_NO = {"no": False, "false": False, "0": False, "off": False}


class Shelf(MutableMapping[str, T]):
    """
    Classes or functions by their names, each imported when it is first asked for.

    Parameters
    ----------
    package
        Where their modules lie.
    places
        Of each name ``MODULE:CLASS`` or ``MODULE:FUNCTION``.
    """

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package = package
        self._kinds: dict[str, str | T] = dict(places)

    def __getitem__(self, name: str) -> T:
        kind = self._kinds[name]
        if isinstance(kind, str):
            module, _, own = kind.partition(":")
            kind = getattr(importlib.import_module(f"{self._package}.{module}"), own)
            self._kinds[name] = kind
        return kind

    def __setitem__(self, name: str, kind: T) -> None:
        self._kinds[name] = kind

    def __delitem__(self, name: str) -> None:
        del self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __contains__(self, name: object) -> bool:
        return name in self._kinds


def split_spec(text: str) -> tuple[str, dict[str, str]]:
    """
    Split ``NAME[:KEY=VALUE,...]`` into the name and its settings, as text.

    Values may be quoted with ``"`` or ``'`` to hold commas.

    Raises
    ------
    UsageError
        The settings are not ``KEY=VALUE`` pairs, or a key stands twice.
    """
    name, _, rest = text.partition(":")
    settings: dict[str, str] = {}
    at = 0
    while at < len(rest):
        match = _SETTING.match(rest, at)
        if match is None:
            raise UsageError(f"{text!r}: expected KEY=VALUE at {rest[at:]!r}")
        value = match["double"] or match["single"] or (match["bare"] or "").strip()
        if match["key"] in settings:
            raise UsageError(f"{text!r}: {match['key']!r} stands twice")
        settings[match["key"]] = value
        at = match.end()
    return name.strip(), settings


def _convert(text: str, wanted: Any, *, choices: tuple[str, ...], where: str) -> Any:
    """Turn one setting's text into its field's type."""
    if isinstance(wanted, types.UnionType):
        wanted = next(kind for kind in typing.get_args(wanted) if kind is not type(None))
    if choices and text not in choices:
        raise UsageError(f"{where}: {text!r} is not one of {', '.join(choices)}")
    if wanted is bool:
        value = {**_YES, **_NO}.get(text.lower())
        if value is None:
            raise UsageError(f"{where}: {text!r} is neither yes nor no")
        return value
    if wanted is str:
        return text
    try:
        return wanted(text)
    except ValueError:
        noun = "a whole number" if wanted is int else "a number"
        raise UsageError(f"{where}: {text!r} is not {noun}") from None


def build(text: str, shelf: Mapping[str, type[T]]) -> T:
    """
    Build the object that *text* names from a shelf of frozen dataclasses.

    A field's ``metadata["choices"]`` lists the words it allows, ``metadata["key"]`` is how users
    call it where Python keeps that name for itself; a class may refuse impossible
    values in its ``__post_init__``.

    Raises
    ------
    UsageError
        Unknown name or setting (with the nearest known ones), or a value of the wrong type.
    """
    name, settings = split_spec(text)
    if name not in shelf:
        raise UsageError(
            f"no {name!r} here; there is {', '.join(sorted(shelf))}{nearest(name, shelf)}"
        )
    kind = shelf[name]
    fields = {
        str(field.metadata.get("key", field.name)): field
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]  # every shelf entry is a dataclass
        if field.init
    }
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in fields:
            known = ", ".join(sorted(fields))
            raise UsageError(f"{name}: no setting {key!r}; it has {known}{nearest(key, fields)}")
        choices = tuple(fields[key].metadata.get("choices", ()))
        own = fields[key].name
        values[own] = _convert(value, hints[own], choices=choices, where=f"{name}:{key}")
    return kind(**values)


def settings_of(thing: object) -> dict[str, Any]:
    """
    Return the settings of a shelf object as plain JSON values, for the plan.

    Those whose ``metadata["unsaid"]`` is true stand there only where they are not the default.
    """
    found: dict[str, Any] = dataclasses.asdict(thing)  # type: ignore[call-overload]  # every shelf entry is a dataclass
    for part in dataclasses.fields(thing):  # type: ignore[arg-type]  # the same
        if part.metadata.get("unsaid") and found[part.name] == part.default:
            del found[part.name]
    return found
