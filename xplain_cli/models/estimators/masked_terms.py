"""The terms of masked texts, and the masks that hold each of them, without any string."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray

_PIECE, _BLANKS = re.compile(r"\S+"), re.compile(r"\s+")
_MOST_UNITS_A_PIECE = 4

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


class ChainTerms:
    """Terms of several words, and the masks that hold them: few do."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._rows: list[IntArray] = []

    def add(self, term: str, rows: IntArray) -> None:
        """Count a term once in every row."""
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
    terms: StateTerms,
    pieces: Sequence[TextPiece],
    masks: Masks,
    analyse: Callable[[str], Sequence[str]],
) -> None:
    """Add the terms of every piece's state: no term reaches beyond a piece."""
    for piece in pieces:
        for number, text in enumerate(piece.states):
            found = analyse(text) if text else ()
            if found:
                terms.add(found, masks.holds(piece, number))


class _Walk:
    """The last words of every mask, as the pieces are walked over."""

    def __init__(self, masks: int, longest: int) -> None:
        self.words: list[str] = []
        self._numbers: dict[str, int] = {}
        self._last = np.full((longest - 1, masks), -1, dtype=np.int64)

    def step(self, word: str, rows: IntArray) -> Iterator[tuple[int, tuple[str, ...], IntArray]]:
        """Append a word in some masks; yield (length, words, masks) of all that now end there."""
        yield 1, (word,), rows
        code = np.zeros(len(rows), dtype=np.int64)
        known: list[tuple[str, ...]] = [(word,)]
        for back in range(len(self._last)):
            before = self._last[back, rows]
            there = before >= 0
            rows, code, before = rows[there], code[there], before[there]
            if not len(rows):
                break
            pairs, code = np.unique(np.stack([before, code]), axis=1, return_inverse=True)
            code = code.ravel()
            known = [(self.words[b], *known[c]) for b, c in pairs.T.tolist()]
            for number, words in enumerate(known):
                yield back + 2, words, rows[code == number]

    def push(self, word: str, rows: IntArray) -> None:
        """Make a word the last one in some masks."""
        if word not in self._numbers:
            self._numbers[word] = len(self.words)
            self.words.append(word)
        self._last[1:, rows] = self._last[:-1, rows]
        self._last[0, rows] = self._numbers[word]


def add_ngrams(
    terms: ChainTerms, pieces: Sequence[TextPiece], masks: Masks, vectoriser: Any
) -> None:
    """Add n-grams of words, which reach over pieces that a mask leaves empty."""
    least, most = vectoriser.ngram_range
    prepare, split = vectoriser.build_preprocessor(), vectoriser.build_tokenizer()
    stop = vectoriser.get_stop_words() or frozenset()
    known = getattr(vectoriser, "vocabulary_", None)
    walk = _Walk(len(masks), most)
    for piece in pieces:
        for number, text in enumerate(piece.states):
            words = [word for word in split(prepare(text)) if word not in stop]
            rows: IntArray = np.empty(0, dtype=np.int64)
            if words:
                rows = np.flatnonzero(masks.holds(piece, number)).astype(np.int64, copy=False)
            for word in words if len(rows) else ():
                for length, chain, where in walk.step(word, rows):
                    term = " ".join(chain)
                    if length >= least and (known is None or term in known):
                        terms.add(term, where)
                walk.push(word, rows)


def without_units(text: str, spans: Spans, mask: BoolArray) -> str:
    """Return a text without the units that a mask takes away."""
    gone = sorted(span for j, unit in enumerate(spans) if not mask[j] for span in unit)
    kept, at = [], 0
    for low, high in gone:
        kept.append(text[at:low])
        at = high
    return "".join([*kept, text[at:]])
