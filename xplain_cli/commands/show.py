"""``xplain show``: one row of a finished run, in the terminal."""

from xplain_cli.console import open_console
from xplain_cli.options import looking, runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some, worded
from xplain_cli.options.request import finished_run

_ROW = worded(
    looking.Look,
    "row",
    "Rows by their ids, as the output has them: 3,7; repeatable. Default: the first.",
)
_TARGET = worded(
    runs.Explanation, "target", "Only this target of the row, as the output has it.", panel="Rows"
)


@takes(
    runs.RUN,
    _ROW,
    _TARGET,
    some(looking.Look, "plot"),
    runs.ProjectFile,
    runs.BRIEF,
    some(runs.Screen, "no_color"),
)
def show(options: Options) -> int:
    """
    Show single rows of a finished run: words, bars with intervals, the sum to the prediction.

    Example: xplain show --row patient-0001
    Example: xplain show xplain-out --row 17 --plot row-17.svg
    Example: xplain show run.csv --row 17 --target class_0:vs:class_1
    """
    run = finished_run(options)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.show import show_rows

    look, target = options.group(looking.Look), options.group(runs.Explanation).target
    return show_rows(run, look.row, target, look.plot, console)
