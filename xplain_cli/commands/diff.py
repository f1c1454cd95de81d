"""``xplain diff``: what changed between two finished runs, and why."""

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import audits, runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some, worded

_RUNS = worded(
    runs.MergedRuns,
    "runs",
    "Two finished runs: run folders, files of one, or addresses.",
    usage="OLD NEW",
)


@takes(
    _RUNS,
    audits.Difference,
    runs.JUDGED,
    some(runs.Result, "csv_guard"),
    runs.ProjectFile,
    runs.BRIEF,
)
def diff(options: Options) -> int:
    """
    Compare two finished runs row by row: which reasons changed beyond noise, and why.

    Example: xplain diff old new
    Example: xplain diff old new --fail-on 'share(first_reason_changed)>5%'
    Example: xplain diff lime shap --across -o - | jq .summary
    """
    named = options.group(runs.MergedRuns).runs
    if len(named) != 2:
        raise UsageError("name two runs: xplain diff OLD NEW")
    asked = options.group(audits.Difference)
    if not 0 < asked.fdr < 1:
        raise UsageError(f"--fdr is {asked.fdr:g}; it must be a share between 0 and 1")
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.diff import DiffRequest, diff_runs

    request = DiffRequest(
        old=named[0],
        new=named[1],
        difference=asked,
        gates=options.group(runs.Gates),
        shared_gates="fail_on" not in options.typed,
        csv_guard=options.group(runs.Result).csv_guard,
    )
    return diff_runs(request, console)
