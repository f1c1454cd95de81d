"""Asks a model about several things together; where it fails, about each alone.

One bad row then stays one bad row, and costs nothing where there is none.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from xplain_cli.errors import LostRowError, XplainError

T = TypeVar("T")


def together_or_each(
    ask: Callable[[Sequence[int]], T], items: Sequence[int]
) -> tuple[list[tuple[Sequence[int], T]], dict[int, Exception]]:
    """
    Ask about all items at once, or else about one after the other.

    Parameters
    ----------
    ask
        Asks about some of the items; it may raise anything.
    items
        What there is to ask about.

    Returns
    -------
    answers, each with the items that it is about; and by item what was raised on it alone

    Raises
    ------
    XplainError
        Asking about all of them raised it: it is about the model or the run, not about one item
        (as a ``LostRowError`` is).
    """
    try:
        return [(items, ask(items))], {}
    except Exception as whole:  # a model may raise anything; each item's own is kept below
        if isinstance(whole, XplainError) and not isinstance(whole, LostRowError):
            raise
        answers: list[tuple[Sequence[int], T]] = []
        raised: dict[int, Exception] = {}
        for item in items:
            try:
                answers.append(([item], ask([item])))
            except Exception as error:  # noqa: BLE001 - as above
                raised[item] = error
        return answers, raised
