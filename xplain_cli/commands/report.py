"""``xplain report``: one HTML page of a finished run."""

import os
from pathlib import Path

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
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
    if run == "-":
        raise UsageError("RUN is '-' (stdout), which leaves no run; name a run folder")
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.report import report_run

    console.line(str(report_run(run, resolved.values["report"])))
