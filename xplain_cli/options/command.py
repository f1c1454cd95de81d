"""A command of the tool: the options that it takes, their values, and the function that it runs."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from xplain_cli.options.completion import completer
from xplain_cli.options.declare import LISTS, Option, options_of

G = TypeVar("G")


@dataclass(frozen=True)
class Options:
    """
    The options of one command after flags, environment, project file and defaults.

    Attributes
    ----------
    values : dict
        Every option of the command, by name.
    named : frozenset of str
        The options that a flag, the environment or the project file names.
    typed : frozenset of str
        Those of them that stand on the command line.
    project_file : str or None
        The project file that was read, relative to the working directory.
    notes : tuple of str
        Lines to print: the file that was read, variables that mean nothing.
    signature : tuple of str
        Of a MODEL that is a folder, the file that says the columns, and these columns.
    """

    values: dict[str, Any]
    named: frozenset[str]
    typed: frozenset[str] = frozenset()
    project_file: str | None = None
    notes: tuple[str, ...] = ()
    signature: tuple[str, ...] = ()

    def group(self, kind: type[G]) -> G:
        """Return the values of a group; what the command does not take keeps its default."""
        group: type = kind
        found = {}
        for one in options_of(group):
            value = self.values.get(one.name, one.default)
            read = one.shape.read if one.shape else None
            found[one.name] = read(value) if read and isinstance(value, str) else value
        return kind(**found)


@dataclass(frozen=True)
class Command:
    """
    A command.

    Attributes
    ----------
    run : callable
        Does the work and returns the exit code; its docstring is the help.
    options : tuple of Option
        What the command takes, in the order of its help.
    lone_word : {"data", "model"}
        What a single positional word is where the environment or the project file names a model.
    """

    run: Callable[[Options], int]
    options: tuple[Option, ...]
    lone_word: Literal["data", "model"] = "data"


def takes(
    *parts: type | tuple[Option, ...], lone_word: Literal["data", "model"] = "data"
) -> Callable[[Callable[[Options], int]], Command]:
    """
    Make a function the Command that takes the options of some groups.

    Parameters
    ----------
    *parts
        Groups, and options of groups (``some``, ``worded``), in the order of the help.
    lone_word
        See ``Command``.

    Raises
    ------
    ValueError
        Two options of one name.
    """
    options = [
        one for part in parts for one in (part if isinstance(part, tuple) else options_of(part))
    ]
    names = [one.name for one in options]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"options declared twice: {', '.join(twice)}")
    return lambda run: Command(run, tuple(options), lone_word)


def _annotation(option: Option) -> Any:
    """Return the type that Typer reads the option's value by."""
    if option.choices:
        return Literal[option.choices]
    if option.kind in LISTS:
        return list[str]
    plain = {"flag": bool, "integer": int, "number": float}
    return plain.get(option.kind, str)


def _parameter(option: Option) -> inspect.Parameter:
    """Return an option as Typer wants it: None where not given, so that others can speak."""
    import typer

    info = (
        typer.Option(
            *option.flags,
            help=option.help,
            metavar=option.metavar or "|".join(option.choices) or None,
            rich_help_panel=option.panel,
            show_default=False,
            autocompletion=completer(option),
        )
        if option.flags
        else typer.Argument(metavar=option.metavar, help=option.help, show_default=False)
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[_annotation(option) | None, info],
    )


def typer_function(
    command: Command, answer: Callable[[Mapping[str, Any]], None]
) -> Callable[..., None]:
    """Return the function that Typer takes a command for; it hands what was typed to *answer*."""
    # Typer reads the signature and calls by keyword, and the names are those of the declarations
    function: Any = lambda **given: answer(given)  # noqa: E731
    function.__name__, function.__doc__ = command.run.__name__, command.run.__doc__
    function.__signature__ = inspect.Signature([_parameter(one) for one in command.options])
    return function  # type: ignore[no-any-return]
