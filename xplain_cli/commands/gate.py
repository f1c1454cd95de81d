"""``xplain gate``: judge a finished run."""

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some
from xplain_cli.options.request import finished_run


@takes(runs.RUN, some(runs.Gates, "fail_on"), runs.ProjectFile, runs.BRIEF)
def gate(options: Options) -> int:
    """
    Judge a finished run: exit 1 if --fail-on holds.

    Example: xplain gate xplain-out --fail-on 'p95(max_rel_se)>0.15, count(failed)>0'
    Example: xplain gate --fail-on 'share(local_r2<0.2)>10%'
    Example: xplain gate run.csv --fail-on 'max(attribution_error)>1e-6' --quiet
    """
    conditions = options.group(runs.Gates).fail_on
    if not conditions:
        raise UsageError(
            "no --fail-on: name a condition, such as --fail-on 'share(local_r2<0.2)>0.1'"
        )
    run = finished_run(options)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.gate import judge_run

    return judge_run(run, conditions, console)
