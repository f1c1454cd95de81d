"""``xplain report``: the HTML page of a finished run and its figures, wherever that run is."""

from xplain_cli.console import Console
from xplain_cli.quality.row_filter import RowFilter
from xplain_cli.report import report_run
from xplain_cli.runs.delivery import brought_here


def report(
    run: str, page: str | None, wanted: RowFilter, plots: str | None, console: Console
) -> int:
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
    plots
        A folder for the figures as SVG and PNG; None: they stand in the page alone.

    Raises
    ------
    XplainError
        There is no finished run, or the page cannot be written.
    """
    with brought_here(run) as folder:
        made = report_run(folder, page, wanted, plots)
        if not made.count and not wanted.is_open:
            console.warn(f"no explanation is of {wanted.said}: the page shows none")
        if made.plots:
            console.note(f"{len(made.plots)} figures: {made.plots[0].parent}")
        elif plots is not None:
            console.warn(f"no figure was written to {plots}: there is nothing to draw")
        console.line(str(made.page))
    return 0
