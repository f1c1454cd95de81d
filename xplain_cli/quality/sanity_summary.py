"""What the files of sanity checks say in one line for each baseline, with its verdict in words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xplain_cli.quality.sanity import (
    Average,
    beyond,
    control_holds,
    drop_verdict,
    mean_of,
    randomised_verdict,
)

CURVE_MEASURES: Mapping[str, str] = {
    "share_of_drop": "higher is better",
    "turned": "higher is better",
    "gini": "higher is sparser",
    "mass_in_region": "higher is better",
    "baseline_in_class": "higher is better",
    "baseline_distance": "lower is nearer",
    "n_changed": "lower is sparser",
}
"""The columns of curves.csv that are summed up, and in which direction each is read."""

_WORDS: Mapping[str, tuple[str, str]] = {
    "gini": ("sparsest", "less sparse"),
    "baseline_distance": ("nearest", "farther"),
    "n_changed": ("fewest", "more"),
}
_BEST, _LEVEL, _BEHIND = "best", "level with the best", "behind"

LIKENESS = ("ssim", "spearman", "spearman_signed")
"""The columns of randomization.csv that say how alike explanations are, the first known decides."""

CONTROL, FIXED, REFITTED = "control", "fixed", "refitted"


@dataclass(frozen=True)
class CurveLine:
    """
    What curves.csv says of one baseline.

    Attributes
    ----------
    baseline
        Its name.
    means
        By measure.
    words
        Of each measure how it stands among the baselines; empty where there is one alone.
    random
        Share of the drop in random orders.
    verdict
        What the share of the drop tells.
    """

    baseline: str
    means: Mapping[str, Average]
    words: Mapping[str, str]
    random: Average
    verdict: str


def _behind(best: pd.DataFrame, own: pd.DataFrame, measure: str) -> Average:
    """Return how far a baseline is behind the best one, row by row."""
    if len(best) == len(own):
        return mean_of(best[measure].to_numpy() - own[measure].to_numpy())
    return mean_of([mean_of(best[measure]).value - mean_of(own[measure]).value])


def _standings(parts: Mapping[str, pd.DataFrame], measure: str) -> dict[str, str]:
    """Say of each baseline how it stands in one measure."""
    known = {name: mean_of(part[measure]) for name, part in parts.items() if measure in part}
    known = {name: mean for name, mean in known.items() if mean.count}
    if len(known) < 2:
        return {}
    lowest = CURVE_MEASURES[measure].startswith("lower")
    best = (min if lowest else max)(known, key=lambda name: known[name].value)
    first, last = _WORDS.get(measure, (_BEST, _BEHIND))
    found = {}
    for name in known:
        apart = beyond(_behind(parts[best], parts[name], measure))
        found[name] = first if name == best else last if apart else _LEVEL
    return found


def sum_up_curves(frame: pd.DataFrame) -> list[CurveLine]:
    """Return a line for each baseline, in the order of the file."""
    keyed = frame.set_index(["row_id", "target"])
    names = list(dict.fromkeys(frame["baseline"]))
    parts = {name: keyed[keyed["baseline"].eq(name)] for name in names}
    drops = {name: mean_of(part["share_of_drop"]) for name, part in parts.items()}
    known = [name for name in names if drops[name].count]
    best = max(known, key=lambda name: drops[name].value) if known else names[0]
    standings = {measure: _standings(parts, measure) for measure in CURVE_MEASURES}
    lines = []
    for name, part in parts.items():
        above = mean_of(part["share_of_drop"] - part["share_random"])
        behind = _behind(parts[best], part, "share_of_drop")
        verdict = drop_verdict(drops[name], above, None if name == best else best, behind)
        means = {one: mean_of(part[one]) for one in CURVE_MEASURES if one in part}
        shown = {one: mean for one, mean in means.items() if mean.count}
        words = {one: said[name] for one, said in standings.items() if name in said}
        lines.append(CurveLine(name, shown, words, mean_of(part["share_random"]), verdict))
    return lines


@dataclass(frozen=True)
class RandomisedLine:
    """
    What randomization.csv says of one baseline and one state of the model.

    Attributes
    ----------
    baseline
        Its name.
    state
        ``control``, ``refitted`` or ``fixed``.
    layers
        Which layers were drawn anew; empty of the control.
    means
        Likeness by name, and ``baseline_in_class``.
    explained, asked
        How many explanations there are, of how many.
    verdict
        In words; empty where none is due.
    """

    baseline: str
    state: str
    layers: str
    means: Mapping[str, Average]
    explained: int
    asked: int
    verdict: str


def deciding(frame: pd.DataFrame) -> str:
    """Return the likeness that decides: SSIM of pictures, else the rank correlation of sizes."""
    found = [name for name in LIKENESS if np.isfinite(frame[name].to_numpy(dtype=float)).any()]
    return found[0] if found else LIKENESS[1]


def sum_up_randomised(frame: pd.DataFrame) -> list[RandomisedLine]:
    """Return a line for each baseline and state, in the order of the file."""
    measure, lines = deciding(frame), []
    for baseline, own in frame.groupby("baseline", sort=False):
        control = mean_of(own.loc[own["state"].eq(CONTROL), measure]).value
        for (state, layers), part in own.groupby(["state", "layers"], sort=False):
            likeness = mean_of(part[measure])
            verdict = randomised_verdict(likeness.value, control)
            if state == CONTROL:
                holds = control_holds(control)
                verdict = "holds: reruns are alike" if holds else "too low: reruns differ"
            elif state == FIXED:
                verdict = f"{verdict} (a baseline of the other model: no fair test)"
            names = (*LIKENESS, "baseline_in_class")
            means = {name: mean_of(part[name]) for name in names if name in part}
            shown = {name: mean for name, mean in means.items() if mean.count}
            said = (str(baseline), str(state), str(layers))
            lines.append(RandomisedLine(*said, shown, likeness.count, len(part), verdict))
    return lines
