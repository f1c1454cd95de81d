"""Texts: each unit is a feature, taken away by deletion or by a token in its place."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, ClassVar

import numpy as np

from xplain_cli.baselines.assignment import FittedBaseline
from xplain_cli.baselines.held_cells import HeldCells
from xplain_cli.errors import ModelDiedError, summed_up
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import (
    FeatureLabels,
    Grid,
    Inclusion,
    RoughWeights,
    Subset,
    Traits,
    Weigh,
    no_ends,
    not_judged,
    not_refined,
    nothing_between,
    uncharted,
    without_baselines,
)
from xplain_cli.modalities.tabular.draws import row_keys
from xplain_cli.modalities.text.held_cells import cells_of
from xplain_cli.modalities.text.segmentation import Span, is_unspaced, split_units
from xplain_cli.models.gradients import UnitText

MOST_UNITS = 1000
"""Features of one text at most: a fit of more would cost minutes."""


@dataclass(frozen=True)
class Unit:
    """One feature of a text: its words and every place where it stands."""

    text: str
    spans: tuple[Span, ...]


def text_key(text: str) -> bytes:
    """Return SHA-256 of a text: equal texts have equal keys, wherever they stand."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class TextMasker:
    """
    LIME's law for texts: 1 to all units are taken away, each number equally often.

    Attributes
    ----------
    unit
        ``word``, ``char``, ``sentence``, ``regex=PATTERN`` or ``package.module:callable``.
    merged
        Equal units are one feature (LIME's bag of words); else each occurrence is its own.
    mask_token
        What stands in place of a unit that is taken away; None: nothing.
    dictionary
        Whether words of scripts without spaces come from ICU's dictionaries.
    salt
        With a salt, units are shown as salted hashes; None: as they are. "" waits for the
        secret of the run (``salted``).
    refine
        With a number, only units inside so many sentences, the strongest, are explained; None: all.
    others
        Gives each text another one, against which it is explained. None: units go.
    quotes
        Whether reasons may quote what a user's own splitter says of a text.
    column
        Where the texts stand in the tables that are split; None: it is handed texts alone.
    """

    unit: str = "word"
    merged: bool = True
    mask_token: str | None = None
    dictionary: bool = False
    salt: str | None = None
    refine: int | None = None
    others: FittedBaseline | None = None
    quotes: bool = True
    column: str | None = None

    draws: ClassVar[None] = None
    inclusion: ClassVar[Inclusion] = "uniform-size"
    distance_unit: ClassVar[float] = 100.0

    @property
    def traits(self) -> Traits:
        """What planning and the engine must know of it."""
        return Traits(
            most_features=MOST_UNITS,
            can_refine=True,
            needs_secret=self.salt == "",
            no_path=self._no_path(),
            no_slope="gives slopes of numbers, and features are words",
        )

    def _no_path(self) -> str | None:
        """Return why no path leads from the baseline to a text through its embedding."""
        if self.others is not None:
            return (
                "follows a text's own tokens to what stands in their place, and another text has"
                " tokens of its own (leave -b out, or take --mask-token)"
            )
        return None if self.column is None else "follows texts that stand alone"

    @property
    def weight_columns(self) -> tuple[str, ...]:
        """Further columns of weights.csv."""
        return ("spans",) if self.others is None else ("spans", "baseline_value")

    @property
    def stability_columns(self) -> tuple[str, ...]:
        """Further columns of stability.csv."""
        named = ("baseline_origin", "baseline_class", "baseline_in_class", "n_changed")
        return ("n_units", "n_truncated", "segmentation", *(named if self.others else ()))

    def split(self, batch: Any) -> Any:
        """Split texts into features: units, or what differs from another text."""
        from xplain_cli.modalities.text.nearest import aligned

        rows = self.units_of(batch)
        return rows if self.others is None else aligned(rows, self.others)

    def units_of(self, batch: Any) -> "TextRows":
        """Split texts into units; those that cannot be split, and those without any, say why."""
        cells = None if self.column is None else HeldCells(batch, (self.column,))
        texts, units, reasons, empty = [], [], {}, {}
        nothing = f"nothing to explain: the text holds no {self.unit.partition('=')[0]}"
        for i, cell in enumerate(batch if cells is None else cells.table[self.column]):
            text = cell if isinstance(cell, str) else ""
            texts.append(text)
            found, why = self._units(text)
            units.append(found)
            if why is not None:
                reasons[i] = why
            elif not found:
                empty[i] = nothing if text else "nothing to explain: there is no text"
        keys = tuple(map(text_key, texts)) if cells is None else row_keys(cells.table)
        return TextRows(self, texts, tuple(units), keys, reasons, empty, cells=cells)

    def _units(self, text: str) -> tuple[tuple[Unit, ...], str | None]:
        """Return the features of a text, by first appearance, or why it cannot be split."""
        try:
            spans = split_units(text, self.unit, dictionary=self.dictionary)
        except ModelDiedError:  # who asks holds no process any more that could go on
            raise
        except Exception as error:  # noqa: BLE001 - a user's callable may raise anything
            return (), summed_up(error, quotes=self.quotes)
        if self.merged:
            places: dict[str, list[Span]] = {}
            for low, high in spans:
                places.setdefault(text[low:high], []).append((low, high))
            units = tuple(Unit(word, tuple(where)) for word, where in places.items())
        else:
            units = tuple(Unit(text[low:high], ((low, high),)) for low, high in spans)
        if len(units) > MOST_UNITS and self.refine is None:
            return (), (
                f"the text has {len(units)} features, more than {MOST_UNITS}; take longer units"
                " (--unit sentence), or -m lime:refine=3: sentences first, then the words of the"
                " strongest"
            )
        return units, None

    def shown(self, text: str) -> str:
        """Return a unit as it stands in the output."""
        return text if self.salt is None else hashed(text, self.salt)

    def salted(self, secret: str) -> "TextMasker":
        """Return the masker with the secret of the run in place of a salt that nobody gave."""
        return replace(self, salt=secret) if self.salt == "" else self

    def segmentation(self, text: str) -> str:
        """Return the rule by which a text was split."""
        if self.unit != "word":
            return self.unit.partition("=")[0] if "=" in self.unit else self.unit
        if not is_unspaced(text):
            return "unicode words"
        return "dictionary words" if self.dictionary else "characters"


@dataclass(frozen=True)
class TextRows:
    """Texts of one chunk, split into units (see ``features.MaskedRows``)."""

    perturbation: TextMasker
    texts: list[str]
    units: tuple[tuple[Unit, ...], ...]
    keys: tuple[bytes, ...]
    reasons: Mapping[int, str]
    empty: Mapping[int, str]
    truncated: tuple[int, ...] = ()
    cells: HeldCells | None = None

    copies: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0
    subset: ClassVar[Subset | None] = None
    pool_of: ClassVar[None] = None

    between = nothing_between
    shifted = no_ends
    charted = uncharted
    with_baselines = without_baselines
    judged = not_judged

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    @property
    def inputs(self) -> Any:
        """The texts, or the rows of a table that they stand in."""
        if self.cells is None:
            return self.texts
        return self.cells.with_cells(cells_of(self.cells.free[0], self.texts))

    @property
    def inputs_repeat(self) -> bool:
        """Whether equal masked texts are asked once: rows of tables are made a batch at a time."""
        return self.cells is None

    @property
    def counts(self) -> IntArray:
        """Return the number of units of each text, (b,)."""
        return np.array([len(units) for units in self.units], dtype=np.int64)

    def take(self, rows: Sequence[int]) -> "TextRows":
        """Return some of the texts."""
        return TextRows(
            self.perturbation,
            [self.texts[i] for i in rows],
            tuple(self.units[i] for i in rows),
            tuple(self.keys[i] for i in rows),
            {at: self.reasons[i] for at, i in enumerate(rows) if i in self.reasons},
            {at: self.empty[i] for at, i in enumerate(rows) if i in self.empty},
            tuple(self.truncated[i] for i in rows) if self.truncated else (),
            None if self.cells is None else self.cells.take(rows),
        )

    def read_to(self, lengths: Sequence[int]) -> "TextRows":
        """Return the texts cut where the model stops reading; units behind that are counted."""
        cut = [text[:end] for text, end in zip(self.texts, lengths, strict=True)]
        short = self.perturbation.units_of(cut)
        lost = [len(whole) - len(left) for whole, left in zip(self.units, short.units, strict=True)]
        reasons = {**short.reasons, **self.reasons}
        return replace(short, keys=self.keys, reasons=reasons, truncated=tuple(lost))

    def of_spans(self, spans: Sequence[Sequence[Span]]) -> "TextRows":
        """Return the same texts with other units, one a span."""
        units = tuple(
            tuple(Unit(text[low:high], ((low, high),)) for low, high in own)
            for text, own in zip(self.texts, spans, strict=True)
        )
        return replace(self, units=units)

    def inside(self, spans: Sequence[Sequence[Span]]) -> "TextRows":
        """Return the texts with only the units, or their occurrences, in some spans of each."""
        kept = []
        for units, chosen in zip(self.units, spans, strict=True):
            found = [
                Unit(unit.text, tuple(s for s in unit.spans if _within(s, chosen)))
                for unit in units
            ]
            kept.append(tuple(unit for unit in found if unit.spans))
        return replace(self, units=tuple(kept))

    def refined(self, weigh: Weigh) -> tuple["TextRows", RoughWeights]:
        """Return the texts with the units of their strongest sentences, where that is asked for."""
        from xplain_cli.modalities.text.refine import refine

        if self.perturbation.refine is None:
            return not_refined(self, weigh)
        return refine(self, self.perturbation.refine, weigh)

    def shown(self) -> FeatureLabels:
        """Return the units' texts, how often each stands there, and where."""
        b, n = len(self), len(self.units[0]) if self.units else 0
        names, spans = np.empty((b, n), dtype=object), np.empty((b, n), dtype=object)
        values = np.empty((b, n), dtype=object)
        for i, units in enumerate(self.units):
            for j, unit in enumerate(units):
                names[i, j] = self.perturbation.shown(unit.text)
                spans[i, j] = [list(span) for span in unit.spans]
                values[i, j] = len(unit.spans)
        return FeatureLabels(names, values, {"spans": spans}, self.facts())

    def facts(self) -> dict[str, Any]:
        """Return what stability.csv says of the splitting of each text."""
        rules = np.array(
            [self.perturbation.segmentation(text) for text in self.texts], dtype=object
        )
        lost = np.array(self.truncated or (0,) * len(self), dtype=np.int64)
        return {"n_units": self.counts, "n_truncated": lost, "segmentation": rules}

    def spanned(self, row: int) -> tuple[str, list[tuple[Span, ...]]]:
        """Return a text and the spans of each of its units."""
        return self.texts[row], [unit.spans for unit in self.units[row]]

    def ends(self) -> tuple[list[UnitText], list[UnitText]]:
        """Return the texts with all units absent, and the texts (``MaskedRows.ends``)."""
        token = self.perturbation.mask_token
        mine = [
            UnitText(text, tuple(unit.spans for unit in units), token=token)
            for text, units in zip(self.texts, self.units, strict=True)
        ]
        return [replace(one, absent=True) for one in mine], mine

    def pooled(self, _rows: IntArray, parts: FloatArray, _grid: Grid = None) -> FloatArray:
        """Return the numbers (p, n) of units, as the model adds them up over tokens."""
        return parts

    def masked(self, row: int, masks: BoolArray) -> Any:
        """
        Return what a text, or the row that it stands in, becomes where only some units stay.

        Parameters
        ----------
        masks : (m, n) bool
            True where a unit stays.
        """
        texts = self.masked_texts(row, masks)
        if self.cells is None:
            return texts
        return self.cells.of_row(row, cells_of(self.cells.free[0], texts))

    def masked_texts(self, row: int, masks: BoolArray) -> list[str]:
        """Return what a text becomes where only some units stay, by masks (m, n)."""
        text, units = self.texts[row], self.units[row]
        places = sorted((span, j) for j, unit in enumerate(units) for span in unit.spans)
        pieces, owners, at = [], [], 0
        for (low, high), j in places:
            pieces += [text[at:low], text[low:high]]
            owners.append(j)
            at = high
        pieces.append(text[at:])
        stays = masks[:, owners]
        if self.perturbation.mask_token is None:
            kept = np.ones((len(masks), len(pieces)), dtype=bool)
            kept[:, 1::2] = stays
            return ["".join(compress(pieces, keep)) for keep in kept.tolist()]
        filled = np.full((len(masks), len(pieces)), self.perturbation.mask_token, dtype=object)
        filled[:, ::2] = pieces[::2]
        words = np.broadcast_to(np.array(pieces[1::2], dtype=object), stays.shape)
        filled[:, 1::2][stays] = words[stays]
        return ["".join(cells) for cells in filled.tolist()]


def _within(span: Span, chosen: Sequence[Span]) -> bool:
    return any(low <= span[0] and span[1] <= high for low, high in chosen)


def hashed(text: str, salt: str) -> str:
    """Return a salted hash in place of a text, 16 hexadecimal digits."""
    key = salt.encode("utf-8", "surrogatepass")
    body = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(body, key=hashlib.sha256(key).digest(), digest_size=8).hexdigest()
