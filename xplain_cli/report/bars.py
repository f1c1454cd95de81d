"""Bars of weights as figures for inline SVG: left of the middle lowers, right of it raises."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xplain_cli.report.items import Reason

WIDTH, HEIGHT = 240, 14
_MIDDLE = WIDTH / 2
_REACH = _MIDDLE - 2
_ROOM = 1.5  # whiskers may be this much longer than the longest bar before they are cut


@dataclass(frozen=True)
class Bar:
    """
    A bar with its whisker, in units of the view box.

    Attributes
    ----------
    x, width
        Of the bar.
    falls
        Whether it lies left of the middle.
    low, high
        Ends of the whisker; equal where the weight is exact.
    caps
        Which ends of the whisker are within the frame: (low, high).
    """

    x: float
    width: float
    falls: bool
    low: float
    high: float
    caps: tuple[bool, bool] = (True, True)


def _span(reasons: Sequence[Reason]) -> float:
    """Return the weight that reaches the edge."""
    longest = max((abs(one.weight) for one in reasons), default=0.0)
    ends = [abs(one.ci_low) for one in reasons] + [abs(one.ci_high) for one in reasons]
    ends = [end for end in ends if math.isfinite(end)]
    return min(max(longest, *ends, 0.0), _ROOM * longest) or 1.0


def _bar(reason: Reason, span: float) -> Bar:
    end = _MIDDLE + _REACH * reason.weight / span
    known = math.isfinite(reason.ci_low) and math.isfinite(reason.ci_high)
    low, high = (reason.ci_low, reason.ci_high) if known else (reason.weight, reason.weight)
    places = [_MIDDLE + _REACH * max(-span, min(span, at)) / span for at in (low, high)]
    return Bar(
        x=round(min(_MIDDLE, end), 1),
        width=round(abs(end - _MIDDLE), 1),
        falls=reason.weight < 0,
        low=round(places[0], 1),
        high=round(places[1], 1),
        caps=(low >= -span, high <= span),
    )


def two_sided(falling: float, rising: float, longest: float) -> tuple[Bar, Bar]:
    """Return the two halves of a bar: what lowers the target, and what raises it."""
    scale = _REACH / (longest or 1.0)
    left, right = round(falling * scale, 1), round(rising * scale, 1)
    return (
        Bar(round(_MIDDLE - left, 1), left, falls=True, low=0, high=0),
        Bar(_MIDDLE, right, falls=False, low=0, high=0),
    )


def bars(reasons: Sequence[Reason]) -> list[Bar]:
    """Return a bar for each weight of one explanation, all on one scale."""
    span = _span(reasons)
    return [_bar(reason, span) for reason in reasons]
