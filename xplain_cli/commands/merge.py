"""``xplain merge``: join runs on slices of the same rows."""

import os
import sys
from pathlib import Path

import typer

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import flags as o
from xplain_cli.options import job_flags as j
from xplain_cli.options.project import resolve


def merge(
    words: j.RunWords = None,
    output: o.Output = None,
    force: o.Force = None,
    config: o.Config = None,
    quiet: o.Quiet = None,
    debug: o.Debug = None,
) -> None:
    """
    Join runs made with --shard or --rows: the bytes of the undivided run.

    Example: xplain merge part-1 part-2 -o whole
    """
    given = {name: value for name, value in locals().items() if name != "words"}
    resolved = resolve("merge", given, os.environ, Path())
    output = resolved.values["output"]
    if "output" not in resolved.named or not output:
        raise UsageError("no --output: name the folder or the file of the whole, such as -o whole")
    if words is None or len(words) < 2:
        raise UsageError("name at least two runs to merge, such as: xplain merge a b -o whole")
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.jobs.merge import merge_runs

    argv = tuple(sys.argv[1:])
    force = bool(resolved.values["force"])
    raise typer.Exit(merge_runs(words, output, force=force, argv=argv, console=console))
