"""``xplain summary``: the closing table of a finished run, whole or by groups of rows."""

from xplain_cli.console import open_console
from xplain_cli.options import looking, runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some
from xplain_cli.options.request import finished_run


@takes(
    runs.RUN,
    some(looking.Look, "by", "row", "where"),
    runs.ProjectFile,
    runs.BRIEF,
    some(runs.Screen, "no_color"),
)
def summary(options: Options) -> int:
    """
    Sum up a finished run again: strongest features, how far to trust them; or group by group.

    Example: xplain summary
    Example: xplain summary xplain-out --by fidelity
    Example: xplain summary xplain-out --by target --where 'status=="ok"'
    """
    run = finished_run(options)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.summary import sum_up
    from xplain_cli.quality.row_filter import RowFilter

    look = options.group(looking.Look)
    return sum_up(run, look.by, RowFilter.of(look.row, look.where), console)
