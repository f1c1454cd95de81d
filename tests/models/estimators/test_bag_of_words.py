"""models: masked texts of bag-of-words pipelines by sparse algebra, against their strings."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline, make_union

from xplain_cli.modalities.text.masks import TextMasker
from xplain_cli.models.contract import ModelRecipe
from xplain_cli.models.estimators.bag_of_words import (
    BagOfWords,
    SparseTexts,
    _Counts,
    sparse_texts,
)
from xplain_cli.models.estimators.model import Estimator, EstimatorModel

CORPUS = [
    "Free entry in 2 a wkly comp, to win FA-Cup tickets!",
    "Ok lar... Joking wif u oni, don't worry",
    "na\u00efve caf\u00e9 free free FREE",
    "I'm home soon and i don't want to talk about this stuff anymore tonight, k?",
    "win win win a phone now now, call 0800-123",
    "\u6620\u753b\u306f \u672c\u5f53\u306b free",
]
LABELS = [1, 0, 1, 0, 1, 0]
VECTORS = {
    "count": CountVectorizer(),
    "binary": CountVectorizer(binary=True),
    "one letter": CountVectorizer(token_pattern=r"(?u)\b\w+\b"),
    "cased": CountVectorizer(lowercase=False, strip_accents="unicode"),
    "pairs": CountVectorizer(ngram_range=(1, 2)),
    "triples": TfidfVectorizer(ngram_range=(2, 3), stop_words=["a", "to"]),
    "tfidf": TfidfVectorizer(sublinear_tf=True, norm="l1"),
    "letters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)),
    "hashed": HashingVectorizer(n_features=64),
    "hashed letters": HashingVectorizer(n_features=128, analyzer="char_wb", alternate_sign=False),
    "union": make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 2))),
    "chain": make_pipeline(CountVectorizer(), TruncatedSVD(3, random_state=0)),
    "single precision": TfidfVectorizer(dtype=np.float32),
    "dense union": make_union(
        make_pipeline(CountVectorizer(), TruncatedSVD(2, random_state=0)),
        make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)),
    ),
}
ROADLESS = {
    "whole letters": CountVectorizer(analyzer="char", ngram_range=(1, 2)),
    "own analyzer": CountVectorizer(analyzer=str.split),
    "own splitter": CountVectorizer(tokenizer=str.split, token_pattern=None),
    "own preparation": TfidfVectorizer(preprocessor=str.upper, stop_words=["NOT"]),
    "own accents": CountVectorizer(strip_accents=str.strip, ngram_range=(1, 2)),
    "words of two": CountVectorizer(token_pattern=r"\w+(?: of \w+)?"),
    "all but commas": CountVectorizer(token_pattern="[^,]+"),
    "behind a blank": CountVectorizer(token_pattern=r"(?<=\s)\w+"),
    "the first word": make_union(CountVectorizer(), CountVectorizer(token_pattern=r"^\w+")),
}


def pipeline(vectors):
    return make_pipeline(vectors, LogisticRegression()).fit(CORPUS, LABELS)


def rows_of(perturbation=None):
    return (perturbation or TextMasker()).split(CORPUS)


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("unit", ["word", "char", "sentence"])
def test_sparse_rows_are_the_vectors_of_the_strings(name, unit):
    model = pipeline(VECTORS[name])
    road, rows = sparse_texts(model), rows_of(TextMasker(unit))
    taken = 0
    for i in range(len(rows)):
        masks = np.random.default_rng(i).random((40, int(rows.counts[i]))) < 0.6
        counts = road.masked_rows(*rows.spanned(i), masks)
        if counts is None:
            continue
        taken += 1
        strings = model[:-1].transform(rows.masked(i, masks))
        gap = road.vectors.finished(counts) - strings
        assert abs(gap).max() <= 1e-12
    assert taken >= (0 if unit == "char" else 5)


@pytest.mark.parametrize("name", ROADLESS)
def test_what_is_no_bag_of_words_keeps_to_strings(name):
    assert sparse_texts(pipeline(ROADLESS[name])) is None


def test_a_forest_takes_the_road_as_well():
    model = make_pipeline(TfidfVectorizer(), RandomForestClassifier(5, random_state=0))
    assert sparse_texts(model.fit(CORPUS, LABELS)) is not None


def test_a_given_vocabulary_needs_no_fit():
    terms = ["free", "phone now", "win"]
    model = LogisticRegression().fit(CountVectorizer(vocabulary=terms).transform(CORPUS), LABELS)
    vectors = CountVectorizer(vocabulary=terms, ngram_range=(1, 2))
    road, rows = sparse_texts(make_pipeline(vectors, model)), rows_of()
    masks = np.random.default_rng(0).random((40, int(rows.counts[4]))) < 0.7
    counts = road.masked_rows(*rows.spanned(4), masks)
    assert abs(counts - vectors.transform(rows.masked(4, masks))).max() == 0


def test_words_that_grow_together_are_noticed():
    # without the hyphen's neighbours a vectoriser that splits at hyphens only sees another word
    vectors = CountVectorizer(token_pattern=r"[^\s]+")
    road, rows = sparse_texts(pipeline(vectors)), rows_of()
    masks = np.random.default_rng(0).random((40, int(rows.counts[4]))) < 0.5
    counts = road.masked_rows(*rows.spanned(4), masks)
    strings = vectors.transform(rows.masked(4, masks))
    assert counts is not None
    assert abs(counts - strings).max() == 0


class Negated(TfidfVectorizer):
    """Marks words behind a "not", as many do."""

    def build_preprocessor(self):
        return lambda text: re.sub(r"not (\w+)", r"not_\1", text.lower())


def test_a_vectoriser_of_the_user_keeps_to_strings():
    assert sparse_texts(pipeline(Negated())) is None


def test_a_vectoriser_with_a_function_put_in_keeps_to_strings():
    vectors = CountVectorizer()
    vectors.build_analyzer = lambda: str.split
    assert sparse_texts(pipeline(vectors)) is None


def rows_and_strings(vectors, text, unit, mask):
    """Return the counts of one masked text (None: it keeps to strings), and those of its string."""
    road, rows = sparse_texts(pipeline(vectors)), TextMasker(unit).split([text])
    masks = np.array([[True] * int(rows.counts[0]), mask])
    return road.masked_rows(*rows.spanned(0), masks), rows.masked(0, masks)[1]


@pytest.mark.parametrize(
    ("vectors", "unit", "text", "mask", "grown"),
    [
        (CountVectorizer(), r"regex=\(.*?\)", "pho(a b)ne free", [False], "phone free"),
        (CountVectorizer(), r"regex=\s", "tic kets", [False], "tickets"),
        (CountVectorizer(), r"regex=\(.|.\)", "pho(  )ne", [False, False], "phone"),
        (CountVectorizer(strip_accents="ascii"), "word", "free\u2028entry", [True, False], None),
    ],
)
def test_pieces_that_may_grow_together_go_by_strings(vectors, unit, text, mask, grown):
    counts, string = rows_and_strings(vectors, text, unit, mask)
    assert counts is None
    assert grown in {None, string}


def test_a_text_without_terms_hashes_to_nothing():
    counts, string = rows_and_strings(HashingVectorizer(n_features=8), "I", "word", [False])
    assert counts.shape == (2, 8)
    assert counts.nnz == 0
    assert not string


def test_sentences_take_their_blanks_along():
    counts, string = rows_and_strings(
        CountVectorizer(), "Free me. Win it.", "sentence", [False, True]
    )
    assert counts is not None
    assert string == " Win it."


def test_a_moved_threshold_keeps_to_strings():
    model = pipeline(TfidfVectorizer())
    strict = FixedThresholdClassifier(model, threshold=0.9).fit(CORPUS, LABELS)
    recipe = ModelRecipe("m", modality="text")
    labels = Estimator(strict, "m", "", replace(recipe, response="predict"))
    assert type(labels.bind(labels.settle(CORPUS))) is EstimatorModel
    chances = Estimator(strict, "m", "", recipe)
    assert type(chances.bind(chances.settle(CORPUS))) is BagOfWords


LETTERS = [
    "a",
    "B",
    "\u03a3",
    "\u00e9",
    "e\u0301",
    "\u00b4",
    "1",
    "_",
    "-",
    "'",
    ",",
    "\u6620",
    "\u0307",
]
BLANKS = [" ", "  ", "\n", "\t", "\u00a0", "\u2028", "\u3000", "\x1c", "\x85"]
EXACT = [
    CountVectorizer(),
    CountVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 3), strip_accents="unicode"),
    CountVectorizer(token_pattern=r"[^\s,]+|,", lowercase=False),
    CountVectorizer(token_pattern=r"\B\w|(?<!\w)\w+(?=\w)", ngram_range=(2, 2)),
    CountVectorizer(analyzer="char_wb", ngram_range=(1, 3), strip_accents="ascii"),
    HashingVectorizer(n_features=32, strip_accents="unicode", norm=None),
    CountVectorizer(token_pattern=r"(\w*)[-',]", ngram_range=(1, 4), min_df=2),  # empty words
]


@pytest.mark.parametrize("which", range(len(EXACT)))
def test_counts_of_pieces_are_those_of_the_strings_by_construction(which):
    """No text that is counted by pieces ever differs: what only a trial would find is refused."""
    draw = np.random.default_rng(which)
    texts = [
        "".join(
            draw.choice(BLANKS if draw.random() < 0.3 else LETTERS)
            for _ in range(draw.integers(1, 25))
        )
        for _ in range(120)
    ]
    vectors = clone(EXACT[which]).fit([*texts, "a"])
    road = SparseTexts(_Counts(vectors), None)
    taken = 0
    for text in texts:
        rows = TextMasker(draw.choice(["word", "char", "sentence", r"regex=\w\W?"])).split([text])
        masks = draw.random((16, int(rows.counts[0]))) < 0.5
        counts = road.masked_rows(*rows.spanned(0), masks) if 0 not in rows.reasons else None
        if counts is None:
            continue
        taken += 1
        gap = counts - vectors.transform(rows.masked(0, masks))
        assert abs(gap).max() == 0
    assert taken > 20
