"""Which features are the reasons of a decision, and whether noise could have chosen others.

A reason is a feature that moves the row to the wrong side. The set of the first K is told only if
the last of them is clear of the next one, and of nothing at all.
"""

from dataclasses import dataclass

import numpy as np

from xplain_cli.explanation import FloatArray


@dataclass(frozen=True)
class Candidate:
    """
    A feature or group that may be a reason.

    Attributes
    ----------
    name
        What it is called in the run, or the group.
    code, text
        What is told of it.
    weight : float
        How far it moves the row to the wrong side.
    places
        Its features, by their places in the explanation.
    order
        Where it stands in the file of codes, which settles ties.
    """

    name: str
    code: str
    text: str
    weight: float
    places: tuple[int, ...]
    order: int


@dataclass(frozen=True)
class Errors:
    """
    The errors of an explanation's n weights.

    Attributes
    ----------
    std_error : (n,)
    repeats : (r, n) or None
        Each repeat's weights, from which errors of sums and differences follow. Without them such
        an error is at most the sum of the errors, which is what it is taken to be.
    degrees : float
        Degrees of freedom.
    """

    std_error: FloatArray
    repeats: FloatArray | None
    degrees: float

    def of(self, plus: tuple[int, ...], minus: tuple[int, ...] = ()) -> float:
        """Return the standard error of a sum of weights less another."""
        signs = np.zeros(len(self.std_error))
        signs[list(plus)] += 1
        signs[list(minus)] -= 1
        if self.repeats is not None and len(self.repeats) > 1:
            return float((self.repeats @ signs).std(ddof=1) / len(self.repeats) ** 0.5)
        return float(np.abs(signs) @ self.std_error)


@dataclass(frozen=True)
class Reasons:
    """
    The reasons of one row.

    Attributes
    ----------
    chosen
        The reasons, the strongest first.
    margins
        Of each, how far it is from the next candidate, in standard errors of their difference;
        infinite without error.
    margin
        Of the set: how far its last reason is from the next candidate and from nothing.
    certain
        Whether that is enough.
    """

    chosen: tuple[Candidate, ...]
    margins: tuple[float, ...]
    margin: float
    certain: bool


def _ratio(gap: float, error: float) -> float:
    if error == 0:
        return np.inf
    return gap / error


def least_ratio(margin: float, degrees: float) -> float:
    """Return the t ratio that is as rare as so many standard errors of a normal."""
    from scipy.special import ndtr, stdtrit

    if not np.isfinite(degrees) or margin <= 0:
        return margin
    return float(-stdtrit(degrees, max(float(ndtr(-margin)), 1e-300)))


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Leave of each code the strongest."""
    seen: dict[str, Candidate] = {}
    for one in candidates:
        seen.setdefault(one.code, one)
    return list(seen.values())


def choose(
    candidates: list[Candidate], errors: Errors, *, at_most: int, least_margin: float
) -> Reasons:
    """
    Return the reasons of a row, and how clear they are of all others.

    Parameters
    ----------
    at_most : int
        How many reasons are told.
    least_margin : float
        Standard errors by which the set must be clear; with few repeats it takes more of them,
        for the error is itself uncertain (t, with the degrees of freedom of the repeats).
    """
    ranked = _distinct(sorted(candidates, key=lambda one: (-one.weight, one.order, one.name)))
    adverse = [one for one in ranked if one.weight > 0]
    chosen, rest = adverse[:at_most], ranked[min(len(adverse), at_most) :]
    following = [*ranked[1:], None][: len(chosen)]
    margins = tuple(_gap(one, other, errors) for one, other in zip(chosen, following, strict=True))
    bounds = []
    if chosen:
        bounds.append(_ratio(chosen[-1].weight, errors.of(chosen[-1].places)))
        bounds.append(margins[-1])
    if rest and len(chosen) < at_most:  # would another seed have made it a reason?
        bounds.append(_away_from_zero(rest, errors))
    margin = min(bounds, default=np.inf)
    needed = least_ratio(least_margin, errors.degrees)
    return Reasons(tuple(chosen), margins, margin, bool(chosen) and margin >= needed)


def _gap(one: Candidate, other: Candidate | None, errors: Errors) -> float:
    if other is None:
        return np.inf
    return _ratio(one.weight - other.weight, errors.of(one.places, other.places))


def _away_from_zero(rest: list[Candidate], errors: Errors) -> float:
    """Return how far the nearest of the other candidates is below zero."""
    return min(_ratio(-one.weight, errors.of(one.places)) for one in rest)
