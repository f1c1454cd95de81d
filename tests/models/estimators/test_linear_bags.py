"""models: scores of masked texts by linear models, from the masks."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.svm import LinearSVC

from xplain_cli.modalities.text.masks import TextMasker
from xplain_cli.models.contract import ModelRecipe
from xplain_cli.models.estimators.bag_of_words import BagOfWords, sparse_texts
from xplain_cli.models.estimators.model import Estimator

CORPUS = [
    "Free entry in 2 a wkly comp, to win FA-Cup tickets! free FREE Free",
    "Ok lar... Joking wif u oni, don't worry ok OK",
    "na\u00efve caf\u00e9 free free FREE",
    "I'm home soon and i don't want to talk about this stuff anymore tonight, k?",
    "win win win a phone now now, call 0800-123",
    "one or two: Two of three/Three and three-and-three",
]
LABELS = [1, 0, 1, 0, 1, 2]
LETTERS = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))
BENT = {"binary": True, "sublinear_tf": True}
BENT_LETTERS = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True)
PAIRS = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
UNION = FeatureUnion(
    [
        ("words", TfidfVectorizer(norm="l1")),
        ("letters", make_pipeline(CountVectorizer(analyzer="char_wb"), TfidfTransformer())),
        ("hashed", HashingVectorizer(n_features=16)),
    ],
    transformer_weights={"letters": 0.5, "hashed": None},
)
UNSIGNED = {"n_features": 32, "alternate_sign": False, "norm": None}
SUBLINEAR = TfidfTransformer(sublinear_tf=True)
LINEAR = {
    "tfidf, logistic": (TfidfVectorizer(), LogisticRegression(C=10)),
    "counts, logistic": (CountVectorizer(), LogisticRegression()),
    "l1, svm": (TfidfVectorizer(norm="l1", lowercase=False), LinearSVC()),
    "no norm, ridge": (TfidfVectorizer(norm=None), RidgeClassifier()),
    "no idf, sgd": (TfidfVectorizer(use_idf=False), SGDClassifier(loss="log_loss", random_state=0)),
    "three steps": (CountVectorizer(), TfidfTransformer(), LogisticRegression()),
    "bayes": (CountVectorizer(), MultinomialNB()),
    "letters": (LETTERS, LogisticRegression()),
    "pairs": (TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()),
    "pairs alone": (CountVectorizer(ngram_range=(2, 2)), MultinomialNB()),
    "one to four": (TfidfVectorizer(ngram_range=(1, 4), stop_words=["a", "to"]), LinearSVC()),
    "numbers": (TfidfVectorizer(), Ridge()),
    "sublinear": (TfidfVectorizer(sublinear_tf=True), LogisticRegression()),
    "binary": (CountVectorizer(binary=True), LogisticRegression()),
    "binary, sublinear, l1": (TfidfVectorizer(**BENT, norm="l1"), LinearSVC()),
    "sublinear letters and pairs": (make_union(BENT_LETTERS, PAIRS), LogisticRegression()),
    "union": (UNION, LogisticRegression()),
    "hashed": (HashingVectorizer(n_features=32), LogisticRegression()),
    "hashed pairs": (HashingVectorizer(n_features=64, ngram_range=(1, 2)), LinearSVC()),
    "hashed, tfidf": (HashingVectorizer(**UNSIGNED), TfidfTransformer(), LogisticRegression()),
    "hashed, sublinear": (HashingVectorizer(**UNSIGNED), SUBLINEAR, LogisticRegression()),
}
CURVED = {
    "single": (TfidfVectorizer(dtype=np.float32), LogisticRegression()),
    "single in a union": (
        make_union(TfidfVectorizer(dtype=np.float32), CountVectorizer()),
        LogisticRegression(),
    ),
    "weighed twice": (TfidfVectorizer(), TfidfTransformer(), LogisticRegression()),
    "weighed together": (make_union(CountVectorizer(), PAIRS), TfidfTransformer(), LinearSVC()),
    "two norms": (HashingVectorizer(n_features=32), TfidfTransformer(), LogisticRegression()),
    "sizes of signs": (HashingVectorizer(n_features=32, norm="l1"), LogisticRegression()),
    "fewer columns": (CountVectorizer(), TruncatedSVD(2, random_state=0), LogisticRegression()),
}


def bound(steps, labels=LABELS):
    pipeline = make_pipeline(*map(clone, steps)).fit(CORPUS, labels)
    loaded = Estimator(pipeline, "m", "", ModelRecipe("m", modality="text"))
    return loaded.bind(loaded.settle(CORPUS))


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("unit", ["word", "sentence", r"regex=\w\w?"])
@pytest.mark.parametrize("classes", [2, 3])
def test_answers_are_those_of_the_strings(name, unit, classes):
    model = bound(LINEAR[name], [min(label, classes - 1) for label in LABELS])
    assert isinstance(model, BagOfWords)
    assert model.texts.linear is not None
    road, rows, taken = model.capabilities.masked_text, TextMasker(unit).split(CORPUS), 0
    for i in range(len(rows)):
        masks = np.random.default_rng(i).random((40, int(rows.counts[i]))) < 0.6
        masks[0] = False
        scores = road.masked_rows(*rows.spanned(i), masks)
        if scores is None:
            continue
        taken += 1
        wanted = model.predict(rows.masked(i, masks))
        assert np.abs(road.predict_rows(scores) - wanted).max() <= 1e-12
    assert taken >= (0 if unit.startswith("regex") else 5)


@pytest.mark.parametrize("name", CURVED)
def test_what_is_no_sum_is_counted(name):
    texts = sparse_texts(make_pipeline(*map(clone, CURVED[name])).fit(CORPUS, LABELS))
    assert texts is not None
    assert texts.linear is None


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("how", [{"alpha": 0.0}, {"class_prior": [0.0, 0.5, 0.5]}])
def test_classes_that_are_ruled_out_are_counted(how):
    model = bound((CountVectorizer(), MultinomialNB(**how)))
    assert model.texts.linear is None
    rows = TextMasker().split(CORPUS)
    masks = np.random.default_rng(0).random((20, int(rows.counts[0]))) < 0.6
    road = model.capabilities.masked_text
    found = road.predict_rows(road.masked_rows(*rows.spanned(0), masks))
    np.testing.assert_array_equal(found, model.predict(rows.masked(0, masks)))


def test_words_that_cancel_leave_nothing_to_be_divided_by():
    words = "w10 w0 w21 w1 w12 w22 w2 w43 w3 w14 w24 w34 w4 w15 w5 w46 w6 w7 w18 w38 w8 w19 w39 w9"
    hashed = HashingVectorizer(n_features=4, norm=None)
    assert not hashed.transform([words]).toarray().any()  # by twos, of opposite signs
    model = make_pipeline(hashed, TfidfTransformer(), LogisticRegression(C=10))
    model.fit([*CORPUS, *(f"w{i}" for i in range(20))], [*LABELS, *([0, 1] * 10)])
    texts, rows = sparse_texts(model), TextMasker().split([words])
    masks = np.ones((3, 24), dtype=bool)
    found = texts.masked_scores(*rows.spanned(0), masks)
    np.testing.assert_allclose(found, [model[-1].intercept_] * 3, rtol=0, atol=1e-12)


def stored_otherwise(**changes):
    """Return what a pipeline of tf-idf and a model is, whose attributes are put in by hand."""
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(CORPUS, LABELS)
    if "idf" in changes:
        pipeline[0]._tfidf.idf_ = changes["idf"](pipeline[0].idf_)
    pipeline[1].intercept_ = changes.get("intercept", pipeline[1].intercept_)
    return sparse_texts(pipeline)


@pytest.mark.parametrize(
    "changes",
    [
        {"idf": lambda idf: idf[:-1]},
        {"idf": lambda idf: np.append(idf, 1.0)},
        {"idf": lambda idf: np.where(idf > 2, np.inf, idf)},
        {"intercept": np.zeros(2)},
    ],
    ids=["fewer weights", "more weights", "endless weights", "fewer levels"],
)
def test_numbers_that_do_not_fit_are_no_sum(changes):
    assert stored_otherwise(**changes).linear is None
    assert stored_otherwise().linear is not None


class Own(LogisticRegression):
    """Answers in a way of its own."""

    def predict_proba(self, X):
        return 1 - super().predict_proba(X)


def test_a_model_of_the_user_is_asked_itself():
    texts = sparse_texts(make_pipeline(TfidfVectorizer(), Own()).fit(CORPUS, LABELS))
    assert texts.linear is None


def test_scores_of_a_text_do_not_depend_on_the_texts_before_it():
    model = bound(LINEAR["tfidf, logistic"])
    rows = TextMasker().split(CORPUS)
    masks = np.random.default_rng(0).random((30, int(rows.counts[1]))) < 0.5
    first = model.texts.masked_scores(*rows.spanned(1), masks)
    other = np.ones((7, int(rows.counts[0])), dtype=bool)
    model.texts.masked_scores(*rows.spanned(0), other)
    assert (model.texts.masked_scores(*rows.spanned(1), masks.copy()) == first).all()
