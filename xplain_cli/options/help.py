"""The help of a command: plain text as wide as the terminal, in which everything can be typed.

Typer's own help reads texts as markup, in which ``A:vs:B`` is a picture and what stands in
brackets a style, and it breaks words that a reader would copy.
"""

import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

_WIDEST, _NARROWEST = 110, 40
_COLUMN = 28  # where what an option means begins
_BOLD, _RESET = "\x1b[1m", "\x1b[0m"
_EXAMPLE = "Example: "
_OTHER = "Messages and settings"  # the heading of what no group declares, such as --help
ENDINGS = (
    "Exit codes: 0 done, 1 a gate was not met, 2 usage, 3 a file refused or unwritable, 4 too many"
    " failed rows, 5 a bug (--debug shows the trace), 130 Ctrl-C, 141 closed pipe, 143 SIGTERM."
)
READ_ON = (
    "Read on: xplain explain TERM says what a word of the output means; README.md has the rest."
    " XPLAIN_NAME in the environment, or NAME in xplain.toml, sets any option."
)


def _width() -> int:
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return a paragraph in lines; no word is broken, for it may be typed."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _entry(name: str, meaning: str, width: int) -> Iterator[str]:
    """Yield the lines of one option: its name, and beside or under it what it means."""
    lines = _wrapped(meaning, width, " " * _COLUMN)
    head = f"  {name}"
    if lines and len(head) + 2 <= _COLUMN:
        yield head.ljust(_COLUMN) + lines[0].lstrip()
        yield from lines[1:]
    else:
        yield head
        yield from lines


def _typed(param: Any) -> str:
    """Return an option as it is typed: its short flag first, then what its value is called."""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper())
    flags = ", ".join(sorted(param.opts, key=len))
    if param.secondary_opts:
        return f"{flags} / {', '.join(param.secondary_opts)}"
    return f"{flags} {param.metavar}" if param.metavar else flags


def _by_panel(params: Iterable[Any]) -> dict[str, list[Any]]:
    """Return the options under their headings, those without one last."""
    panels: dict[str, list[Any]] = {}
    rest = []
    for param in params:
        if param.param_type_name == "argument":
            panels.setdefault("Arguments", []).append(param)
        elif panel := getattr(param, "rich_help_panel", None):
            panels.setdefault(panel, []).append(param)
        else:
            rest.append(param)
    if rest:
        panels.setdefault(_OTHER, []).extend(rest)
    return panels


def _said(text: str, width: int) -> tuple[list[str], list[str]]:
    """Return the lines of a docstring in paragraphs, and its examples."""
    paragraphs, examples = [], []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith(_EXAMPLE):
            found = paragraph.replace("\\\n", " ").splitlines()
            examples += [" ".join(line.removeprefix(_EXAMPLE).split()) for line in found]
        else:
            paragraphs += [*_wrapped(" ".join(paragraph.split()), width), ""]
    return paragraphs, examples


def _bold(text: str) -> str:
    """Return a heading, bold where that can be seen."""
    shown = sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return f"{_BOLD}{text}{_RESET}" if shown and not os.environ.get("NO_COLOR") else text


def _section(heading: str, lines: Sequence[str]) -> list[str]:
    return [_bold(heading), *lines, ""] if lines else []


def help_page(context: Any, commands: Sequence[tuple[str, str]] = ()) -> str:
    """
    Return the help of a command.

    Parameters
    ----------
    context : Typer context
        What is parsed: the command with its docstring and options, and how it is typed.
    commands
        Further commands and what they do, of the tool itself.
    """
    width, params = _width(), context.command.get_params(context)
    arguments = [_typed(one) for one in params if one.param_type_name == "argument"]
    after = ["COMMAND ..."] if commands else [f"[{name}]" for name in arguments]
    paragraphs, examples = _said(context.command.help or "", width)
    lines = [
        " ".join([_bold("Usage:"), context.command_path, "[OPTIONS]", *after]),
        "",
        *paragraphs,
    ]
    entries = [line for name, said in commands for line in _entry(name, said, width)]
    lines += _section("Examples" if examples[1:] else "Example", [f"  {one}" for one in examples])
    lines += _section("Commands", entries)
    for heading, panel in _by_panel(params).items():
        entries = [line for one in panel for line in _entry(_typed(one), one.help or "", width)]
        lines += _section(heading, entries)
    return "\n".join([*lines, *_wrapped(ENDINGS, width), *_wrapped(READ_ON, width)]) + "\n"


class HelpfulCommand(TyperCommand):
    """A command of Typer whose help is a ``help_page``."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; the names are Typer's."""
        formatter.write(help_page(ctx))


class HelpfulGroup(TyperGroup):
    """The tool itself, whose help names the commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; the names are Typer's."""
        found = [
            (name, (command.help or "").split("\n\n")[0]) for name, command in self.commands.items()
        ]
        formatter.write(help_page(ctx, found))
