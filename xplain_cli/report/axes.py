"""Axes of figures: a scale from numbers to places, and ticks at round numbers."""

import math
from dataclasses import dataclass

from xplain_cli.report.figures import Label, Mark, Stroke
from xplain_cli.report.items import number

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """From numbers *low* to *high* to places *first* to *last*."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """Return the place of a number."""
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, most: int = 8) -> list[float]:
        """Return at most *most* + 1 round numbers on the axis."""
        rough = (self.high - self.low) / most
        scale = 10.0 ** math.floor(math.log10(rough))
        step = next(one * scale for one in _STEPS if one * scale >= rough * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [at * step for at in range(first, last + 1)]


def axis(low: float, high: float, first: float, last: float) -> Axis:
    """Return an axis on which some numbers stand, the outermost a little from its ends."""
    spread = high - low
    if not spread > 1e-12 * max(abs(low), abs(high), 1e-300):
        spread = abs(low) or 1.0
    return Axis(low - 0.04 * spread, high + 0.04 * spread, first, last)


def ticks_below(scale: Axis, y: float, size: float = 11.0) -> list[Mark]:
    """Return the ticks of a level axis with their numbers below it."""
    marks: list[Mark] = [Stroke(((scale.first, y), (scale.last, y)), "soft")]
    for value in scale.ticks():
        x = scale.at(value)
        marks.append(Stroke(((x, y), (x, y + 4)), "soft"))
        marks.append(Label(x, y + 5 + size, number(value, 6), "middle", size, "soft"))
    return marks


def ticks_beside(scale: Axis, x: float, size: float = 11.0) -> list[Mark]:
    """Return the ticks of an upright axis with their numbers left of it."""
    marks: list[Mark] = [Stroke(((x, scale.first), (x, scale.last)), "soft")]
    for value in scale.ticks(5):
        y = scale.at(value)
        marks.append(Stroke(((x - 4, y), (x, y)), "soft"))
        marks.append(Label(x - 6, y + size / 3, number(value, 6), "end", size, "soft"))
    return marks
