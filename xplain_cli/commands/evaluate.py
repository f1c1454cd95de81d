"""``xplain evaluate``: how well a finished run says what the model does."""

import os
from pathlib import Path

import typer

from xplain_cli.console import open_console
from xplain_cli.options import baseline_flags as b
from xplain_cli.options import flags as o
from xplain_cli.options.project import resolve


def evaluate(
    output: o.RunWord = None,
    model: o.Model = None,
    data: o.Data = None,
    baseline: b.Common = None,
    trust_model: o.TrustModel = None,
    trusted: o.Trusted = None,
    python_path: o.PythonPath = None,
    config: o.Config = None,
    quiet: o.Quiet = None,
    debug: o.Debug = None,
) -> None:
    """
    Measure a finished run by asking the model again: deletion and insertion, infidelity.

    Example: xplain evaluate xplain-out --model model.pkl --data data.csv
    """
    resolved = resolve("evaluate", locals(), os.environ, Path())
    values = resolved.values
    run = values["output"] or "xplain-out"
    console = open_console(values, resolved.notes)

    from xplain_cli.jobs.evaluate import evaluate as measure

    code = measure(run, values["model"], tuple(values["data"]), values, console)
    raise typer.Exit(code)
