"""One explanation as a page shows it: plain values, cleaned, cut to a bounded size."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import counted
from xplain_cli.output.cells import cleaned, plain

_MOST_UNITS, _MOST_TEXT, _MOST_UNIT = 400, 6000, 400  # units, letters of a text, of a unit
_NEAR = 3  # letters between two units that are taken for a space and punctuation
_LEVELS = 4  # shades of a unit
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_KEPT = "\n\t\u200c\u200d"
_BREAKS = "\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"  # they would break or hide a line


def number(value: float | None, digits: int = 3) -> str:
    """Return a number in few digits, with a true minus; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    return f"{value or 0.0:.{digits}g}".replace("-", "\u2212")


def signed(value: float) -> str:
    """Return a weight with its sign, which colour must never carry alone."""
    return number(value) if value <= 0 else f"+{number(value)}"


def isolated(text: str) -> str:
    """Return a text so that what is written from right to left in it moves nothing around it."""
    if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text):
        return f"\u2068{text}\u2069"
    return text


def cell(value: Any) -> str:
    """Return a value of a row; "missing" where there is none."""
    value = plain(value)
    if value is None:
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else cleaned(value)


@dataclass(frozen=True)
class Reason:
    """
    A feature and its weight.

    Attributes
    ----------
    name, value, baseline
        As they are shown; ``None`` where there is no value or none may be shown.
    weight, std_error, ci_low, ci_high
        In units of the target.
    condition
        The bin that the weight speaks of, in words, where there is one and it may be shown.
    """

    name: str
    value: str | None
    baseline: str | None
    weight: float
    std_error: float
    ci_low: float
    ci_high: float
    condition: str | None = None

    @property
    def is_unsure(self) -> bool:
        """Whether the 95 % interval holds both signs."""
        return self.ci_low < 0 < self.ci_high

    @property
    def error(self) -> str:
        """The standard error; empty where the weight is exact."""
        return f"\u00b1 {number(self.std_error, 2)}" if self.std_error else ""


@dataclass(frozen=True)
class Fragment:
    """
    A piece of a text: a unit, or what stands between two.

    ``level`` is -4 to 4: how much the unit lowers or raises the target, next to the strongest.
    """

    text: str
    level: int = 0
    title: str = ""


@dataclass(frozen=True)
class Image:
    """A picture of an explanation: embedded as a data URI, or linked; a *wide* one has a line."""

    caption: str
    data: str = ""
    link: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Item:
    """
    One explanation.

    Attributes
    ----------
    row_id, target
        Of what.
    prediction, base_value, total
        The explained number, the base, and the sum of all weights.
    tags, words
        Precision and fidelity in words and figures, and their words alone.
    reasons
        The features of greatest weight, none of weight 0.
    n_features, n_changed
        How many features the row has, and how many differ from its baseline (None: no baseline).
    origin
        Where the row's own baseline comes from, if that is said.
    why
        Why it is shown; empty for the first ones.
    fragments, images
        Of a text, and of a picture.
    rest
        What the table leaves out, in words.
    """

    row_id: str
    target: str
    prediction: float
    base_value: float
    total: float
    tags: tuple[str, ...]
    reasons: tuple[Reason, ...]
    n_features: int
    n_changed: int | None = None
    origin: str | None = None
    why: str = ""
    fragments: tuple[Fragment, ...] = ()
    images: tuple[Image, ...] = ()
    rest: str = ""
    words: tuple[str, ...] = ()

    @property
    def has_baseline(self) -> bool:
        """Whether values of a baseline stand beside those of the row."""
        return any(reason.baseline is not None for reason in self.reasons)

    @property
    def has_conditions(self) -> bool:
        """Whether weights speak of bins."""
        return any(reason.condition is not None for reason in self.reasons)

    @property
    def has_values(self) -> bool:
        """Whether values may be shown, and there are any."""
        return any(reason.value is not None for reason in self.reasons)


def visible(text: str) -> str:
    """Return a text whose control characters are spelled out, but for line ends and tabs."""
    return "".join(
        c if c.isprintable() or c in _KEPT or (c.isspace() and c not in _BREAKS) else repr(c)[1:-1]
        for c in text
    )


def _title(unit: Mapping[str, Any]) -> str:
    return f"{signed(unit['weight'])} \u00b1 {number(unit['std_error'], 2)}"


def _levels(units: Sequence[Mapping[str, Any]]) -> list[int]:
    strongest = max((abs(unit["weight"]) for unit in units), default=0.0) or 1.0
    return [round(_LEVELS * unit["weight"] / strongest) for unit in units]


def _places(units: Sequence[Mapping[str, Any]]) -> list[tuple[int, int, int]]:
    """Return where units stand: (start, end, which)."""
    return sorted((*span, at) for at, unit in enumerate(units) for span in unit["spans"])


def _ends(left: int, lost: int) -> list[Fragment]:
    said = [f" \u2026 and {counted(left, 'more unit')}"] if left else []
    said += [f" \u2026 and {counted(lost, 'unit')} that the model does not read"] if lost else []
    return [Fragment(text) for text in said]


def joined_units(units: Sequence[Mapping[str, Any]], lost: int = 0) -> tuple[Fragment, ...]:
    """
    Put a text together from its units; what stood between them is a space, or three dots.

    Parameters
    ----------
    units
        "feature", "weight", "std_error" and "spans" (code points) of each.
    lost
        How many units the model does not read.
    """
    places, levels = _places(units), _levels(units)
    out: list[Fragment] = []
    end = shown = letters = 0
    for low, high, at in places[:_MOST_UNITS]:
        if letters > _MOST_TEXT:
            break
        if low > end:
            out.append(Fragment(" " if low - end <= _NEAR else " \u2026 "))
        text = cleaned(units[at]["feature"], _MOST_UNIT)
        out.append(Fragment(text, levels[at], _title(units[at])))
        letters += len(text)
        end, shown = high, shown + 1
    return (*out, *_ends(len(places) - shown, lost))


def marked_text(
    text: str, units: Sequence[Mapping[str, Any]], lost: int = 0
) -> tuple[Fragment, ...]:
    """
    Mark the units of a text in the text itself, every character of which stays.

    Parameters
    ----------
    text
        As it was explained.
    units, lost
        As for ``joined_units``.
    """
    places, levels = _places(units), _levels(units)
    out: list[Fragment] = []
    end = shown = 0
    for low, high, at in places:
        if high > _MOST_TEXT:
            break
        shown += 1
        if low > end:
            out.append(Fragment(visible(text[end:low])))
            end = low
        if high > end:
            out.append(Fragment(visible(text[end:high]), levels[at], _title(units[at])))
            end = high
    left = len(places) - shown
    rest = text[end:] if not left else ""
    out.append(Fragment(visible(rest[:_MOST_TEXT])))
    cut = len(rest) - _MOST_TEXT
    if cut > 0:
        out.append(Fragment(f" \u2026 and {cut} more characters"))
    return (*(one for one in out if one.text), *_ends(left, lost))
