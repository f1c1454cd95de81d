"""``xplain merge``: join runs on slices of the same rows."""

import sys

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some


@takes(
    runs.MergedRuns,
    some(runs.Result, "output"),
    some(runs.Safety, "force"),
    runs.ProjectFile,
    runs.BRIEF,
)
def merge(options: Options) -> int:
    """
    Join runs made with --shard or --rows: the bytes of the undivided run.

    Example: xplain merge part-1 part-2 -o whole
    Example: xplain merge part-* -o whole.parquet
    Example: xplain merge part-1 part-2 -o whole --force
    """
    output, force = options.group(runs.Result).output, options.group(runs.Safety).force
    if "output" not in options.named or not output:
        raise UsageError("no --output: name the folder or the file of the whole, such as -o whole")
    parts = options.group(runs.MergedRuns).runs
    if len(parts) < 2:
        raise UsageError("name at least two runs to merge, such as: xplain merge a b -o whole")
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.merge import merge_runs

    return merge_runs(parts, output, force=force, argv=tuple(sys.argv[1:]), console=console)
