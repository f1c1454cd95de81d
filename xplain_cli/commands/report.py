"""``xplain report``: one HTML page of a finished run."""

from xplain_cli.console import open_console
from xplain_cli.options import looking, runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some, worded
from xplain_cli.options.request import finished_run

_PAGE = worded(
    runs.Result,
    "report",
    "The page. Default: report.html in the run folder, or beside the run's file.",
    usage="-o --output PAGE.html",
)


@takes(runs.RUN, _PAGE, some(looking.Look, "row", "where", "plots"), runs.ProjectFile, runs.BRIEF)
def report(options: Options) -> int:
    """
    Write one HTML page of a finished run: what was explained, how far to trust it, and why.

    Example: xplain report xplain-out -o page.html
    Example: xplain report --rows 3,7 --plots figures
    Example: xplain report --where 'prediction>0.5 and fidelity=="poor"' -o poor.html
    """
    run = finished_run(options)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.report import report as write
    from xplain_cli.quality.row_filter import RowFilter

    look = options.group(looking.Look)
    wanted = RowFilter.of(look.row, look.where)
    return write(run, options.group(runs.Result).report, wanted, look.plots, console)
