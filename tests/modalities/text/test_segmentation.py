"""Units of any language."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from languages import LANGUAGES

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.text.masks import TextMasker
from xplain_cli.modalities.text.segmentation import (
    check_unit,
    split_sentences,
    split_units,
    split_words,
)

WORDS = {
    "Hindi": [
        "\u092b\u093c\u093f\u0932\u094d\u092e",
        "\u0905\u091a\u094d\u091b\u0940",
        "\u0939\u0948",
    ],
    "Korean": ["\ud55c\uad6d\uc5b4", "\ubb38\uc7a5\uc785\ub2c8\ub2e4"],
    "emoji": ["ok", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea"],
    "accents": ["e\u0301te\u0301", "don't", "a_b", "3.5", "U.S.A"],
}


texts = st.one_of(st.text(), st.sampled_from(list(LANGUAGES.values())))


def words(text, *, dictionary=False):
    return [text[low:high] for low, high in split_words(text, dictionary=dictionary)]


@pytest.mark.parametrize("language", WORDS)
def test_words_follow_unicode(language):
    assert words(LANGUAGES[language]) == WORDS[language]


@pytest.mark.parametrize("language", ["Japanese", "Thai"])
def test_a_dictionary_finds_words_without_spaces(language):
    pytest.importorskip("icu4py")
    text = LANGUAGES[language]
    assert len(words(text, dictionary=True)) < len(words(text))
    rows = TextMasker(dictionary=True).split([text])
    assert rows.shown().row_columns["segmentation"].tolist() == ["dictionary words"]


@given(texts, st.sampled_from(["word", "char", "sentence", r"regex=\S+"]), st.booleans())
def test_spans_are_in_order_and_rebuild_the_text(text, unit, merged):
    spans = split_units(text, unit, dictionary=False)
    assert all(0 <= low < high <= len(text) for low, high in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    rows = TextMasker(unit, merged=merged).split([text])
    if not rows.reasons:
        n = int(rows.counts[0])
        assert rows.masked(0, np.ones((1, n), dtype=bool)) == [text]


def test_sentences_end_at_marks_of_many_scripts():
    text = "It's 3.5 m! Ok? \u6620\u753b\u306f\u3002\u6b21\u3002 end"
    found = [text[low:high] for low, high in split_sentences(text)]
    assert found == ["It's 3.5 m!", "Ok?", "\u6620\u753b\u306f\u3002", "\u6b21\u3002", "end"]


@pytest.mark.parametrize("unit", ["words", "regex=(", "no_such_module_here:f"])
def test_a_wrong_unit_is_refused(unit):
    with pytest.raises((UsageError, RefusedError), match="--unit"):
        check_unit(unit)
