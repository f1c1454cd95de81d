"""The beeswarm: the weight of each strong feature in every explanation, coloured by its value."""

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.report.axes import Axis, axis, ticks_below
from xplain_cli.report.cloud import LEVELS, Cloud
from xplain_cli.report.figures import Dots, Figure, Label, Mark, Stroke, fitted

SHOWN = 10
"""Features in a beeswarm."""
_NAMES, _FIELD, _BAND, _HEAD, _FOOT = 210.0, 540.0, 30.0, 10.0, 56.0
_RADIUS = 1.8


def _heights(places: FloatArray) -> FloatArray:
    """Return how far above or below its line each dot stands, so that close ones lie side by side.

    The order is that of the explanations; where more meet than find room, they stand closer.
    """
    columns = np.round(places / (1.4 * _RADIUS)).astype(np.int64)
    order = np.argsort(columns, kind="stable")
    _, starts, counts = np.unique(columns[order], return_index=True, return_counts=True)
    rank = np.empty(len(places))
    rank[order] = np.arange(len(places)) - np.repeat(starts, counts)
    many = np.empty(len(places))
    many[order] = np.repeat(counts, counts)
    side = np.where(rank % 2 == 0, 1.0, -1.0) * np.ceil(rank / 2)
    step = np.minimum(2 * _RADIUS, (_BAND - 4) / np.maximum(many, 1))
    return np.asarray(side * step)


def _line(cloud: Cloud, at: int, y: float, scale: Axis) -> list[Mark]:
    """Return the dots of one feature."""
    weights = cloud.weights[:, at]
    there = np.isfinite(weights)
    x = np.array([scale.at(value) for value in weights[there].tolist()])
    heights = y + _heights(x)
    shades = np.full(len(x), -1)
    if cloud.values is not None and not cloud.values[at].names:
        shades = cloud.values[at].groups(LEVELS)[there]
        if shades.max(initial=0) == 0:  # one value alone is neither low nor high
            shades = np.full(len(x), -1)
        else:
            shades = np.where(shades < 0, -1, shades * (LEVELS - 1) // max(int(shades.max()), 1))
    marks: list[Mark] = []
    for shade in np.unique(shades).tolist():
        own = shades == shade
        points = tuple(zip(x[own].tolist(), heights[own].tolist(), strict=True))
        marks.append(Dots(points, _RADIUS, "soft" if shade < 0 else f"v{shade}"))
    return marks


def value_key(x: float, y: float, low: str, high: str) -> list[Mark]:
    """Return a key of the shades of values."""
    dots = [Dots(((x + 10 + 10 * level, y - 4),), 4.0, f"v{level}") for level in range(LEVELS)]
    return [
        Label(x, y, low, "end", 11.0, "soft"),
        *dots,
        Label(x + 20 + 10 * (LEVELS - 1), y, high, "start", 11.0, "soft"),
    ]


def beeswarm(cloud: Cloud) -> Figure:
    """Return the beeswarm of the strongest features."""
    shown = min(SHOWN, len(cloud.features))
    known = cloud.weights[:, :shown][np.isfinite(cloud.weights[:, :shown])]
    low, high = min(0.0, known.min(initial=0.0)), max(0.0, known.max(initial=0.0))
    scale = axis(float(low), float(high), _NAMES, _NAMES + _FIELD)
    bottom = _HEAD + _BAND * shown
    zero = scale.at(0.0)
    marks: list[Mark] = [Stroke(((zero, _HEAD), (zero, bottom)), "line")]
    for at in range(shown):
        y = _HEAD + _BAND * (at + 0.5)
        marks.append(Label(_NAMES - 12, y + 4, fitted(cloud.features[at], _NAMES - 20), "end"))
        marks.append(Stroke(((_NAMES, y), (_NAMES + _FIELD, y)), "line", 0.5))
        marks += _line(cloud, at, y, scale)
    marks += ticks_below(scale, bottom)
    middle = _NAMES + _FIELD / 2
    marks.append(Label(_NAMES + 90, bottom + 40, "weight: lowers / raises", "middle", 11.0, "soft"))
    if cloud.values is not None:
        marks += value_key(middle + 10, bottom + 40, "value low", "high; grey: a category, or none")
    title = f"Beeswarm: a dot for the weight of a feature in each of {cloud.said}"
    return Figure(_NAMES + _FIELD + 20, bottom + _FOOT, tuple(marks), title)
