"""``xplain report``: the HTML page of a finished run, wherever that run is."""

from xplain_cli.console import Console
from xplain_cli.quality.row_filter import RowFilter
from xplain_cli.report import report_run
from xplain_cli.runs.delivery import brought_here


def report(run: str, page: str | None, wanted: RowFilter, console: Console) -> int:
    """
    Write the page of a finished run, and return the exit code 0.

    Parameters
    ----------
    run
        A run folder, or any file of one; or the address of such.
    page
        Where to; None: into the run.
    wanted
        Whose explanations are shown.

    Raises
    ------
    XplainError
        There is no finished run, or the page cannot be written.
    """
    with brought_here(run) as folder:
        console.line(str(report_run(folder, page, wanted)))
    return 0
