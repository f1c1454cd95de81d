"""Another text as the baseline: how far texts are, and what differs (see ``alignment``)."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from xplain_cli.baselines.assignment import Assigned, FittedBaseline, assign_one
from xplain_cli.errors import RefusedError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import (
    FeatureLabels,
    Subset,
    no_ends,
    not_judged,
    not_pooled,
    not_refined,
    nothing_between,
    uncharted,
    without_baselines,
)
from xplain_cli.modalities.text.alignment import ABSENT, Change, align
from xplain_cli.modalities.text.masks import TextMasker, TextRows
from xplain_cli.modalities.text.segmentation import Span


def _ordered(rows: TextRows, row: int) -> list[Span]:
    """Return the units of a text, every occurrence, in order."""
    return sorted(span for unit in rows.units[row] for span in unit.spans)


@dataclass(frozen=True)
class TextMembers:
    """
    The texts of a class, by Jaccard distance over units (``candidates.Members``).

    Attributes
    ----------
    class_
        The class.
    texts
        In order, each once.
    origins
        Where each stands.
    sizes : (m,) int
        Distinct units of each.
    places : dict of int arrays
        Of every unit the texts that have it.
    """

    class_: str
    texts: tuple[str, ...]
    origins: tuple[str, ...]
    sizes: IntArray
    places: Mapping[str, IntArray]

    def distances(self, rows: TextRows, classes: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield for each text the others of the class, and 1 - shared / all distinct units."""
        del classes  # all are of one
        for text, own in zip(rows.texts, rows.units, strict=True):
            units = {unit.text for unit in own}
            shared = np.zeros(len(self.texts), dtype=np.int64)
            for unit in units:
                shared[self.places.get(unit, [])] += 1
            apart = 1 - shared / (self.sizes + len(units) - shared)
            others = np.arange(len(self.texts))
            at = bisect_left(self.texts, text)
            if self.texts[at : at + 1] == (text,):
                others, apart = np.delete(others, at), np.delete(apart, at)
            yield others, np.asarray(apart, dtype=np.float64)

    def values(self, places: IntArray, rows: TextRows) -> list[str]:  # noqa: ARG002 - one form
        """Return some of the texts."""
        return [self.texts[at] for at in places.tolist()]

    def lonely(self, index: int) -> str:  # noqa: ARG002 - all are of one class
        """Say that a text is alone in the class."""
        return f"no other text is in class {self.class_!r}; name more texts with from=FILE"


def text_members(class_: str, found: Mapping[str, str], perturbation: TextMasker) -> TextMembers:
    """Collect the texts of a class, each with its origin."""
    texts = tuple(sorted(found))
    rows = perturbation.units_of(texts)
    units = [{unit.text for unit in own} for own in rows.units]
    places: dict[str, list[int]] = {}
    for i, own in enumerate(units):
        for unit in own:
            places.setdefault(unit, []).append(i)
    return TextMembers(
        class_,
        texts,
        tuple(found[text] for text in texts),
        np.array([len(own) for own in units], dtype=np.int64),
        {unit: np.array(where, dtype=np.int64) for unit, where in places.items()},
    )


@dataclass(frozen=True)
class AlignedRows:
    """
    Texts of one chunk, each against another text (see ``features.MaskedRows``).

    Attributes
    ----------
    rows
        The texts that are explained.
    baseline
        What gives each another one.
    given
        That one; None where there is none.
    changes
        Features of each text.
    """

    rows: TextRows
    baseline: FittedBaseline
    given: tuple[Assigned | None, ...]
    changes: tuple[tuple[Change, ...], ...]
    reasons: Mapping[int, str]

    copies: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0
    subset: ClassVar[Subset | None] = None
    inputs_repeat: ClassVar[bool] = True
    pool_of: ClassVar[None] = None

    between = nothing_between
    ends = shifted = no_ends
    pooled = not_pooled
    charted = uncharted
    refined = not_refined
    with_baselines = without_baselines
    judged = not_judged

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.rows)

    @property
    def empty(self) -> Mapping[int, str]:
        """The texts without any unit, and why."""
        return self.rows.empty

    @property
    def inputs(self) -> list[str]:
        """The texts."""
        return self.rows.texts

    @property
    def keys(self) -> tuple[bytes, ...]:
        """SHA-256 of each text."""
        return self.rows.keys

    @property
    def counts(self) -> IntArray:
        """Return the number of features of each text, (b,)."""
        return np.array([len(own) for own in self.changes], dtype=np.int64)

    def take(self, rows: Sequence[int]) -> "AlignedRows":
        """Return some of the texts."""
        chosen = list(rows)
        return replace(
            self,
            rows=self.rows.take(chosen),
            given=tuple(self.given[i] for i in chosen),
            changes=tuple(self.changes[i] for i in chosen),
            reasons={at: self.reasons[i] for at, i in enumerate(chosen) if i in self.reasons},
        )

    def read_to(self, lengths: Sequence[int]) -> "AlignedRows":
        """Return the texts cut where the model stops reading."""
        return aligned(self.rows.read_to(lengths), self.baseline)

    def masked(self, row: int, masks: BoolArray) -> list[str]:
        """Return what a text becomes where only some features (m, n) stay its own."""
        text, changes = self.inputs[row], self.changes[row]
        ends = [0, *(end for one in changes for end in (one.low, one.high)), len(text)]
        pieces = [text[low:high] for low, high in pairwise(ends)]
        filled = np.full((len(masks), len(pieces)), "", dtype=object)
        filled[:, ::2] = pieces[::2]
        mine = np.array(pieces[1::2], dtype=object)
        theirs = np.array([one.other for one in changes], dtype=object)
        filled[:, 1::2] = np.where(masks, mine, theirs)
        return ["".join(cells) for cells in filled.tolist()]

    def shown(self) -> FeatureLabels:
        """Return the units, whether they stand in the text, where, and what else stands there."""
        shape = (len(self), len(self.changes[0]) if self.changes else 0)
        names, values, spans, absent = (np.empty(shape, dtype=object) for _ in range(4))
        perturbation = self.rows.perturbation
        for i, changes in enumerate(self.changes):
            for j, one in enumerate(changes):
                low, high = one.span
                bare = one.name if high > low else one.name.removeprefix(ABSENT)
                names[i, j] = ("" if high > low else ABSENT) + perturbation.shown(bare)
                values[i, j] = int(high > low)
                spans[i, j] = [[low, high]]
                absent[i, j] = one.other.strip()
        return FeatureLabels(
            names, values, {"spans": spans, "baseline_value": absent}, self._facts()
        )

    def _facts(self) -> dict[str, Any]:
        given = self.given
        far = [
            np.nan if one is None or one.distances is None else one.distances[0] for one in given
        ]
        classes = [one and one.class_name for one in given]
        return {
            **self.rows.facts(),
            "baseline_origin": np.array([one and one.origins[0] for one in given], dtype=object),
            "baseline_distance": np.array(far, dtype=np.float64),
            "baseline_class": np.array(classes, dtype=object),
            "baseline_in_class": np.array([1.0 if name else np.nan for name in classes]),
            "n_changed": self.counts,
        }


def aligned(rows: TextRows, baseline: FittedBaseline) -> AlignedRows:
    """Split texts into what differs from the text that each is given; one without has a reason."""
    reasons = dict(rows.reasons)
    given: list[Assigned | None] = [None] * len(rows)
    changes: list[tuple[Change, ...]] = [()] * len(rows)
    for i, text in enumerate(rows.texts):
        if i in reasons or i in rows.empty:
            continue
        try:
            found = assign_one(baseline, rows.take([i]))
        except RefusedError as error:
            reasons[i] = str(error)
            continue
        other = rows.perturbation.units_of(found.values)
        given[i] = found
        changes[i] = tuple(align(text, _ordered(rows, i), other.texts[0], _ordered(other, 0)))
    return AlignedRows(rows, baseline, tuple(given), tuple(changes), reasons)
