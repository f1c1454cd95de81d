"""``xplain reasons``: codes for the rows on the wrong side, or the word that none is clear."""

from collections.abc import Iterator

from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import audits, runs
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some
from xplain_cli.options.request import finished_run


def _missing(asked: audits.ReasonCodes) -> Iterator[str]:
    if not asked.codes:
        yield "no --codes: name a file of codes, such as --codes codes.toml"
    if not asked.against:
        yield "no --against: name the class that is bad news, such as --against declined"
    if (asked.letter is None) != (asked.letters is None):
        yield "--letter and --letters belong together: a template, and a folder for the letters"


@takes(
    runs.RUN,
    audits.ReasonCodes,
    runs.JUDGED,
    some(runs.Result, "csv_guard"),
    runs.ProjectFile,
    runs.BRIEF,
)
def reasons(options: Options) -> int:
    """
    Tell the reasons of rows on the wrong side as codes; abstain where noise could choose others.

    Example: xplain reasons --codes codes.toml --against declined
    Example: xplain reasons out --codes codes.toml --against spam -o - | jq .
    Example: xplain reasons --codes c.toml --against no --fail-on 'share(abstained)>20%'
    """
    asked = options.group(audits.ReasonCodes)
    for text in _missing(asked):
        raise UsageError(text)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.reasons import ReasonsRequest, tell_reasons

    request = ReasonsRequest(
        run=finished_run(options),
        asked=asked,
        gates=options.group(runs.Gates),
        shared_gates="fail_on" not in options.typed,
        csv_guard=options.group(runs.Result).csv_guard,
    )
    return tell_reasons(request, console)
