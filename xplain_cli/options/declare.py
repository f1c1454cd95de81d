"""
Declares an option once, as a field of a frozen group.

    @dataclass(frozen=True, kw_only=True)
    class Sampling:
        panel: ClassVar = "Samples"

        samples: int | None = option("-n --samples N", "Draws per repeat.", least=1)

The help, the environment variable ``XPLAIN_SAMPLES``, the key ``samples`` of the project file, its
checks and ``request.sampling.samples`` follow from that. A command names the groups that it takes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

Kind = Literal[
    "text", "share", "path", "paths", "integer", "number", "flag", "list", "names", "pairs", "words"
]
LISTS = ("paths", "list", "names", "pairs", "words")

_PLAIN: dict[type, Kind] = {str: "text", int: "integer", float: "number", bool: "flag"}


@dataclass(frozen=True)
class Shape:
    """
    What a text, or each item of a list, must look like.

    Attributes
    ----------
    pattern : Pattern
        The text matches it in full.
    example : str
        Such a value, for the message.
    read : callable or None
        Returns what the text means, which is then the value of the group's field.
    """

    pattern: re.Pattern[str]
    example: str
    read: Callable[[str], object] | None = None


@dataclass(frozen=True, kw_only=True)
class Option:
    """
    One option.

    Attributes
    ----------
    name : str
        The long name with ``_`` for ``-``: the field, the key of the project file and, in capitals
        after ``XPLAIN_``, the environment variable.
    flags : tuple of str
        What is typed; empty for a positional argument.
    metavar : str
        What the help calls the value; empty: by its kind.
    help, panel : str
        What the help says, and under which heading.
    kind : Kind
        "path" and "paths" are relative to the project file that names them. "names" are lists whose
        items may hold several names with commas; "pairs" are lists of NAME=VALUE, or a table. A
        "share" is a number, of a percentage or a unit, as text. "words" are positional and stand
        neither in the environment nor in a project file.
    default : object
        The value where nobody says anything.
    choices : tuple of str
        The values allowed; empty: any.
    least : int or None
        The least integer allowed; a "number" must be above it.
    shape : Shape or None
        What the text, or each item, must look like.
    stored : str
        The key in run_results.json.
    """

    name: str = ""
    flags: tuple[str, ...]
    metavar: str
    help: str
    panel: str = ""
    kind: Kind
    default: object = None
    choices: tuple[str, ...] = ()
    least: int | None
    shape: Shape | None
    stored: str


def _spelled(usage: str) -> tuple[tuple[str, ...], str]:
    """Return the flags and the metavar of "-n --samples N"; without a flag all is metavar."""
    words = usage.split()
    flags = tuple(word for word in words if word.startswith("-"))
    return flags, " ".join(words[len(flags) :])


def option(
    usage: str,
    text: str,
    default: object = None,
    *,
    kind: Kind | None = None,
    least: int | None = None,
    shape: Shape | None = None,
    stored: str = "",
) -> Any:
    """
    Declare an option; the type of the field says the rest (see ``Option``).

    Parameters
    ----------
    usage : str
        Flags and metavar as the help shows them: "-n --samples N". Without a flag: an argument.
    text : str
        The help.
    kind : Kind, optional
        Where the type of the field does not say it: a path, a share, lists other than "list".
    """
    flags, metavar = _spelled(usage)
    declared = Option(
        flags=flags,
        metavar=metavar,
        help=text,
        kind=kind or "text",
        least=least,
        shape=shape,
        stored=stored,
    )
    return field(default=default, metadata={"option": declared, "kind": kind})


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind that a field's type tells, and its choices."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    inner = parts[0] if NoneType in get_args(annotation) else annotation
    if get_origin(inner) is Literal:
        return "text", get_args(inner)
    return ("list" if get_origin(inner) is tuple else _PLAIN[inner]), ()


@cache
def options_of(group: type) -> tuple[Option, ...]:
    """Return the options that the fields of a group declare, in their order."""
    found = []
    for one in fields(group):
        declared: Option = one.metadata["option"]
        stated: Kind | None = one.metadata["kind"]
        kind, choices = (stated, ()) if stated else _kind(one.type)
        found.append(
            replace(
                declared,
                name=one.name,
                panel=getattr(group, "panel", ""),
                kind=kind,
                default=one.default,
                choices=choices,
                stored=declared.stored or one.name,
            )
        )
    return tuple(found)


def some(group: type, *names: str) -> tuple[Option, ...]:
    """Return some options of a group, for a command that takes no more of it."""
    by_name = {one.name: one for one in options_of(group)}
    return tuple(by_name[name] for name in names)


def worded(
    group: type, name: str, text: str, *, usage: str = "", panel: str = ""
) -> tuple[Option, ...]:
    """Return an option of a group in the words of one command: its help, flags or panel."""
    (one,) = some(group, name)
    flags, metavar = _spelled(usage) if usage else (one.flags, one.metavar)
    return (replace(one, flags=flags, metavar=metavar, help=text, panel=panel or one.panel),)
