"""``xplain evaluate``: how well a finished run says what the model does."""

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import audits, runs
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
    audits.Sanity,
    some(runs.Trust, "trust_model", "trusted", "python_path", "accept"),
    runs.Sandbox,
    runs.ProjectFile,
    runs.BRIEF,
)
def evaluate(options: Options) -> int:
    """
    Measure a finished run by asking the model again: deletion and insertion, sanity checks.

    Example: xplain evaluate xplain-out --model model.pkl --data data.csv
    Example: xplain evaluate xplain-out -b mean
    Example: xplain evaluate xplain-out --randomize
    Example: xplain evaluate comparison --curves --replacements unseen.csv
    """
    run, sources = finished_run(options), options.group(runs.Sources)
    sanity = options.group(audits.Sanity)
    if "baseline" in options.typed and (sanity.curves or sanity.randomize):
        raise UsageError(
            "--baseline is for measures, and --curves and --randomize look at the baselines that"
            " the runs had; --replace-by names what --curves puts in their place"
        )
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.evaluate import evaluate as measure

    return measure(run, sources.model or None, sources.data, options.values, sanity, console)
