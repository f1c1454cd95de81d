"""``xplain report``: one HTML page of a finished run."""

import os
from pathlib import Path

import typer

from xplain_cli.console import open_console
from xplain_cli.options import flags as o
from xplain_cli.options import job_flags as j
from xplain_cli.options.project import resolve


def report(
    output: o.RunWord = None,
    report: j.Page = None,
    config: o.Config = None,
    quiet: o.Quiet = None,
    debug: o.Debug = None,
) -> None:
    """
    Write one HTML page of a finished run: what was explained, how far to trust it, and why.

    Example: xplain report xplain-out -o page.html
    """
    resolved = resolve("report", locals(), os.environ, Path())
    run = resolved.values["output"] or "xplain-out"
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.jobs.report import report as write

    raise typer.Exit(write(run, resolved.values["report"], console))
