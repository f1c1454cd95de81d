"""``xplain verify``: does a finished run hold, byte by byte and row by row."""

from xplain_cli.console import open_console
from xplain_cli.options import audits, runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some, worded
from xplain_cli.options.request import finished_run

_BACKGROUND = worded(
    runs.References, "background", "The background of the run. Default: where it was then."
)


@takes(
    runs.RUN,
    runs.Sources,
    _BACKGROUND,
    audits.Verification,
    runs.CI,
    some(runs.Trust, "trust_model", "trusted", "python_path", "accept"),
    runs.Sandbox,
    runs.ProjectFile,
    runs.BRIEF,
)
def verify(options: Options) -> int:
    """
    Check a finished run: the hash of every file, and some of its rows explained again.

    Example: xplain verify xplain-out
    Example: xplain verify run.csv --model model.pkl --data data.csv
    Example: xplain verify xplain-out --check-rows 100 --junit verify.xml
    """
    run = finished_run(options)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.verify import VerifyRequest, verify_run

    sources, granted = options.group(runs.Sources), options.group(runs.Trust)
    request = VerifyRequest(
        run=run,
        model=sources.model or None,
        data=sources.data,
        background=options.group(runs.References).background,
        trust=granted,
        sandbox=options.group(runs.Sandbox),
        verification=options.group(audits.Verification),
        gates=options.group(runs.Gates),
    )
    return verify_run(request, console)
