"""The terms of masked texts, and the masks that hold each of them, without any string."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray

_PIECE, _BLANKS = re.compile(r"\S+"), re.compile(r"\s+")
_MOST_UNITS_A_PIECE = 4
_MOST_TEXTS = 1 << 16

Spans: TypeAlias = Sequence[Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class TextPiece:
    """A stretch of text without white space: its units, and its text in each of their states."""

    units: tuple[int, ...]
    states: tuple[str, ...]


def _are_kept_apart(text: str, spans: Sequence[tuple[int, int]]) -> bool:
    """
    Tell whether pieces never grow together, whichever spans are taken away.

    Two pieces do only where all that stands between them goes. A span that takes blanks along must
    begin or end at the end of the text, or beside a blank that always stays.
    """
    with_blanks = [span for span in spans if _BLANKS.search(text, *span)]
    if not with_blanks:
        return True
    inside = np.zeros(len(text) + 1, dtype=bool)
    for low, high in spans:
        inside[low:high] = True
    stays = np.zeros(len(text), dtype=bool)  # blanks of runs that never go as a whole
    for run in _BLANKS.finditer(text):
        low, high = run.span()
        stays[low:high] = not inside[low:high].all()
    return all(
        low == 0 or stays[low - 1] or high == len(text) or stays[high] for low, high in with_blanks
    )


def cut(text: str, spans: Spans) -> list[TextPiece] | None:
    """
    Cut a text at white space.

    None where pieces may grow together, or one has too many units to list its states.
    """
    owners = sorted((span, j) for j, unit in enumerate(spans) for span in unit)
    if not _are_kept_apart(text, [span for span, _ in owners]):
        return None
    pieces, at, count = [], 0, len(owners)
    for match in _PIECE.finditer(text):
        low, high = match.span()
        while at < count and owners[at][0][1] <= low:
            at += 1
        here = at
        while here < count and owners[here][0][0] < high:
            here += 1
        inside = [(max(own[0], low), min(own[1], high), j) for own, j in owners[at:here]]
        if len(inside) == 1:  # as nearly every word stands
            start, end, j = inside[0]
            pieces.append(TextPiece((j,), (text[low:start] + text[end:high], text[low:high])))
            continue
        units = tuple(dict.fromkeys(j for _, _, j in inside))
        if len(units) > _MOST_UNITS_A_PIECE:
            return None
        pieces.append(TextPiece(units, tuple(_states(text, low, high, inside, units))))
    return pieces


def _states(
    text: str,
    low: int,
    high: int,
    inside: Sequence[tuple[int, int, int]],
    units: Sequence[int],
) -> Iterator[str]:
    """Yield text[low:high] for every choice of units that stay; bit j says unit j stays."""
    for choice in product((False, True), repeat=len(units)):
        stays = dict(zip(reversed(units), choice, strict=True))
        kept, at = [], low
        for start, end, j in inside:
            kept.append(text[at:start])
            if stays[j]:
                kept.append(text[start:end])
            at = end
        yield "".join([*kept, text[at:high]])


class Masks:
    """Masks of one text, and where each state of a piece holds."""

    def __init__(self, masks: BoolArray) -> None:
        self.masks = masks

    @cached_property
    def _by_unit(self) -> BoolArray:
        return np.ascontiguousarray(self.masks.T)

    def __len__(self) -> int:
        """Return the number of masks."""
        return len(self.masks)

    def holds(self, piece: TextPiece, number: int) -> BoolArray:
        """Say of each mask whether a piece is in its state *number* there: (m,) bool."""
        units = piece.units
        if len(units) == 1:
            alone: BoolArray = self._by_unit[units[0]]
            return alone if number else ~alone
        holds = np.ones(len(self.masks), dtype=bool)
        for place, unit in enumerate(units):
            stays = self._by_unit[unit]
            holds &= stays if number >> place & 1 else ~stays
        return holds


def _sparse(dense: Any, columns: IntArray, width: int) -> Any:
    """Return a matrix of few columns, by columns (k, m), as a sparse one (m, width)."""
    from scipy.sparse import csr_matrix

    there = dense if dense.dtype == np.bool_ else dense != 0
    starts = np.zeros(there.shape[1] + 1, dtype=np.int32)
    np.add.reduce(there.view(np.uint8), axis=0, dtype=np.int32).cumsum(out=starts[1:])
    found = np.flatnonzero(there.T)  # far faster than picking by a mask of two axes
    places = np.tile(columns.astype(np.int32), there.shape[1])[found]
    entries = np.ones(len(found)) if dense.dtype == np.bool_ else dense.T.ravel()[found]
    made = csr_matrix((entries, places, starts), shape=(len(starts) - 1, width), copy=False)
    made.has_canonical_format = True
    return made


class StateTerms:
    """Terms of pieces, and for each whether a mask holds it: about half of the masks do."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._holds: list[BoolArray] = []

    def add(self, terms: Sequence[str], holds: BoolArray) -> None:
        """Count terms once where a mask holds them, ``holds`` (m,) bool."""
        self.names += terms
        self._holds += [holds] * len(terms)

    def matrix(self, columns: IntArray, values: FloatArray, shape: tuple[int, int]) -> Any:
        """Return the sparse matrix in which term i adds ``values[i]`` to column ``columns[i]``."""
        order = np.argsort(columns, kind="stable")
        known, owner = np.unique(columns[order], return_inverse=True)
        chosen = [self._holds[i] for i in order.tolist()]
        held = np.array(chosen, dtype=np.bool_).reshape(len(order), shape[0])
        if len(known) < len(order) or (values != 1).any():
            counts = np.zeros((len(known), shape[0]))
            for i, at in enumerate(owner.tolist()):
                counts[at] += held[i] * values[order[i]]
            return _sparse(counts, known, shape[1])
        return _sparse(held, known, shape[1])

    def of_row(self, row: int) -> Counter[str]:
        """Return how often a mask holds each term."""
        pairs = zip(self.names, self._holds, strict=True)
        return Counter(name for name, holds in pairs if holds[row])


class FewTerms:
    """Terms, and the masks that hold them where few do."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._rows: list[IntArray] = []

    def add(self, terms: Sequence[str], holds: BoolArray) -> None:
        """Count terms once where a mask holds them, ``holds`` (m,) bool."""
        for term in terms:
            self.add_rows(term, np.flatnonzero(holds))

    def add_rows(self, term: str, rows: IntArray) -> None:
        """Count a term once in some masks, by number."""
        self.names.append(term)
        self._rows.append(rows)

    def matrix(self, columns: IntArray, values: FloatArray, shape: tuple[int, int]) -> Any:
        """Return the sparse matrix in which term i adds ``values[i]`` to column ``columns[i]``."""
        from scipy.sparse import csc_matrix

        order = np.argsort(columns, kind="stable")  # column by column: nothing is left to sort
        chosen = [self._rows[i] for i in order.tolist()]
        sizes = np.array([len(rows) for rows in chosen], dtype=np.int64)
        rows = np.concatenate([*chosen, np.empty(0, dtype=np.int64)])
        starts = np.zeros(shape[1] + 1, dtype=np.int32)
        np.add.at(starts, columns[order] + 1, sizes)
        entries = (
            np.repeat(values[order], sizes),
            rows.astype(np.int32),
            starts.cumsum(dtype=np.int32),
        )
        made = csc_matrix(entries, shape=shape, copy=False).tocsr()
        made.has_sorted_indices = True
        if len(np.unique(columns)) < len(columns):  # terms of one column stand side by side
            made.sum_duplicates()
        return made

    def of_row(self, row: int) -> Counter[str]:
        """Return how often a mask holds each term."""
        found: Counter[str] = Counter()
        for name, rows in zip(self.names, self._rows, strict=True):
            at = int(np.searchsorted(rows, row))
            if at < len(rows) and rows[at] == row:
                found[name] += 1
        return found


def add_states(
    terms: StateTerms | FewTerms,
    pieces: Sequence[TextPiece],
    masks: Masks,
    analyse: Callable[[str], Sequence[str]],
) -> None:
    """Add the terms of every piece's state: those that reach beyond no piece."""
    for piece in pieces:
        for number, text in enumerate(piece.states):
            found = analyse(text) if text else ()
            if found:
                terms.add(found, masks.holds(piece, number))


class Chains:
    """
    Terms of several words that reach over pieces, and the masks that hold them.

    A mask holds a chain where it holds the states that its words stand in and no word in between.
    A chain is only followed as far as a term of the vocabulary may come of it.
    """

    def __init__(self, vectoriser: Any) -> None:
        self._least, self._most = vectoriser.ngram_range
        self._known: Mapping[str, int] | None = getattr(vectoriser, "vocabulary_", None)
        self._prepare = vectoriser.build_preprocessor()
        self._split = vectoriser.build_tokenizer()
        self._stop = vectoriser.get_stop_words() or frozenset()
        self._words: dict[str, tuple[str, ...]] = {}

    @cached_property
    def _begun(self) -> frozenset[str] | None:
        """What a term of the vocabulary begins with, word by word; None: all is a term."""
        if self._known is None:
            return None
        cuts = ((term, at) for term in self._known for at, sign in enumerate(term) if sign == " ")
        return frozenset(term[:at] for term, at in cuts)

    def _words_of(self, text: str) -> tuple[str, ...]:
        """Return the words of a state, looked up once."""
        found = self._words.get(text)
        if found is None:
            if len(self._words) >= _MOST_TEXTS:
                self._words.clear()
            found = tuple(one for one in self._split(self._prepare(text)) if one not in self._stop)
            self._words[text] = found
        return found

    def of(self, pieces: Sequence[TextPiece], masks: Masks) -> Iterator[tuple[str, IntArray]]:
        """Yield each term that reaches over pieces, and the masks that hold it there, by number."""
        stops = []
        for piece in pieces:
            spoken = [
                (words, number)
                for number, text in enumerate(piece.states)
                if text and (words := self._words_of(text))
            ]
            if spoken:
                stops.append(_stop(piece, spoken, masks))
        for place, stop in enumerate(stops):
            for words, holds in stop.spoken:
                for i in range(max(0, len(words) - self._most + 1), len(words)):
                    chain, rows = " ".join(words[i:]), np.flatnonzero(holds)
                    yield from self._onward(chain, len(words) - i, stops[place:], rows)

    def _goes_on(self, chain: str, length: int) -> bool:
        """Tell whether a longer term may begin with a chain."""
        return length < self._most and (self._begun is None or chain in self._begun)

    def _onward(
        self, chain: str, length: int, stops: Sequence["_Stop"], rows: IntArray
    ) -> Iterator[tuple[str, IntArray]]:
        """Yield the terms that a chain, which ends at the first of the stops, goes on to."""
        if not self._goes_on(chain, length):
            return
        for at, stop in enumerate(stops[1:], 1):
            for words, holds in stop.spoken:
                terms, whole = self._joined(chain, length, words)
                here = rows[holds[rows]] if terms or whole else rows[:0]
                if not len(here):
                    continue
                for term in terms:
                    yield term, here
                if whole:  # words may be empty, and terms then begin with nothing
                    yield from self._onward(whole, length + len(words), stops[at:], here)
            rows = rows[stop.silent[rows]]
            if not len(rows):
                return

    def _joined(self, chain: str, length: int, words: Sequence[str]) -> tuple[list[str], str]:
        """Return the terms of a chain and words behind it, and the whole if it goes on, or none."""
        terms: list[str] = []
        for count, word in enumerate(words, length):
            if not self._goes_on(chain, count):
                return terms, ""
            chain = f"{chain} {word}"
            if count + 1 >= self._least and (self._known is None or chain in self._known):
                terms.append(chain)
        return terms, chain if self._goes_on(chain, length + len(words)) else ""


@dataclass(frozen=True)
class _Stop:
    """A piece that has words: those of its states, and the masks that hold each, or none."""

    spoken: Sequence[tuple[tuple[str, ...], BoolArray]]
    silent: BoolArray


def _stop(piece: TextPiece, spoken: Sequence[tuple[tuple[str, ...], int]], masks: Masks) -> _Stop:
    held = [(words, masks.holds(piece, number)) for words, number in spoken]
    return _Stop(held, ~np.logical_or.reduce([holds for _, holds in held]))


def without_units(text: str, spans: Spans, mask: BoolArray) -> str:
    """Return a text without the units that a mask takes away."""
    gone = sorted(span for j, unit in enumerate(spans) if not mask[j] for span in unit)
    kept, at = [], 0
    for low, high in gone:
        kept.append(text[at:low])
        at = high
    return "".join([*kept, text[at:]])
