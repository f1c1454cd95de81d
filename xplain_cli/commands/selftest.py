"""``xplain selftest``: is every method right on this installation."""

from xplain_cli.console import open_console
from xplain_cli.options import audits, runs
from xplain_cli.options.command import Options, takes


@takes(audits.SelfTest, runs.CI, runs.ProjectFile, runs.BRIEF)
def selftest(options: Options) -> int:
    """
    Explain functions whose explanations are known, by every method; tell the error of each.

    Example: xplain selftest
    Example: xplain selftest --quick
    Example: xplain selftest --junit selftest.xml
    """
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.selftest import selftest as test

    quick = options.group(audits.SelfTest).quick
    return test(quick=quick, asked=options.group(runs.Gates), console=console)
