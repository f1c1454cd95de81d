"""Linear models on bags of words: the scores of masked texts from the masks, no matrix made.

A score is a sum over the states of a text's pieces that hold under a mask (``bag_of_words``), and
over the chains of words that reach over pieces; what tf-idf divides it by is a sum over them or
over pairs of them. So all masks of a text take one product of few numbers with the masks. Where
counts do not stay what they are (``sublinear_tf``, ``binary``), columns that stand in several
states are counted mask by mask. The model's own end makes answers of scores.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.estimators.masked_terms import Chains, Masks, TextPiece

# scikit-learn's own classes -> slopes and level of their scores; a subclass may answer otherwise
_HEADS = {
    **dict.fromkeys(
        ("LogisticRegression", "LogisticRegressionCV", "LinearSVC", "SGDClassifier"),
        ("coef_", "intercept_"),
    ),
    **dict.fromkeys(("RidgeClassifier", "Ridge", "LinearRegression"), ("coef_", "intercept_")),
    "MultinomialNB": ("feature_log_prob_", "class_log_prior_"),
}
_MOST_STATES = 1 << 16
_FEW = 8
_TOGETHER = 256


def _is_of_sklearn(step: Any, names: Sequence[str]) -> bool:
    kind = type(step)
    return kind.__name__ in names and kind.__module__.partition(".")[0] == "sklearn"


@dataclass(frozen=True)
class CountedTerms:
    """
    What a vectoriser counts.

    Attributes
    ----------
    vectoriser
        A Count, Tfidf or Hashing vectoriser, of which each piece of a text has its own terms.
    analyse
        Returns the terms of a string that have a column.
    look_up
        Returns the column of each of some terms, and what it adds there.
    width
        How many columns there are.
    chains
        Its terms that reach over pieces; None: it has none.
    """

    vectoriser: Any
    analyse: Callable[[str], Sequence[str]]
    look_up: Callable[[Sequence[str]], tuple[IntArray, FloatArray]]
    width: int
    chains: Chains | None


def _sublinear(counts: FloatArray) -> FloatArray:
    """Return 1 + log of counts, and 0 of none."""
    found = np.zeros_like(counts)
    np.log(counts, out=found, where=counts > 0)
    found += counts > 0
    return found


def _presence(counts: FloatArray) -> FloatArray:
    """Return 1 for any count."""
    return (counts > 0).astype(np.float64)


@dataclass(frozen=True)
class _Weighting:
    """What becomes of counts: a curve or None, then factors by column, then a norm or None."""

    curve: Callable[[FloatArray], FloatArray] | None
    factors: FloatArray
    norm: str | None
    weighs: bool

    @property
    def power(self) -> int:
        """To which power values are added up in the norm."""
        return 2 if self.norm == "l2" else 1


def _weighting_of(counts: Any, later: Sequence[Any], width: int) -> _Weighting | None:
    """Return what a vectoriser and tf-idf do to counts; None where it is no sum over them."""
    own, hashed = getattr(counts, "_tfidf", None), hasattr(counts, "n_features")
    if len(later) > 1 or not all(_is_of_sklearn(step, ("TfidfTransformer",)) for step in later):
        return None
    if later and (own is not None or (hashed and counts.norm is not None)):
        return None  # norms of norms
    tfidf = later[0] if later else own
    norm = (counts.norm if hashed else None) if tfidf is None else tfidf.norm
    bent = counts.binary or (tfidf is not None and tfidf.sublinear_tf)
    if norm not in {None, "l1", "l2"}:
        return None
    if hashed and counts.alternate_sign and (bent or norm == "l1"):
        return None  # signs do not survive a curve, and sizes of sums are no sums
    weighed = tfidf if tfidf is not None and tfidf.use_idf else None
    factors = np.ones(width) if weighed is None else np.asarray(weighed.idf_, dtype=np.float64)
    if factors.shape != (width,) or not (np.isfinite(factors) & (factors > 0)).all():
        return None
    curve = _presence if counts.binary else _sublinear
    return _Weighting(curve if bent else None, factors, norm, weighed is not None)


@dataclass(frozen=True)
class _Terms:
    """
    The terms of one text: how much of column ``columns[i]`` state ``states[i]`` holds.

    Sorted by column; states are the units of the text (their masks are ``units``, as numbers), and
    then ``further`` ones: the masks that hold each, by number.
    """

    columns: IntArray
    states: IntArray
    sizes: FloatArray
    units: FloatArray
    further: Sequence[IntArray]

    def summed(self, worth: Sequence[FloatArray]) -> FloatArray:
        """Return sums over all terms that a mask holds, (w, m), each term of some worth."""
        n, m = self.units.shape
        width = n + len(self.further)
        lines = np.stack([np.bincount(self.states, one, minlength=width) for one in worth])
        found: FloatArray = lines[:, :n] @ self.units
        if self.further:
            rows, sizes = np.concatenate(self.further), list(map(len, self.further))
            for i, line in enumerate(lines[:, n:]):
                found[i] += np.bincount(rows, np.repeat(line, sizes), minlength=m)
        return found

    def chosen(self, which: BoolArray) -> "_Terms":
        """Return some of the terms."""
        columns, states, sizes = self.columns[which], self.states[which], self.sizes[which]
        return _Terms(columns, states, sizes, self.units, self.further)

    def by_unit(self) -> tuple[FloatArray, IntArray]:
        """Return how much of each column (c) a unit holds, (u, c), and the units, (u,)."""
        alone = self.states < len(self.units)
        own, row = np.unique(self.states[alone], return_inverse=True)
        columns, column = np.unique(self.columns, return_inverse=True)
        table = np.zeros((len(own), len(columns)))
        table[row, column[alone]] = self.sizes[alone]
        return table, own

    def counts(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield columns (c,), and what each mask holds of them, (c, m), few at a time."""
        known = np.unique(self.columns)
        for at in range(0, len(known), _TOGETHER):
            columns = known[at : at + _TOGETHER]
            some = self.chosen(np.isin(self.columns, columns))
            table, own = some.by_unit()
            found = table.T @ self.units[own]
            for i in np.flatnonzero(some.states >= len(self.units)).tolist():
                place = np.searchsorted(columns, some.columns[i])
                found[place, self.further[some.states[i] - len(self.units)]] += some.sizes[i]
            yield columns, found


@dataclass(frozen=True)
class WordBag:
    """
    A vectoriser's part of the scores.

    Attributes
    ----------
    counted
        What it counts.
    weighting
        What becomes of counts.
    slopes : (k, columns)
        What a column adds to each score.
    """

    counted: CountedTerms
    weighting: _Weighting
    slopes: FloatArray
    _found: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)

    def _columns(self, text: str) -> tuple[list[int], list[float]]:
        """Return columns of the terms of a piece's state, and their counts, looked up once."""
        found = self._found.get(text)
        if found is None:
            if len(self._found) >= _MOST_STATES:
                self._found.clear()
            columns, counts = self.counted.look_up(self.counted.analyse(text))
            found = self._found[text] = (columns.tolist(), counts.tolist())
        return found

    def _reaching(
        self, pieces: Sequence[TextPiece], masks: Masks
    ) -> tuple[IntArray, FloatArray, list[IntArray]]:
        """Return columns, counts and masks of the terms that reach over pieces."""
        if self.counted.chains is None:
            return np.empty(0, dtype=np.int64), np.empty(0), []
        reaching = list(self.counted.chains.of(pieces, masks))
        columns, counts = self.counted.look_up([term for term, _ in reaching])
        return columns, counts, [rows for _, rows in reaching]

    def _terms(self, pieces: Sequence[TextPiece], masks: Masks, units: FloatArray) -> _Terms:
        columns: list[int] = []
        counts: list[float] = []
        states: list[int] = []
        further: list[IntArray] = []
        places: dict[tuple[tuple[int, ...], int], int] = {}
        n = len(units)
        for piece in pieces:
            for number, text in enumerate(piece.states):
                found, sizes = self._columns(text) if text else ((), ())
                if not found:
                    continue
                if number == 1 and len(piece.units) == 1:
                    at = piece.units[0]
                else:
                    at = places.setdefault((piece.units, number), n + len(places))
                    if at - n == len(further):
                        further.append(np.flatnonzero(masks.holds(piece, number)))
                columns += found
                counts += sizes
                states += [at] * len(found)
        more, sizes_of, reaching = self._reaching(pieces, masks)
        states += range(n + len(further), n + len(further) + len(reaching))
        further += reaching
        width = n + len(further)
        codes: IntArray = np.array([*columns, *more], dtype=np.int64) * width
        codes, term = np.unique(codes + np.array(states, dtype=np.int64), return_inverse=True)
        summed = np.bincount(term, np.array([*counts, *sizes_of]), minlength=len(codes))
        column, state = np.divmod(codes, max(width, 1))
        return _Terms(column, state, summed.astype(np.float64, copy=False), units, further)

    def scores(self, pieces: Sequence[TextPiece], masks: Masks, units: FloatArray) -> FloatArray:
        """Return its part of the scores of a text under masks, (k, m)."""
        terms = self._terms(pieces, masks, units)
        curve, power = self.weighting.curve, self.weighting.power
        aside = self._aside(terms)
        plain = terms.chosen(~aside)
        sizes = plain.sizes if curve is None else curve(plain.sizes)
        plain = replace(plain, sizes=sizes * self.weighting.factors[plain.columns])
        worth = [plain.sizes * own[plain.columns] for own in self.slopes]
        found = plain.summed([*worth, plain.sizes**power])
        if power > 1:
            found[-1] += _common(plain)
        for columns, counts in terms.chosen(aside).counts():
            values = counts if curve is None else curve(counts)
            values = values * self.weighting.factors[columns][:, None]
            found[:-1] += self.slopes[:, columns] @ values
            found[-1] += (values**power).sum(axis=0)
        if self.weighting.norm is None:
            return found[:-1]
        size = np.sqrt(found[-1]) if power > 1 else found[-1]
        whole: FloatArray = found[:-1] / np.where(size > 0, size, 1.0)
        return whole

    def _aside(self, terms: _Terms) -> BoolArray:
        """Tell which terms are counted mask by mask: no sum over states, or over pairs of many."""
        several: BoolArray = _repeated(terms.columns)
        if self.weighting.curve is None:
            apart = terms.states >= len(terms.units)
            if self.weighting.weighs:  # weights that cancel leave a rest, which a norm blows up
                apart |= terms.sizes < 0
            others = terms.columns[apart]
            several &= self.weighting.power > 1 and np.isin(terms.columns, others)
        return several


def _repeated(columns: IntArray) -> BoolArray:
    """Tell which of some sorted columns stand there more than once."""
    found = np.zeros(len(columns), dtype=bool)
    same = columns[1:] == columns[:-1]
    found[1:] |= same
    found[:-1] |= same
    return found


def _common(terms: _Terms) -> FloatArray | float:
    """Return what columns that several units share add to the sum of squares, (m,)."""
    columns, states, sizes, units = terms.columns, terms.states, terms.sizes, terms.units
    first = np.flatnonzero(columns[1:] == columns[:-1])
    if not len(first):
        return 0.0
    if len(first) <= _FEW and (columns[first[1:]] != columns[first[:-1]]).all():
        found = np.zeros(units.shape[1])
        for i in first.tolist():  # a column of two units, as of "Free" and "free"
            found += 2 * sizes[i] * sizes[i + 1] * (units[states[i]] * units[states[i + 1]])
        return found
    table, own = terms.chosen(_repeated(columns)).by_unit()
    products = table @ table.T
    np.fill_diagonal(products, 0.0)
    both: FloatArray = ((products @ units[own]) * units[own]).sum(axis=0)
    return both


@dataclass(frozen=True)
class LinearBag:
    """
    Vectorisers side by side, tf-idf or not, and a linear model.

    Attributes
    ----------
    bags
        The parts of the scores.
    level : (k,)
        What is added to all of them.
    head
        The same model on its own scores.
    """

    bags: Sequence[WordBag]
    level: FloatArray
    head: Any
    _held: list[tuple[BoolArray, FloatArray]] = field(default_factory=list)

    def _units(self, masks: BoolArray) -> FloatArray:
        """Return masks as numbers, (n, m): texts with as many units have the same ones."""
        for known, numbers in self._held:
            if known is masks:
                return numbers
        numbers = np.ascontiguousarray(masks.T, dtype=np.float64)
        self._held[:] = [(masks, numbers)]
        return numbers

    def scores(self, pieces: Sequence[TextPiece], masks: Masks) -> FloatArray:
        """Return the scores of a text under masks, (m, k)."""
        units = self._units(masks.masks)
        found = sum(bag.scores(pieces, masks, units) for bag in self.bags)
        return np.ascontiguousarray(np.transpose(found)) + self.level


def _is_finite(slopes: Any, level: Any) -> bool:
    """
    Tell whether slopes are in double precision, and all numbers finite.

    A class that a word rules out (log 0) has a slope of -inf, and 0 times that is no number.
    """
    return bool(
        slopes.dtype == np.float64 and np.isfinite(slopes).all() and np.isfinite(level).all()
    )


def _on_scores(head: Any, names: tuple[str, str], outputs: int) -> Any:
    """Return a linear model whose columns are the scores of another: each counts once."""
    made = copy.copy(head)
    slopes, level = (np.asarray(getattr(head, name)) for name in names)
    setattr(made, names[0], np.eye(outputs) if slopes.ndim > 1 else np.ones(1))
    setattr(made, names[1], np.zeros_like(level, dtype=np.float64))
    made.n_features_in_ = outputs
    return made


@dataclass(frozen=True)
class BagSteps:
    """A vectoriser of a pipeline, the steps behind it before others join, and its weight there."""

    counted: CountedTerms
    later: Sequence[Any]
    weight: float = 1.0


def _bags(parts: Sequence[BagSteps], slopes: FloatArray) -> Iterator[WordBag | None]:
    """Yield the parts of the scores; None where one is no sum."""
    at = 0
    for part in parts:
        counts, width = part.counted.vectoriser, part.counted.width
        weighting = _weighting_of(counts, part.later, width)
        # in single precision the model's own answers are rougher than these
        doubles = np.dtype(counts.dtype) in {np.dtype(np.float64), np.dtype(np.int64)}
        own = slopes[:, at : at + width] * part.weight
        at += width
        yield WordBag(part.counted, weighting, own) if doubles and weighting is not None else None


def linear_bag(parts: Sequence[BagSteps], head: Any) -> LinearBag | None:
    """
    Return vectorisers and the steps behind them as one sum; None where they are none.

    Parameters
    ----------
    parts
        Vectorisers whose columns stand side by side.
    head
        The model on them.
    """
    if not _is_of_sklearn(head, tuple(_HEADS)):
        return None
    names = _HEADS[type(head).__name__]
    slopes, level = (getattr(head, name) for name in names)
    if not isinstance(slopes, np.ndarray) or not _is_finite(slopes, level):
        return None
    table = np.atleast_2d(slopes)
    if np.shape(level) not in {(), (len(table),)}:
        return None
    found = list(_bags(parts, table))
    bags = [bag for bag in found if bag is not None]
    if len(bags) < len(found):
        return None
    level = np.broadcast_to(np.asarray(level, dtype=np.float64), (len(table),))
    return LinearBag(bags, level, _on_scores(head, names, len(table)))
