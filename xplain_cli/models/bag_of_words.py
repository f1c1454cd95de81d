"""Bag-of-words pipelines: the matrix of all masked texts from the masks, no string made.

A text is cut at white space. A piece has a state for every choice of its units that stay, and a
state has its terms, found by the vectoriser's own analyser; a masked text is the sum of the states
of its pieces. Terms of several words (n-grams) are found by walking over the pieces once, for all
masks together. Whether that holds for a text is tried on a few of its masks as strings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray
from xplain_cli.models.answers import ask
from xplain_cli.models.columns import inner, steps_of
from xplain_cli.models.contract import Batch, Model, Settled
from xplain_cli.models.masked_terms import (
    Piece,
    Spans,
    Terms,
    add_ngrams,
    add_states,
    cut,
    without_units,
)
from xplain_cli.models.responses import expand

_TRIED = 4


class _Counts:
    """One fitted Count, Tfidf or Hashing vectoriser."""

    def __init__(self, vectoriser: Any) -> None:
        self.vectoriser = vectoriser
        self._analyse = vectoriser.build_analyzer()
        self._vocabulary: Mapping[str, int] | None = getattr(vectoriser, "vocabulary_", None)
        words = vectoriser.analyzer == "word" and not callable(vectoriser.tokenizer)
        self._walks = words and vectoriser.ngram_range[1] > 1

    def matrix(self, pieces: Sequence[Piece], masks: BoolArray) -> Any:
        """Return what the vectoriser makes of the masked texts, sparse."""
        terms = Terms()
        if self._walks:
            add_ngrams(terms, pieces, masks, self.vectoriser)
        else:
            add_states(terms, pieces, masks, self._analyse)
        counts = terms.counts(len(masks)) @ self._columns(list(terms.numbers))
        return self._finished(counts)

    def _columns(self, terms: list[str]) -> Any:
        """Return the columns of terms, sparse (terms, columns)."""
        from scipy.sparse import csr_array
        from sklearn.feature_extraction import FeatureHasher

        if self._vocabulary is None:
            hasher = FeatureHasher(
                n_features=self.vectoriser.n_features,
                input_type="string",
                alternate_sign=self.vectoriser.alternate_sign,
            )
            return csr_array(hasher.transform([[term] for term in terms]))
        known = self._vocabulary
        found = [
            (i, self._vocabulary[term]) for i, term in enumerate(terms) if term in self._vocabulary
        ]
        rows, columns = np.array(found, dtype=np.int64).reshape(-1, 2).T
        shape = (len(terms), len(known))
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)

    def _finished(self, counts: Any) -> Any:
        from scipy.sparse import csr_matrix
        from sklearn.preprocessing import normalize

        counts = csr_matrix(counts)
        counts.sum_duplicates()
        if self.vectoriser.binary:
            counts.data.fill(1.0)
        if self._vocabulary is None:
            norm = self.vectoriser.norm
            return counts if norm is None else normalize(counts, norm=norm, copy=False)
        tfidf = getattr(self.vectoriser, "_tfidf", None)
        return counts if tfidf is None else tfidf.transform(counts, copy=False)

    def strings(self, texts: list[str]) -> Any:
        """Return what the vectoriser makes of strings."""
        return self.vectoriser.transform(texts)


class _Union:
    """Vectorisers side by side."""

    def __init__(self, union: Any, parts: list["_Counts | _Chain | _Union"]) -> None:
        self._union = union
        self._parts = parts
        weights = union.transformer_weights or {}
        self._weights = [weights.get(name, 1.0) for name, _ in union.transformer_list]

    def matrix(self, pieces: Sequence[Piece], masks: BoolArray) -> Any:
        """Return the parts' matrices side by side."""
        from scipy.sparse import hstack

        found = [part.matrix(pieces, masks) for part in self._parts]
        return hstack([one * w for one, w in zip(found, self._weights, strict=True)], format="csr")

    def strings(self, texts: list[str]) -> Any:
        """Return what the union makes of strings."""
        return self._union.transform(texts)


class _Chain:
    """Steps of a pipeline that begin with vectorisers and go on with a matrix."""

    def __init__(self, first: "_Counts | _Chain | _Union", later: list[Any]) -> None:
        self._first = first
        self._later = later

    def _finished(self, matrix: Any) -> Any:
        for step in self._later:
            matrix = step.transform(matrix)
        return matrix

    def matrix(self, pieces: Sequence[Piece], masks: BoolArray) -> Any:
        """Return what the steps make of masked texts."""
        return self._finished(self._first.matrix(pieces, masks))

    def strings(self, texts: list[str]) -> Any:
        """Return what the steps make of strings."""
        return self._finished(self._first.strings(texts))


def _vectors(step: Any) -> "_Counts | _Chain | _Union | None":
    """Return what a step does to masked texts; None: it is no bag of words."""
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
    from sklearn.pipeline import FeatureUnion

    if isinstance(step, CountVectorizer | HashingVectorizer):
        signed = isinstance(step, HashingVectorizer) and step.binary
        plain = step.input == "content" and step.analyzer in {"word", "char_wb"} and not signed
        return _Counts(step) if plain else None
    if isinstance(step, FeatureUnion):
        parts = [_vectors(one) for _, one in step.transformer_list]
        known = [one for one in parts if one is not None]
        return _Union(step, known) if len(known) == len(parts) else None
    steps = steps_of(step)
    first = _vectors(steps[0]) if steps else None
    return None if first is None or steps is None else _Chain(first, steps[1:])


@dataclass(frozen=True)
class SparseTexts:
    """
    The part of a pipeline before its last steps, on masked texts.

    Attributes
    ----------
    vectors
        Vectorisers, as one.
    rest
        The steps behind them, as one estimator.
    """

    vectors: Any
    rest: Any

    def masked_rows(self, text: str, spans: Spans, masks: BoolArray) -> Any | None:
        """Return the matrix of a masked text, sparse; None where it is not that of the strings."""
        pieces = cut(text, spans)
        if pieces is None or not len(masks):
            return None
        matrix = self.vectors.matrix(pieces, masks)
        tried = np.unique(np.linspace(0, len(masks) - 1, _TRIED).astype(np.int64))
        strings = [without_units(text, spans, masks[i]) for i in tried]
        gap = abs(matrix[tried] - self.vectors.strings(strings))
        return matrix if gap.nnz == 0 or gap.max() <= 1e-12 else None


def sparse_texts(estimator: Any) -> SparseTexts | None:
    """Return the sparse road of a pipeline that begins with a bag of words; None: it does not."""
    from sklearn.pipeline import Pipeline

    pipeline = inner(estimator)
    steps = steps_of(pipeline)
    if not isinstance(pipeline, Pipeline) or not steps or len(steps) < 2:
        return None
    vectors = _vectors(steps[0])
    if vectors is None:
        return None
    rest = Pipeline([(str(i), step) for i, step in enumerate(steps[1:])])
    return SparseTexts(vectors, rest)


@dataclass(frozen=True)
class BagOfWords:
    """A pipeline of words and a model, which answers masked texts without their strings."""

    whole: Model
    texts: SparseTexts

    @property
    def settled(self) -> Settled:
        """What the probe chose."""
        return self.whole.settled

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        return self.whole.predict(batch)

    def masked_rows(self, text: str, spans: Spans, masks: BoolArray) -> Any | None:
        """Return the matrix of a masked text (see ``contract.MaskedText``)."""
        return self.texts.masked_rows(text, spans, masks)

    def predict_rows(self, rows: Any) -> FloatArray:
        """Return the answers on such a matrix."""
        return expand(ask(self.texts.rest, self.settled.response, rows), self.settled)
