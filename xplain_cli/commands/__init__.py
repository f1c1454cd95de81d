"""What a user types; file = command = function. What is heavy is imported inside a command."""

from typing import Annotated

import typer

import xplain_cli
from xplain_cli.commands.evaluate import evaluate
from xplain_cli.commands.gate import gate
from xplain_cli.commands.image import image
from xplain_cli.commands.inspect import inspect
from xplain_cli.commands.merge import merge
from xplain_cli.commands.report import report
from xplain_cli.commands.tabular import tabular
from xplain_cli.commands.text import text

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"xplain {xplain_cli.__version__}")
        raise typer.Exit


@app.callback()
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

    Example: xplain tabular model.pkl data.csv
    """


app.command()(tabular)
app.command()(text)
app.command()(image)
app.command()(inspect)
app.command()(gate)
app.command()(evaluate)
app.command()(merge)
app.command()(report)
