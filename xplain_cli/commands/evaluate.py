"""``xplain evaluate``: how well a finished run says what the model does."""

from xplain_cli.console import open_console
from xplain_cli.options import runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some, worded
from xplain_cli.options.request import finished_run

_BASELINE = worded(
    runs.References,
    "baseline",
    "Measure tables with this one. Default: the run's own; median for lime on draws.",
)


@takes(
    runs.RUN,
    runs.Sources,
    _BASELINE,
    some(runs.Trust, "trust_model", "trusted", "python_path", "accept"),
    runs.Sandbox,
    runs.ProjectFile,
    runs.BRIEF,
)
def evaluate(options: Options) -> int:
    """
    Measure a finished run by asking the model again: deletion and insertion, infidelity.

    Example: xplain evaluate xplain-out --model model.pkl --data data.csv
    Example: xplain evaluate
    Example: xplain evaluate xplain-out -b mean
    """
    run, sources = finished_run(options), options.group(runs.Sources)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.evaluate import evaluate as measure

    return measure(run, sources.model or None, sources.data, options.values, console)
