"""``xplain gate``: judge a finished run."""

import os
from pathlib import Path

import typer

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import flags as o
from xplain_cli.options.project import resolve


def gate(
    output: o.RunWord = None,
    fail_on: o.FailOn = None,
    config: o.Config = None,
    quiet: o.Quiet = None,
    debug: o.Debug = None,
) -> None:
    """
    Judge a finished run: exit 1 if --fail-on holds.

    Example: xplain gate xplain-out --fail-on 'p95(max_rel_se)>0.15, count(failed)>0'
    """
    resolved = resolve("gate", locals(), os.environ, Path())
    conditions = resolved.values["fail_on"]
    if not conditions:
        raise UsageError(
            "no --fail-on: name a condition, such as --fail-on 'share(local_r2<0.2)>0.1'"
        )
    run = resolved.values["output"] or "xplain-out"
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.jobs.gate import judge_run

    raise typer.Exit(judge_run(run, conditions, console))
