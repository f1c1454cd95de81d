"""Patterns and vectorisers that find in a text what they find in its pieces, and those that not."""

import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from xplain_cli.models.estimators.token_patterns import counts_pieces, finds_pieces, keeps_blanks


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?u)\b\w\w+\b",
        r"\S+",
        r"[^\s]+",
        r"[a-zA-Z]{2,}",
        r"\w+|[^\w\s]",
        r"\w+(?:-\w+)*",
        r"(?i)[a-z]+?",
        "(?x) \\w+  # words",
        r"(?<!\w)#?(\w+)(?!\w)",
        "[!-~]+",
    ],
)
def test_patterns_between_blanks(pattern):
    assert finds_pieces(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "[^,]+",
        ".+",
        r"\w*",
        r"^\w+",
        r"\w+$",
        r"\A\w+",
        r"\w+ \w+",
        r"(?a)\S+",
        r"(?a:\S+)",
        r"(?<=\s)\w+",
        r"\w+(?=\s)",
        r"\W",
        r"\D+",
        r"[\x00-\xff]+",
        r"[\w ]+",
        r"(\w)x\1",
        "(",
        None,
    ],
)
def test_patterns_that_cross_or_know_blanks(pattern):
    assert not finds_pieces(pattern)


def test_a_vectoriser_counts_pieces_by_its_own_rules_only():
    assert counts_pieces(TfidfVectorizer())
    assert counts_pieces(CountVectorizer(analyzer="char_wb"))
    assert not counts_pieces(CountVectorizer(analyzer="char"))
    assert not counts_pieces(TfidfVectorizer(preprocessor=str.lower))
    assert not counts_pieces(CountVectorizer(input="filename"))
    assert not counts_pieces(CountVectorizer(ngram_range=(0, 2)))
    assert not counts_pieces("passthrough")


def test_a_blank_may_go_with_the_accents():
    assert keeps_blanks(CountVectorizer(strip_accents="ascii").build_preprocessor(), "a b\u3000c")
    assert not keeps_blanks(CountVectorizer(strip_accents="ascii").build_preprocessor(), "a\u2028b")
    assert keeps_blanks(CountVectorizer(strip_accents="unicode").build_preprocessor(), "a\u2028b")
