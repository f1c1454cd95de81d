"""Dependence: the weight of a feature against its value, coloured by its strongest partner."""

from dataclasses import dataclass

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.report.axes import Axis, axis, ticks_below, ticks_beside
from xplain_cli.report.cloud import LEVELS, Cloud, Values
from xplain_cli.report.figures import Dots, Figure, Label, Mark, Stroke, fitted
from xplain_cli.report.items import number
from xplain_cli.report.swarm import value_key

SHOWN = 4
"""Features of which the dependence is drawn."""
FEWEST = 30
"""Explanations: fewer show no dependence."""
LEAST_SHARE, LEAST_OF_ALL = 0.05, 0.01
"""Of the variance of weights at one value, and of all, what a partner must account for."""
ALARMS = 0.01
"""How often chance alone may name a partner of a feature, over all candidates (an F-test)."""
_PER_BIN, _MOST_BINS = 12, 40  # explanations in a group of about the feature's own value
_LEFT, _WIDTH, _TOP, _HEIGHT, _FOOT = 64.0, 300.0, 30.0, 170.0, 66.0
_RADIUS = 2.0
_MOST_NAMES = 8  # categories on an axis


@dataclass(frozen=True)
class Partner:
    """
    The feature whose value best accounts for how weights differ at one value of another.

    Attributes
    ----------
    place
        Its place in the cloud.
    share
        Of the variance of these weights, corrected for chance: at most 1.
    """

    place: int
    share: float


def _spread(weights: FloatArray, cells: IntArray) -> tuple[float, int]:
    """Return the squared distances from the means of cells, and how many cells there are."""
    _, place, counts = np.unique(cells, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights) / counts
    return float(((weights - means[place]) ** 2).sum()), len(counts)


def _without_slopes(weights: FloatArray, values: FloatArray, groups: IntArray) -> FloatArray:
    """Return weights less the mean and the slope over the rank of the value, group by group."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)
    ranks -= (np.bincount(place, ranks) / counts)[place]
    left = weights - (np.bincount(place, weights) / counts)[place]
    slopes = np.bincount(place, ranks * left) / np.maximum(np.bincount(place, ranks**2), 1e-300)
    return np.asarray(left - slopes[place] * ranks)


def strongest_partner(cloud: Cloud, at: int) -> Partner | None:
    """
    Return the feature with which the weight of another interacts most.

    At each value of the feature weights differ for reasons that lie in other features. A partner,
    in 5 groups of its own value, accounts for a share of that variance: the adjusted R^2 of the
    means of its groups. "Each value" is a narrow group, and within it the slope over the value is
    taken off, for what is left of it would look like a partner that goes along with it. None: there
    is no value, or no share of note; where hardly anything of the weight is left, none is.
    """
    from scipy.special import fdtrc

    if cloud.values is None:
        return None
    count = len(cloud.weights)
    own = cloud.values[at].groups(max(2, min(_MOST_BINS, count // _PER_BIN)))
    there = np.isfinite(cloud.weights[:, at]) & (own >= 0)
    best: Partner | None = None
    for place, values in enumerate(cloud.values):
        other = values.groups(LEVELS)
        met = there & (other >= 0)
        weights = cloud.weights[met, at]
        if place == at or len(weights) < FEWEST:
            continue
        left = _without_slopes(weights, cloud.values[at].numbers[met], own[met])
        whole, n_bins = _spread(left, own[met])
        rest, n_cells = _spread(left, own[met] * (LEVELS + 1) + other[met])
        most, _ = _spread(weights, np.zeros(len(weights), dtype=np.int64))
        spare = len(weights) - n_cells - n_bins  # each group has a mean and a slope
        if whole <= LEAST_OF_ALL * most or spare <= 0:
            continue
        unit = rest / spare
        share = 1 - unit / (whole / (len(weights) - 2 * n_bins))
        if share < LEAST_SHARE or share * whole < LEAST_OF_ALL * most:
            continue
        more = max(n_cells - n_bins, 1)
        chance = fdtrc(more, spare, (whole - rest) / more / max(unit, 1e-300))
        if chance > ALARMS / len(cloud.features):
            continue
        if best is None or share > best.share:
            best = Partner(place, share)
    return best


def _places(values: Values, x: FloatArray, scale: Axis) -> FloatArray:
    """Return where values stand; few distinct ones are spread a little, for dots would hide."""
    places = np.array([scale.at(value) for value in x.tolist()])
    distinct = np.unique(values.numbers[values.known])
    if len(distinct) > _MOST_NAMES and not values.names:
        return places
    room = (scale.at(float(np.diff(distinct).min())) - scale.at(0.0)) * 0.4
    return np.asarray(places + ((np.arange(len(x)) * 0.618034) % 1.0 - 0.5) * room)


def _values_axis(values: Values, first: float, last: float, y: float) -> tuple[Axis, list[Mark]]:
    if not values.names:
        distinct = np.unique(values.numbers[values.known])
        pad = 0.3 * float(np.diff(distinct).min()) if len(distinct) <= _MOST_NAMES else 0.0
        scale = axis(float(distinct[0]) - pad, float(distinct[-1]) + pad, first, last)
        return scale, ticks_below(scale, y)
    scale = Axis(-0.5, len(values.names) - 0.5, first, last)
    room = (last - first) / max(len(values.names), 1)
    marks: list[Mark] = [Stroke(((first, y), (last, y)), "soft")]
    for at, name in enumerate(values.names[:_MOST_NAMES]):
        text = fitted(name, room, 11.0)
        marks.append(Label(scale.at(at), y + 16, text, "middle", 11.0, "soft"))
    return scale, marks


def _key(partner: Values, name: str, y: float) -> list[Mark]:
    known = partner.numbers[partner.known]
    if partner.names:
        ends = partner.names[0], partner.names[-1]
    else:
        ends = number(float(known.min()), 4), number(float(known.max()), 4)
    room = _LEFT + _WIDTH / 2
    low, high = (fitted(end, 64, 11.0) for end in ends)
    title = Label(_LEFT, y, f"colour: {fitted(name, 110, 11.0)}", "start", 11.0, "soft")
    return [title, *value_key(room + 36, y, low, high)]


def dependence(cloud: Cloud, at: int) -> Figure | None:
    """Return the weight of a feature against its value; None where too few have both."""
    if cloud.values is None:
        return None
    values = cloud.values[at]
    there = np.isfinite(cloud.weights[:, at]) & values.known
    if there.sum() < FEWEST or len(np.unique(values.numbers[there])) < 2:
        return None
    weights, bottom = cloud.weights[there, at], _TOP + _HEIGHT
    across, marks = _values_axis(values, _LEFT, _LEFT + _WIDTH, bottom)
    low, high = min(0.0, float(weights.min())), max(0.0, float(weights.max()))
    up = axis(low, high, bottom, _TOP)
    marks += ticks_beside(up, _LEFT)
    marks.append(Stroke(((_LEFT, up.at(0.0)), (_LEFT + _WIDTH, up.at(0.0))), "line"))
    x = _places(values, values.numbers[there], across)
    y = np.array([up.at(value) for value in weights.tolist()])
    partner = strongest_partner(cloud, at)
    shades = np.full(len(x), -1)
    if partner is not None:
        own = cloud.values[partner.place].groups(LEVELS)[there]
        shades = np.where(own < 0, -1, own * (LEVELS - 1) // max(int(own.max()), 1))
        name = cloud.features[partner.place]
        marks += _key(cloud.values[partner.place], name, bottom + 56)
    for shade in np.unique(shades).tolist():
        points = tuple(zip(x[shades == shade].tolist(), y[shades == shade].tolist(), strict=True))
        marks.append(Dots(points, _RADIUS, "soft" if shade < 0 else f"v{shade}"))
    name = cloud.features[at]
    marks.append(Label(8, 16, "weight", "start", 11.0, "soft"))
    marks.append(Label(_LEFT, 16, fitted(name, _WIDTH, 13.0), "start", 13.0))
    marks.append(Label(_LEFT + _WIDTH, bottom + 36, "value", "end", 11.0, "soft"))
    return Figure(_LEFT + _WIDTH + 16, bottom + _FOOT, tuple(marks), _title(cloud, at, partner))


def _title(cloud: Cloud, at: int, partner: Partner | None) -> str:
    title = f"Dependence: weight of {cloud.features[at]} against its value"
    if partner is None:
        return f"{title}; no other feature stands out"
    return f"{title}, coloured by {cloud.features[partner.place]}"


def told(cloud: Cloud, at: int) -> str:
    """Say what a dependence is coloured by, and how much that accounts for."""
    partner = strongest_partner(cloud, at)
    if partner is None:
        return "No other feature accounts for how its weights differ at one value."
    return (
        f"Coloured by {cloud.features[partner.place]}, which accounts for {partner.share:.0%} of"
        " how its weights differ at one value."
    )
