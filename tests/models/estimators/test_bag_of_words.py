"""models: masked texts of bag-of-words pipelines by sparse algebra, against their strings."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from xplain_cli.modalities.text.masks import TextMasker
from xplain_cli.models.estimators.bag_of_words import sparse_texts

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
    "splitter": CountVectorizer(tokenizer=str.split, token_pattern=None),
}
ROADLESS = {
    "whole letters": CountVectorizer(analyzer="char", ngram_range=(1, 2)),
    "own analyzer": CountVectorizer(analyzer=str.split),
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


def test_words_that_grow_together_are_noticed():
    # without the hyphen's neighbours a vectoriser that splits at hyphens only sees another word
    vectors = CountVectorizer(token_pattern=r"[^\s]+")
    road, rows = sparse_texts(pipeline(vectors)), rows_of()
    masks = np.random.default_rng(0).random((40, int(rows.counts[4]))) < 0.5
    counts = road.masked_rows(*rows.spanned(4), masks)
    strings = vectors.transform(rows.masked(4, masks))
    assert counts is not None
    assert abs(counts - strings).max() == 0


def test_a_text_that_the_algebra_misses_goes_by_strings():
    class Contrary(CountVectorizer):
        """Counts a text by its number of words: no sum over words."""

        def build_analyzer(self):
            return lambda text: ["many" if len(text.split()) > 3 else "few"]

    model = make_pipeline(Contrary(), LogisticRegression()).fit(CORPUS, LABELS)
    road, rows = sparse_texts(model), rows_of()
    masks = np.random.default_rng(0).random((40, int(rows.counts[0]))) < 0.5
    assert road.masked_rows(*rows.spanned(0), masks) is None
