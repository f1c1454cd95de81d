"""Another text as the baseline: the nearest one of a class (see ``aligning``)."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import (
    Shown,
    Subset,
    not_grounded,
    not_judged,
    not_refined,
    nothing_between,
)
from xplain_cli.modalities.text.alignment import ABSENT, Change, align
from xplain_cli.modalities.text.masks import TextLaw, TextRows
from xplain_cli.modalities.text.segmentation import Span


@dataclass(frozen=True)
class NearestTextOf:
    """
    The nearest text of a class: what the user names.

    Attributes
    ----------
    class_
        The class that the model itself puts the text in.
    from_
        A file of texts, read as DATA is; None: DATA.
    labels
        A column beside the texts whose word must be the class too.
    """

    class_: str | None = field(default=None, metadata={"key": "class"})
    from_: str | None = field(default=None, metadata={"key": "from"})
    labels: str | None = None

    def __post_init__(self) -> None:
        if not self.class_:
            raise UsageError("--baseline nearest: of which class? nearest:class=NAME")

    @property
    def says(self) -> str:
        """Name it."""
        more = f",labels={self.labels}" if self.labels else ""
        return f"nearest:class={self.class_}{more}"


def _ordered(rows: TextRows, row: int) -> list[Span]:
    """Return the units of a text, every occurrence, in order."""
    return sorted(span for unit in rows.units[row] for span in unit.spans)


@dataclass(frozen=True)
class NearestText:
    """
    The texts of a class, and which of them is nearest to a text, by Jaccard distance over units.

    Attributes
    ----------
    class_
        The class.
    texts
        In order, each once.
    origins
        Where each stands.
    law
        How all texts are split.
    sizes : (m,) int
        Distinct units of each.
    places : dict of int arrays
        Of every unit the texts that have it.
    """

    class_: str
    texts: tuple[str, ...]
    origins: tuple[str, ...]
    law: TextLaw
    sizes: IntArray
    places: Mapping[str, IntArray]

    def distances(self, text: str, units: Sequence[str]) -> FloatArray:
        """Return 1 - shared / all distinct units, (m,); infinity at the text itself."""
        shared = np.zeros(len(self.texts), dtype=np.int64)
        for unit in set(units):
            shared[self.places.get(unit, [])] += 1
        found = 1 - shared / (self.sizes + len(set(units)) - shared)
        at = bisect_left(self.texts, text)
        if self.texts[at : at + 1] == (text,):
            found[at] = np.inf
        return np.asarray(found, dtype=np.float64)

    def aligned(self, rows: TextRows) -> "AlignedRows":
        """Give texts their nearest; one that is alone in the class has none, with the reason."""
        places = np.full(len(rows), -1, dtype=np.int64)
        apart, reasons = np.full(len(rows), np.nan), dict(rows.reasons)
        changes: list[tuple[Change, ...]] = [()] * len(rows)
        for i, text in enumerate(rows.inputs):
            if i in reasons:
                continue
            found = self.distances(text, [unit.text for unit in rows.units[i]])
            best = int(found.argmin())
            if np.isinf(found[best]):
                reasons[i] = (
                    f"no other text is in class {self.class_!r}; name more texts with from=FILE"
                )
                continue
            other = self.law.units_of([self.texts[best]])
            places[i], apart[i] = best, found[best]
            changes[i] = tuple(align(text, _ordered(rows, i), other.inputs[0], _ordered(other, 0)))
        return AlignedRows(self, rows, places, apart, tuple(changes), reasons)


def nearest_of(class_: str, found: Mapping[str, str], law: TextLaw) -> NearestText:
    """Collect the texts of a class, each with its origin."""
    texts = tuple(sorted(found))
    rows = law.units_of(texts)
    units = [{unit.text for unit in own} for own in rows.units]
    places: dict[str, list[int]] = {}
    for i, own in enumerate(units):
        for unit in own:
            places.setdefault(unit, []).append(i)
    return NearestText(
        class_,
        texts,
        tuple(found[text] for text in texts),
        law,
        np.array([len(own) for own in units], dtype=np.int64),
        {unit: np.array(where, dtype=np.int64) for unit, where in places.items()},
    )


@dataclass(frozen=True)
class AlignedRows:
    """
    Texts of one chunk, each against another text (see ``features.MaskedRows``).

    Attributes
    ----------
    near, rows
        The texts of the class, and the texts that are explained.
    places : (b,) int
        The nearest of each; -1: none.
    distances : (b,)
        How far it is.
    changes
        Features of each text.
    """

    near: NearestText
    rows: TextRows
    places: IntArray
    distances: FloatArray
    changes: tuple[tuple[Change, ...], ...]
    reasons: Mapping[int, str]

    copies: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0
    subset: ClassVar[Subset | None] = None
    inputs_repeat: ClassVar[bool] = True

    between = nothing_between
    refined = not_refined
    grounded = not_grounded
    judged = not_judged

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.rows)

    @property
    def inputs(self) -> list[str]:
        """The texts."""
        return self.rows.inputs

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
            places=self.places[chosen],
            distances=self.distances[chosen],
            changes=tuple(self.changes[i] for i in chosen),
            reasons={at: self.reasons[i] for at, i in enumerate(chosen) if i in self.reasons},
        )

    def read_to(self, lengths: Sequence[int]) -> "AlignedRows":
        """Return the texts cut where the model stops reading."""
        return self.near.aligned(self.rows.read_to(lengths))

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

    def shown(self) -> Shown:
        """Return the units, whether they stand in the text, where, and what else stands there."""
        shape = (len(self), len(self.changes[0]) if self.changes else 0)
        names, values, spans, absent = (np.empty(shape, dtype=object) for _ in range(4))
        law = self.rows.law
        for i, changes in enumerate(self.changes):
            for j, one in enumerate(changes):
                low, high = one.span
                bare = one.name if high > low else one.name.removeprefix(ABSENT)
                names[i, j] = ("" if high > low else ABSENT) + law.shown(bare)
                values[i, j] = int(high > low)
                spans[i, j] = [[low, high]]
                absent[i, j] = one.other.strip()
        return Shown(names, values, {"spans": spans, "baseline_value": absent}, self._facts())

    def _facts(self) -> dict[str, Any]:
        origins = [self.near.origins[at] if at >= 0 else None for at in self.places.tolist()]
        named = np.array([None if one is None else self.near.class_ for one in origins], object)
        return {
            **self.rows.facts(),
            "baseline_origin": np.array(origins, dtype=object),
            "baseline_distance": self.distances,
            "baseline_class": named,
            "baseline_in_class": np.where(self.places >= 0, 1.0, np.nan),
            "n_changed": self.counts,
        }
