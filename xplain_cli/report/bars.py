"""Bars as figures for inline SVG: sums of a waterfall, and what lowers beside what raises."""

from collections.abc import Sequence
from dataclasses import dataclass

from xplain_cli.report.waterfall import Step, span

WIDTH, HEIGHT = 240, 14
_MIDDLE = WIDTH / 2
_EDGE = 2
_ROOM = 0.25  # of all sums: how far beyond them whiskers may lead before they are cut
_REACH = _MIDDLE - _EDGE


@dataclass(frozen=True)
class HalfBar:
    """A bar from the middle to one side, in units of the view box."""

    x: float
    width: float
    falls: bool


@dataclass(frozen=True)
class Lane:
    """
    One line of a waterfall, in units of the view box.

    Attributes
    ----------
    step
        What it shows.
    x, width, falls
        Of the bar, and whether it leads to the left.
    start, end
        Where the sum stands before and after.
    low, high
        Ends of the whisker; equal where the sum is exact, or not known better.
    """

    step: Step
    x: float
    width: float
    falls: bool
    start: float
    end: float
    low: float
    high: float


def two_sided(falling: float, rising: float, longest: float) -> tuple[HalfBar, HalfBar]:
    """Return the two halves of a bar: what lowers the target, and what raises it."""
    scale = _REACH / (longest or 1.0)
    left, right = round(falling * scale, 1), round(rising * scale, 1)
    return HalfBar(round(_MIDDLE - left, 1), left, falls=True), HalfBar(_MIDDLE, right, falls=False)


def lanes(steps: Sequence[Step]) -> list[Lane]:
    """
    Return a lane for each step of one explanation, all on one scale.

    Whiskers that lead far beyond all sums are cut, for they would leave no room for the bars.
    """
    least, most = span(steps)
    room = _ROOM * (most - least)
    lows, highs = [step.low for step in steps], [step.high for step in steps]
    least, most = max(least - room, min(least, *lows)), min(most + room, max(most, *highs))

    def at(value: float) -> float:
        share = max(0.0, min(1.0, (value - least) / (most - least)))
        return round(_EDGE + share * (WIDTH - 2 * _EDGE), 1)

    return [
        Lane(
            step=step,
            x=min(at(step.start), at(step.end)),
            width=round(max(abs(at(step.end) - at(step.start)), 0.5), 1),
            falls=step.end < step.start,
            start=at(step.start),
            end=at(step.end),
            low=at(step.low),
            high=at(step.high),
        )
        for step in steps
    ]
