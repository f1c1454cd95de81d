"""Linear models on bags of words: the scores of masked texts from the masks, no matrix made.

A score is a sum over the states of a text's pieces that hold under a mask (``bag_of_words``), and
over the chains of words that reach over pieces; what tf-idf divides it by is a sum over them or
over pairs of them. So all masks of a text take one product of few numbers with the masks. The
model's own end makes answers of scores.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
_TOGETHER = 128


def _is_of_sklearn(step: Any, names: Sequence[str] | Mapping[str, Any]) -> bool:
    kind = type(step)
    return kind.__name__ in names and kind.__module__.partition(".")[0] == "sklearn"


@dataclass(frozen=True)
class _Norm:
    """What counts are multiplied with, column by column, and the norm that they then have."""

    factors: FloatArray
    norm: str | None


def _norm_of(tfidf: Any, width: int) -> _Norm | None:
    """Return what tf-idf does to counts; None where it is no sum over them."""
    if tfidf is None:
        return _Norm(np.ones(width), None)
    if tfidf.sublinear_tf or tfidf.norm not in {None, "l1", "l2"}:
        return None
    factors = np.asarray(tfidf.idf_, dtype=np.float64) if tfidf.use_idf else np.ones(width)
    return _Norm(factors, tfidf.norm) if (factors > 0).all() else None


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
class _Terms:
    """
    The terms of one text: how much of column ``columns[i]`` state ``states[i]`` holds.

    Sorted by column; states are the units of the text, and then ``further`` ones: the masks that
    hold each.
    """

    columns: IntArray
    states: IntArray
    sizes: FloatArray
    further: Sequence[BoolArray]

    def held(self, units: FloatArray, states: IntArray) -> list[FloatArray]:
        """Return the masks that hold some states, (m,) each, 1 where one does."""
        n = len(units)
        return [
            units[at] if at < n else self.further[at - n].astype(np.float64)
            for at in states.tolist()
        ]


@dataclass(frozen=True)
class LinearBag:
    """
    A vectoriser, tf-idf or not, and a linear model.

    Attributes
    ----------
    vocabulary, analyse, chains
        The column of each term, what finds the terms of a string that have one, and those that
        reach over pieces; None: no term does.
    norm
        What becomes of counts.
    slopes : (k, columns), level : (k,)
        Of the scores.
    head
        The same model on its own scores.
    """

    vocabulary: Mapping[str, int]
    analyse: Any
    chains: Chains | None
    norm: _Norm
    slopes: FloatArray
    level: FloatArray
    head: Any
    _found: dict[str, list[int]] = field(default_factory=dict)
    _held: list[tuple[BoolArray, FloatArray]] = field(default_factory=list)

    def _columns(self, text: str) -> list[int]:
        """Return the columns of the terms of a piece's state, looked up once."""
        found = self._found.get(text)
        if found is None:
            if len(self._found) >= _MOST_STATES:
                self._found.clear()
            found = [self.vocabulary[term] for term in self.analyse(text)]
            self._found[text] = found
        return found

    def _units(self, masks: BoolArray) -> FloatArray:
        """Return masks as numbers, (n, m): texts with as many units have the same ones."""
        for known, numbers in self._held:
            if known is masks:
                return numbers
        numbers = np.ascontiguousarray(masks.T, dtype=np.float64)
        self._held[:] = [(masks, numbers)]
        return numbers

    def _terms(self, pieces: Sequence[TextPiece], masks: Masks, n: int) -> _Terms:
        columns: list[int] = []
        states: list[int] = []
        further: list[BoolArray] = []
        places: dict[tuple[tuple[int, ...], int], int] = {}
        for piece in pieces:
            for number, text in enumerate(piece.states):
                found = self._columns(text) if text else ()
                if not found:
                    continue
                if number == 1 and len(piece.units) == 1:
                    at = piece.units[0]
                else:
                    at = places.setdefault((piece.units, number), n + len(places))
                    further += [masks.holds(piece, number)] * (at - n == len(further))
                columns += found
                states += [at] * len(found)
        for term, holds in self.chains.of(pieces, masks) if self.chains is not None else ():
            columns.append(self.vocabulary[term])
            states.append(n + len(further))
            further.append(holds)
        width = n + len(further)
        codes = np.array(columns, dtype=np.int64) * width + np.array(states, dtype=np.int64)
        codes, counts = np.unique(codes, return_counts=True)
        column, state = np.divmod(codes, max(width, 1))
        return _Terms(column, state, counts * self.norm.factors[column], further)

    def scores(self, pieces: Sequence[TextPiece], masks: Masks) -> FloatArray:
        """Return the scores of a text under masks, (m, k)."""
        units = self._units(masks.masks)
        terms = self._terms(pieces, masks, len(units))
        width = len(units) + len(terms.further)
        worth = [
            np.bincount(terms.states, terms.sizes * own[terms.columns], minlength=width)
            for own in self.slopes
        ]
        power = 2 if self.norm.norm == "l2" else 1
        lines = np.stack([*worth, np.bincount(terms.states, terms.sizes**power, minlength=width)])
        found = lines[:, : len(units)] @ units
        for at in range(0, len(terms.further), _TOGETHER):
            more = np.array(terms.further[at : at + _TOGETHER], dtype=np.float64)
            found += lines[:, len(units) + at :][:, : len(more)] @ more
        if self.norm.norm is not None:
            size = found[-1]
            if power == 2:
                size += _common(terms, units)
                np.sqrt(size, out=size)
            found[:-1] /= np.where(size > 0, size, 1.0)
        return np.ascontiguousarray(found[:-1].T) + self.level


def _common(terms: _Terms, units: FloatArray) -> FloatArray | float:
    """Return what columns that several states share add to the sum of squares, (m,)."""
    columns, states, sizes = terms.columns, terms.states, terms.sizes
    first = np.flatnonzero(columns[1:] == columns[:-1])
    if not len(first):
        return 0.0
    if len(first) <= _FEW and (columns[first[1:]] != columns[first[:-1]]).all():
        found = np.zeros(units.shape[1])
        for i in first.tolist():  # a column of two states, as of "Free" and "free"
            one, other = terms.held(units, states[i : i + 2])
            found += 2 * sizes[i] * sizes[i + 1] * (one * other)
        return found
    inside = np.isin(columns, columns[first])
    own, row = np.unique(states[inside], return_inverse=True)
    _, column = np.unique(columns[inside], return_inverse=True)
    table = np.zeros((len(own), int(column.max()) + 1))
    table[row, column] = sizes[inside]
    products = table @ table.T
    np.fill_diagonal(products, 0.0)
    whole = np.array(terms.held(units, own))
    both: FloatArray = ((products @ whole) * whole).sum(axis=0)
    return both


def linear_bag(
    counts: Any, analyse: Any, chains: Chains | None, steps: Sequence[Any]
) -> LinearBag | None:
    """
    Return a vectoriser and the steps behind it as one sum; None where they are none.

    Parameters
    ----------
    counts
        A CountVectorizer or TfidfVectorizer, of which each piece of a text has its own terms.
    analyse
        Returns the terms of a string that have a column.
    chains
        Its terms that reach over pieces; None: it has none.
    steps
        What stands behind it: a TfidfTransformer or none, and a linear model.
    """
    vocabulary, tfidf = getattr(counts, "vocabulary_", None), getattr(counts, "_tfidf", None)
    if vocabulary is None or counts.binary or not steps:
        return None
    *between, head = steps
    if between:
        if tfidf is not None or len(between) > 1:
            return None
        tfidf = between[0]
        if not _is_of_sklearn(tfidf, ("TfidfTransformer",)):
            return None
    norm = _norm_of(tfidf, len(vocabulary))
    if norm is None or not _is_of_sklearn(head, _HEADS):
        return None
    names = _HEADS[type(head).__name__]
    slopes, level = (getattr(head, name) for name in names)
    # in single precision the model's own answers are rougher than these
    doubles = np.dtype(counts.dtype) in {np.dtype(np.float64), np.dtype(np.int64)}
    if not (doubles and isinstance(slopes, np.ndarray) and _is_finite(slopes, level)):
        return None
    table = np.atleast_2d(slopes)
    head = _on_scores(head, names, len(table))
    level = np.broadcast_to(np.asarray(level, dtype=np.float64), (len(table),))
    return LinearBag(vocabulary, analyse, chains, norm, table, level, head)
