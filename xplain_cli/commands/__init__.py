"""The commands that a user types: file = command = function, in one table."""

import contextlib
import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import xplain_cli
from xplain_cli.commands import baselines
from xplain_cli.commands.demo import demo
from xplain_cli.commands.diff import diff
from xplain_cli.commands.evaluate import evaluate
from xplain_cli.commands.explain import explain
from xplain_cli.commands.gate import gate
from xplain_cli.commands.image import image
from xplain_cli.commands.inspect import inspect
from xplain_cli.commands.merge import merge
from xplain_cli.commands.reasons import reasons
from xplain_cli.commands.report import report
from xplain_cli.commands.selftest import selftest
from xplain_cli.commands.show import show
from xplain_cli.commands.summary import summary
from xplain_cli.commands.tabular import tabular
from xplain_cli.commands.text import text
from xplain_cli.commands.verify import verify
from xplain_cli.errors import staying
from xplain_cli.options.command import Command, typer_function
from xplain_cli.options.help import HelpfulCommand, HelpfulGroup
from xplain_cli.options.project import resolve

COMMANDS: dict[str, Command] = {
    "tabular": tabular,
    "text": text,
    "image": image,
    "inspect": inspect,
    "demo": demo,
    "show": show,
    "summary": summary,
    "gate": gate,
    "diff": diff,
    "evaluate": evaluate,
    "merge": merge,
    "report": report,
    "explain": explain,
    "verify": verify,
    "reasons": reasons,
    "selftest": selftest,
    "baselines train": baselines.train,
    "baselines show": baselines.show,
}
GROUPS = {"baselines": "Baselines that are learned for a model: train one, show one."}
"""What commands of two words begin with, and what these are about."""

_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


def _show_version(value: bool) -> None:  # noqa: FBT001 - Typer hands it over by place
    if value:
        typer.echo(f"xplain {xplain_cli.__version__}")
        raise typer.Exit


def xplain(
    _version: Annotated[
        bool | None,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = None,
) -> None:
    """
    Explain the decisions of a model on every row, with the errors beside the weights.

    xplain COMMAND --help tells what a command takes.

    Example: xplain tabular model.pkl data.csv
    Example: xplain text model.pkl comments.csv --text-column CONTENT --top-k 10
    Example: xplain image model.onnx photos/*.jpg --rescale 1/255
    """


def make_app(
    commands: Mapping[str, Command],
    only: Container[str] | None = None,
    parsed: Callable[[], None] = lambda: None,
) -> typer.Typer:
    """
    Return the command line of some commands by name.

    Parameters
    ----------
    only
        What of it will be typed.
    parsed
        Called when the options are read, before a command runs.
    """
    app = typer.Typer(
        cls=HelpfulGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # it reads A:vs:B as a picture
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(xplain)

    def add(name: str, command: Command) -> None:
        def answer(given: Mapping[str, Any]) -> None:
            parsed()
            options = resolve(name, given, os.environ, Path(), commands)
            # whatever code of a user's the command runs, only the command says how it ended
            with staying(str(options.values.get("model") or name)):
                code = command.run(options)
            raise typer.Exit(code)

        group, _, last = name.rpartition(" ")
        place = groups[group] if group else app
        place.command(last, cls=HelpfulCommand)(typer_function(command, answer))

    groups = {
        name: typer.Typer(
            cls=HelpfulGroup,
            no_args_is_help=True,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
        )
        for name in dict.fromkeys(name.split()[0] for name in commands if " " in name)
    }
    for name, group in groups.items():
        app.add_typer(group, name=name, help=GROUPS.get(name))
    for name, command in commands.items():
        if only is None or name in only:
            add(name, command)
    return app


@contextlib.contextmanager
def without_plugins() -> Iterator[None]:
    """Let pydantic, by which Typer reads options, look for no plugins in all that is installed."""
    kept = os.environ.get(_PLUGINS)
    os.environ[_PLUGINS] = "__all__"
    try:
        yield
    finally:
        del os.environ[_PLUGINS]
        if kept is not None:
            os.environ[_PLUGINS] = kept


def app_for(argv: Sequence[str], parsed: Callable[[], None] = lambda: None) -> typer.Typer:
    """
    Return the command line that can read some words.

    Where the first word is a command, it has this one alone: Typer looks at all options of all
    commands that it is given, which takes longer than many a command does.
    """
    named = argv[0] if argv else ""
    return make_app(COMMANDS, {named} if named in COMMANDS else None, parsed)
