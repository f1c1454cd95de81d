"""The texts of DATA around the units of a run, for a page and for a terminal."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from xplain_cli.errors import RefusedError, XplainError
from xplain_cli.options.request import from_stored
from xplain_cli.output.cells import cleaned
from xplain_cli.report.overview import MOST_LETTERS
from xplain_cli.report.selection import PageScope
from xplain_cli.runs.finished import FinishedRun

_WHOLE = "The texts are those of DATA, whose SHA-256 is still that of the run."
_JOINED = (
    "Texts are put together from their units; what stood between them is not kept in a run, and"
    " DATA cannot tell it: {}."
)


@dataclass(frozen=True)
class RunningTexts:
    """
    The texts of some rows.

    Attributes
    ----------
    by_row
        Those of DATA, by the numbers of their rows; empty where DATA cannot tell them.
    note
        What is to be known of them; empty where rows are no texts.
    is_whole
        Whether every character stands there.
    """

    by_row: Mapping[int, str] = field(default_factory=dict)
    note: str = ""
    is_whole: bool = True


def running_texts(
    found: FinishedRun, numbers: Mapping[str, Any], scope: PageScope, rows: Collection[int]
) -> RunningTexts:
    """
    Return the texts of rows from DATA, if it is what was explained.

    Parameters
    ----------
    numbers
        What of the plan decides the numbers.
    scope
        What of the run may be shown.
    rows
        Their numbers in DATA.
    """
    originals, held = scope.story.originals, found.results().get("request")
    if originals is None or not scope.joins_texts:
        return RunningTexts()
    try:
        if held is None:
            raise RefusedError("the run does not say what it was asked")
        request = from_stored(held)
        if not request.shows_values:  # units are shown as hashes, say
            raise RefusedError("its values are not to be shown")
        return RunningTexts(originals(request, numbers, rows), _WHOLE)
    except XplainError as error:
        return RunningTexts({}, _JOINED.format(cleaned(error, MOST_LETTERS)), is_whole=False)
