"""Bag-of-words pipelines: the matrix of all masked texts from the masks, no string made.

A text is cut at white space. A piece has a state for every choice of its units that stay, and a
state has its terms, found by the vectoriser's own analyser; a masked text is the sum of the states
of its pieces. Terms of several words (n-grams) that reach over pieces are followed from piece to
piece, for all masks together. Which vectorisers allow it is read off them (``token_patterns``), and
which texts, off the text. So the counts are right by construction; of one text in 16, chosen by its
own letters, a few masks are counted as strings all the same.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.contract import Batch, Capabilities, MaskedText, Model, Signature
from xplain_cli.models.estimators.answers import ask
from xplain_cli.models.estimators.columns import inner, steps_of
from xplain_cli.models.estimators.linear_bags import (
    BagSteps,
    CountedTerms,
    LinearBag,
    linear_bag,
)
from xplain_cli.models.estimators.masked_terms import (
    Chains,
    FewTerms,
    Masks,
    Spans,
    StateTerms,
    TextPiece,
    add_states,
    cut,
    without_units,
)
from xplain_cli.models.estimators.token_patterns import counts_pieces, keeps_blanks
from xplain_cli.models.responses import expand

_TRIED, _TRIED_TEXTS = 4, 16
_MOST_STATES = 1 << 16


@dataclass(frozen=True)
class _Masked:
    """One text and its masks, cut at white space."""

    text: str
    spans: Spans
    pieces: Sequence[TextPiece]
    masks: Masks

    @property
    def is_tried(self) -> bool:
        """Whether its counts are tried on strings."""
        return crc32(self.text.encode("utf-8", "surrogatepass")) % _TRIED_TEXTS == 0

    def strings(self) -> Iterator[tuple[int, str]]:
        """Yield a few of the masks with their strings, of some texts."""
        if not self.is_tried:
            return
        tried = np.unique(np.linspace(0, len(self.masks) - 1, _TRIED).astype(np.int64))
        for row in tried.tolist():
            yield row, without_units(self.text, self.spans, self.masks.masks[row])


class _Counts:
    """One fitted Count, Tfidf or Hashing vectoriser."""

    def __init__(self, vectoriser: Any) -> None:
        self.vectoriser = vectoriser
        self._analyse = vectoriser.build_analyzer()
        if not hasattr(vectoriser, "n_features") and not hasattr(vectoriser, "vocabulary_"):
            vectoriser.get_feature_names_out()  # numbers a vocabulary given to one never fitted
        self._vocabulary: Mapping[str, int] | None = getattr(vectoriser, "vocabulary_", None)
        self._prepare = vectoriser.build_preprocessor()
        self._found: dict[str, tuple[str, ...]] = {}
        chained = vectoriser.analyzer == "word" and vectoriser.ngram_range[1] > 1
        self._chains = Chains(vectoriser) if chained else None

    def counts(self, masked: _Masked) -> Any | None:
        """Return the counts of masked texts, sparse; None: they are not those of the strings."""
        terms = self._terms(masked)
        if terms is None:
            return None
        columns, values = self._columns(terms.names)
        shape = (len(masked.masks), self._width)
        return terms.matrix(columns, values, shape).astype(self.vectoriser.dtype, copy=False)

    def splits(self, masked: _Masked) -> bool:
        """Say whether the pieces of a text have the terms of its strings."""
        if not masked.is_tried:
            return keeps_blanks(self._prepare, masked.text)
        return self._terms(masked) is not None

    def parts(self, later: Sequence[Any]) -> list[BagSteps] | None:
        """Return this and the steps behind it as the one part of a sum."""
        counted = CountedTerms(
            self.vectoriser, self._known, self._columns, self._width, self._chains
        )
        return [BagSteps(counted, later)]

    def _terms(self, masked: _Masked) -> FewTerms | StateTerms | None:
        """Return the terms of masked texts; None: they are not those of the strings."""
        if not keeps_blanks(self._prepare, masked.text):
            return None
        terms = StateTerms() if self._chains is None else self._chained(masked, self._chains)
        add_states(terms, masked.pieces, masked.masks, self._of_state)
        for row, string in masked.strings():
            if terms.of_row(row) != Counter(self._known(string)):
                return None
        return terms

    def _chained(self, masked: _Masked, chains: Chains) -> FewTerms:
        """Return the terms that reach over pieces."""
        terms = FewTerms()
        for term, rows in chains.of(masked.pieces, masked.masks):
            terms.add_rows(term, rows)
        return terms

    def _of_state(self, text: str) -> tuple[str, ...]:
        """Return the terms of a piece's state, looked up once: texts share their words."""
        found = self._found.get(text)
        if found is None:
            if len(self._found) >= _MOST_STATES:
                self._found.clear()
            found = self._found[text] = tuple(self._known(text))
        return found

    def _known(self, text: str) -> list[str]:
        """Return the terms of a string that have a column."""
        terms = self._analyse(text)
        if self._vocabulary is None:
            return list(terms)
        return [term for term in terms if term in self._vocabulary]

    @property
    def _width(self) -> int:
        """How many columns there are."""
        known = self._vocabulary
        return self.vectoriser.n_features if known is None else len(known)

    def _columns(self, terms: Sequence[str]) -> tuple[IntArray, FloatArray]:
        """Return the column of each term, and what it adds there."""
        if self._vocabulary is not None:
            found = [self._vocabulary[term] for term in terms]
            return np.array(found, dtype=np.int64), np.ones(len(terms))
        from sklearn.feature_extraction import FeatureHasher

        if not terms:  # the hasher looks at the first one
            return np.empty(0, dtype=np.int64), np.empty(0)
        signed = self.vectoriser.alternate_sign
        hasher = FeatureHasher(self._width, input_type="string", alternate_sign=signed)
        hashed = hasher.transform([[term] for term in terms])
        return hashed.indices.astype(np.int64), hashed.data

    def finished(self, counts: Any) -> Any:
        """Return what the vectoriser makes of counts."""
        from sklearn.preprocessing import normalize

        if self.vectoriser.binary:
            counts.data.fill(1.0)
        if self._vocabulary is None:
            norm = self.vectoriser.norm
            return counts if norm is None else normalize(counts, norm=norm)
        tfidf = getattr(self.vectoriser, "_tfidf", None)
        return counts if tfidf is None else tfidf.transform(counts)


class _Union:
    """Vectorisers side by side."""

    def __init__(self, union: Any, parts: list["_Vectors"]) -> None:
        self._parts = parts
        weights = union.transformer_weights or {}
        given = [weights.get(name) for name, _ in union.transformer_list]
        self._weights = [1.0 if weight is None else weight for weight in given]

    def counts(self, masked: _Masked) -> Any | None:
        """Return the parts' matrices side by side."""
        from scipy.sparse import hstack, issparse

        found = [part.counts(masked) for part in self._parts]
        if any(one is None for one in found):
            return None
        done = [
            part.finished(one) * weight
            for part, one, weight in zip(self._parts, found, self._weights, strict=True)
        ]
        if not any(map(issparse, done)):  # as scikit-learn does
            return np.hstack(done)
        return hstack(done, format="csr")

    def splits(self, masked: _Masked) -> bool:
        """Say whether the pieces of a text have the terms of its strings."""
        return all(part.splits(masked) for part in self._parts)

    def parts(self, later: Sequence[Any]) -> list[BagSteps] | None:
        """Return the parts of a sum; None where a step stands behind them together."""
        found = [part.parts(()) for part in self._parts]
        if later or any(one is None for one in found):
            return None
        weighed = zip(found, self._weights, strict=True)
        return [replace(one, weight=one.weight * w) for own, w in weighed for one in own or ()]

    def finished(self, counts: Any) -> Any:
        """Return the matrices as they are: each part has finished its own."""
        return counts


class _Chain:
    """Steps of a pipeline that begin with vectorisers and go on with a matrix."""

    def __init__(self, first: "_Vectors", later: list[Any]) -> None:
        self._first = first
        self._later = later

    def counts(self, masked: _Masked) -> Any | None:
        """Return the counts of the first step."""
        return self._first.counts(masked)

    def splits(self, masked: _Masked) -> bool:
        """Say whether the pieces of a text have the terms of its strings."""
        return self._first.splits(masked)

    def parts(self, later: Sequence[Any]) -> list[BagSteps] | None:
        """Return the parts of a sum, with its own steps before the later ones."""
        return self._first.parts([*self._later, *later])

    def finished(self, counts: Any) -> Any:
        """Return what the later steps make of counts."""
        matrix = self._first.finished(counts)
        for step in self._later:
            matrix = step.transform(matrix)
        return matrix


_Vectors: TypeAlias = _Counts | _Chain | _Union


def _vectors(step: Any) -> _Vectors | None:
    """Return what a step does to masked texts; None: it is no bag of words."""
    from sklearn.pipeline import FeatureUnion

    if counts_pieces(step):
        # hashing that signs its counts and forgets them afterwards is no sum of counts
        return None if hasattr(step, "n_features") and step.binary else _Counts(step)
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

    vectors: _Vectors
    rest: Any

    def masked_rows(self, text: str, spans: Spans, masks: BoolArray) -> Any | None:
        """Return the counts of a masked text, sparse; None where they are not the strings'."""
        pieces = cut(text, spans)
        if pieces is None or not len(masks):
            return None
        return self.vectors.counts(_Masked(text, spans, pieces, Masks(masks)))

    @cached_property
    def linear(self) -> LinearBag | None:
        """The vectoriser and the steps behind it as one sum, where they are one."""
        *between, head = [step for _, step in self.rest.steps]
        parts = self.vectors.parts(between)
        return None if parts is None else linear_bag(parts, head)

    def masked_scores(self, text: str, spans: Spans, masks: BoolArray) -> FloatArray | None:
        """Return the scores of a masked text; None where they are not the strings'."""
        pieces = cut(text, spans)
        if pieces is None or not len(masks) or self.linear is None:
            return None
        masked = _Masked(text, spans, pieces, Masks(masks))
        if not self.vectors.splits(masked):
            return None
        return self.linear.scores(pieces, masked.masks)


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
    def signature(self) -> Signature:
        """What the probe chose."""
        return self.whole.signature

    @property
    def capabilities(self) -> Capabilities:
        """What the pipeline can do, and masked texts as rows of counts, or of scores."""
        linear = self.texts.linear is not None
        rows = self.texts.masked_scores if linear else self.texts.masked_rows
        masked = MaskedText(rows, self._predict_scores if linear else self._predict_rows)
        return replace(self.whole.capabilities, masked_text=masked)

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        return self.whole.predict(batch)

    def _predict_rows(self, rows: Any) -> FloatArray:
        """Return the answers on the matrix of masked texts."""
        finished = self.texts.vectors.finished(rows)
        return expand(ask(self.texts.rest, self.signature.response, finished), self.signature)

    def _predict_scores(self, scores: FloatArray) -> FloatArray:
        """Return the answers on the scores of masked texts."""
        head: Any = self.texts.linear
        return expand(ask(head.head, self.signature.response, scores), self.signature)
