"""One explanation step by step: from the base value over the weights to the prediction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xplain_cli.modalities import Story
from xplain_cli.report.figures import Box, Figure, Label, Mark, Stroke, fitted
from xplain_cli.report.items import Item, Reason, number, signed
from xplain_cli.report.sentences import spoken_reason

_NAMES, _FIELD, _FIGURES = 250.0, 400.0, 156.0
_LINE, _BAR, _HEAD = 24.0, 14.0, 34.0
_MISSING = "not explained"
_ROUNDING = 1e-9  # of the largest number shown: a residual below it is rounding


@dataclass(frozen=True)
class Step:
    """
    One line of a waterfall.

    Attributes
    ----------
    label, figure
        What it is, and its weight with the error, or the sum at its ends.
    start, end
        Sums before and after; equal for base value and prediction.
    low, high
        Ends of the 95 % interval of the sum after; equal where that is not known, or exact.
    reason
        The feature whose line it is, if it is one's.
    """

    label: str
    figure: str
    start: float
    end: float
    low: float
    high: float
    reason: Reason | None = None

    @property
    def is_missing(self) -> bool:
        """Whether it is no weight, but what all weights together miss."""
        return self.label == _MISSING and self.reason is None

    @property
    def is_sum(self) -> bool:
        """Whether the line is one of the ends, and no weight."""
        return self.start == self.end == self.low


def _weighed(label: str, weight: float, start: float) -> Step:
    end = start + weight
    return Step(label, signed(weight), start, end, end, end)


def _of_reason(reason: Reason, start: float, story: Story) -> Step:
    spread = (reason.ci_high - reason.ci_low) / 2
    spread = spread if math.isfinite(spread) else 0.0
    end = start + reason.weight
    return Step(
        label=spoken_reason(reason, story),
        figure=f"{signed(reason.weight)} {reason.error}".rstrip(),
        start=start,
        end=end,
        low=end - spread,
        high=end + spread,
        reason=reason,
    )


def steps(item: Item, reasons: Sequence[Reason], story: Story, limit: int = 11) -> list[Step]:
    """
    Return an explanation in steps.

    Parameters
    ----------
    reasons
        All features of weight other than 0, the strongest first.
    limit
        How many stand in a line of their own; the others share one.
    """
    total = item.base_value
    found = [Step("base value", number(total, 4), total, total, total, total)]
    for reason in reasons[:limit]:
        found.append(_of_reason(reason, found[-1].end, story))
    rest = reasons[limit:]
    if rest:
        weight = sum(reason.weight for reason in rest)
        more = f"{len(rest)} more {story.feature}{'s' * (len(rest) > 1)}"
        found.append(_weighed(more, weight, found[-1].end))
    missing = item.prediction - found[-1].end
    if abs(missing) > _ROUNDING * max(abs(item.prediction), abs(item.base_value), 1e-300):
        found.append(_weighed(_MISSING, missing, found[-1].end))
    end = item.prediction
    return [*found, Step("prediction", number(end, 4), end, end, end, end)]


def span(lines: Sequence[Step]) -> tuple[float, float]:
    """Return the least and the greatest sum of a waterfall; never equal."""
    ends = [value for line in lines for value in (line.start, line.end)]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _line_marks(line: Step, y: float, place: "_Scale") -> list[Mark]:
    middle = y + _LINE / 2
    start, end = place.x(line.start), place.x(line.end)
    name = fitted(line.label, _NAMES - 16)
    text = [
        Label(_NAMES - 10, middle + 4, name, "end"),
        Label(_NAMES + _FIELD + 10, middle + 4, line.figure),
    ]
    if line.is_sum:
        return [*text, Stroke(((end, y + 2), (end, y + _LINE - 2)), "ink", 2.0)]
    side = "soft" if line.is_missing else "up" if line.end >= line.start else "down"
    bar = Box(min(start, end), middle - _BAR / 2, max(abs(end - start), 1.0), _BAR, side)
    marks: list[Mark] = [*text, bar]
    if line.low != line.high:
        ends = (place.x(line.low), middle), (place.x(line.high), middle)
        marks.append(Stroke(ends, "ink", 1.5))
    return marks


@dataclass(frozen=True)
class _Scale:
    """From sums to places."""

    low: float
    high: float

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _NAMES + 10 + max(0.0, min(1.0, share)) * (_FIELD - 20)


def waterfall(lines: Sequence[Step], title: str) -> Figure:
    """Return the steps of an explanation as a figure: red raises, blue lowers, with whiskers."""
    place = _Scale(*span(lines))
    marks: list[Mark] = [Label(10, 20, fitted(title, 740, 14), size=14)]
    base = place.x(lines[0].end)
    bottom = _HEAD + _LINE * len(lines)
    marks.append(Stroke(((base, _HEAD), (base, bottom)), "line"))
    for at, line in enumerate(lines):
        y = _HEAD + at * _LINE
        if at:
            x = place.x(lines[at - 1].end)
            marks.append(Stroke(((x, y - _LINE / 2), (x, y + _LINE / 2)), "line"))
        marks += _line_marks(line, y, place)
    return Figure(_NAMES + _FIELD + _FIGURES, bottom + 10, tuple(marks), title)
