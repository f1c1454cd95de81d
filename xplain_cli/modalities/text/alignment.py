"""Aligns two texts unit by unit: each difference is a feature.

Units that both share in one order stay. Between them, units are paired in order: each other unit of
the text is a feature, which becomes its counterpart, or goes where there is none; units that only
the other text has left are a feature, as are other marks and blanks. So with no feature left a text
is the other one, and what parts words stays with one of them, so that no two run together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from xplain_cli.modalities.text.segmentation import Span

ABSENT = "absent: "
"""Begins the name of what only the other text has."""


@dataclass(frozen=True)
class Change:
    """
    One feature: a stretch of a text, and what stands there in the other text.

    Attributes
    ----------
    low, high
        The stretch: a unit with what parts it from another one.
    span
        The unit in it, or the marks where there is none; empty where only the other text has some.
    name
        What stands in the span; of what only the other text has, ``absent: ...``.
    other
        What takes the place of the stretch.
    """

    low: int
    high: int
    span: Span
    name: str
    other: str


@dataclass(frozen=True)
class _Stretch:
    """What lies between two common units of a text: its place, and the units in it."""

    text: str
    low: int
    high: int
    units: Sequence[Span]

    @property
    def before(self) -> str:
        """What stands before the first unit, or all of it."""
        return self.text[self.low : self.units[0][0] if self.units else self.high]

    @property
    def behind(self) -> str:
        """What stands behind the last unit, or all of it."""
        return self.text[self.units[-1][1] if self.units else self.low : self.high]

    @property
    def ends(self) -> list[Span]:
        """The units, each with what parts it from the one before."""
        bounds = [self.units[0][0], *(end for _, end in self.units)]
        return list(pairwise(bounds))


def _change(mine: _Stretch, low: int, high: int, words: str, span: Span | None = None) -> Change:
    """Name a change; without a *span* of a unit by the marks in it, or by what comes."""
    text = mine.text
    if span is None:
        marks = text[low:high].strip()
        start = low + text[low:high].index(marks) if marks else high
        span = (start, start + len(marks))
    name = text[slice(*span)] or f"{ABSENT}{words.strip() or '(blank)'}"
    return Change(low, high, span, name, words)


def _both(mine: _Stretch, theirs: _Stretch) -> Iterator[Change]:
    """Pair the units of two stretches that have some."""
    pieces = [theirs.text[low:high] for low, high in theirs.ends]
    units, last = mine.units, mine.units[-1][1]
    yield _change(mine, mine.low, units[0][0], theirs.before)
    for i, (low, high) in enumerate(mine.ends):
        yield _change(mine, low, high, pieces[i] if i < len(pieces) else "", units[i])
    yield _change(mine, last, last, "".join(pieces[len(units) :]))
    yield _change(mine, last, mine.high, theirs.behind)


def _gone(mine: _Stretch, theirs: _Stretch) -> Iterator[Change]:
    """Let the units go, each with what stands on the side that the other text lacks."""
    units = mine.units
    at_the_end = theirs.before == mine.behind and theirs.before != mine.before
    if not at_the_end:
        yield _change(mine, mine.low, units[0][0], theirs.before)
    cuts = [mine.low, *(end for _, end in units)]
    if not at_the_end:
        cuts = [*(start for start, _ in units), mine.high]
    for (low, high), unit in zip(pairwise(cuts), units, strict=True):
        yield _change(mine, low, high, "", unit)


def _come(mine: _Stretch, theirs: _Stretch) -> Iterator[Change]:
    """Let all units of the other text come together, with what parts them from the others."""
    whole = theirs.text[theirs.low : theirs.high]
    if mine.before == theirs.before:
        yield _change(mine, mine.high, mine.high, whole[len(theirs.before) :])
    elif mine.before == theirs.behind:
        yield _change(mine, mine.low, mine.low, whole[: len(whole) - len(theirs.behind)])
    else:
        yield _change(mine, mine.low, mine.high, whole)


def _changes(mine: _Stretch, theirs: _Stretch) -> Iterator[Change]:
    if mine.units and theirs.units:
        found = _both(mine, theirs)
    elif mine.units:
        found = _gone(mine, theirs)
    else:
        found = _come(mine, theirs)
    yield from (one for one in found if one.other != mine.text[one.low : one.high])


def align(text: str, spans: Sequence[Span], other: str, others: Sequence[Span]) -> list[Change]:
    """
    Return the features by which a text differs from another one, in order.

    Parameters
    ----------
    spans, others
        The units of both, in order; those that make the longest matches stay.
    """
    mine, theirs = ([t[slice(*s)] for s in part] for t, part in ((text, spans), (other, others)))
    blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    pairs = [(b.a + step, b.b + step) for b in blocks for step in range(b.size)]
    changes: list[Change] = []
    i, j, low, start = 0, 0, 0, 0
    for k, m in pairs:
        (high, end), (stop, after) = spans[k], others[m]
        changes += _changes(
            _Stretch(text, low, high, spans[i:k]), _Stretch(other, start, stop, others[j:m])
        )
        i, j, low, start = k + 1, m + 1, end, after
    rest = _Stretch(text, low, len(text), spans[i:]), _Stretch(other, start, len(other), others[j:])
    return [*changes, *_changes(*rest)]
