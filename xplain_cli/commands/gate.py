"""``xplain gate``: judge a finished run."""

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.request import finished_run


@takes(runs.RUN, runs.JUDGED, runs.ProjectFile, runs.BRIEF)
def gate(options: Options) -> int:
    """
    Judge a finished run: exit 1 if --fail-on holds, or a gate of the project file does.

    Example: xplain gate xplain-out --fail-on 'p95(max_rel_se)>0.15, count(failed)>0'
    Example: xplain gate --fail-on 'share(local_r2<0.2)>10%'
    Example: xplain gate run.csv --fail-on 'max(attribution_error)>1e-6' --quiet
    """
    asked = options.group(runs.Gates)
    if not (asked.fail_on or asked.gate):
        raise UsageError(
            "no --fail-on: name a condition, such as --fail-on 'share(local_r2<0.2)>0.1', or"
            " [[gate]] in the project file"
        )
    run = finished_run(options)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.gate import judge_run

    return judge_run(run, asked, console)
