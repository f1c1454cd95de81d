"""features of texts: units of any language, masks that lose nothing, hashes, coarse to fine."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from languages import LANGUAGES

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.text.masks import MOST_UNITS, TextLaw
from xplain_cli.modalities.text.refine import Weighed, refine
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
    rows = TextLaw(dictionary=True).split([text])
    assert rows.shown().row_columns["segmentation"].tolist() == ["dictionary words"]


def test_without_a_dictionary_characters_stand_for_words_and_it_is_said():
    rows = TextLaw(dictionary=False).split([LANGUAGES["Japanese"]])
    assert rows.shown().row_columns["segmentation"].tolist() == ["characters"]


@given(texts, st.sampled_from(["word", "char", "sentence", r"regex=\S+"]), st.booleans())
@settings(derandomize=True, deadline=None)
def test_spans_are_in_order_and_rebuild_the_text(text, unit, merged):
    spans = split_units(text, unit, dictionary=False)
    assert all(0 <= low < high <= len(text) for low, high in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    rows = TextLaw(unit, merged=merged).split([text])
    if not rows.reasons:
        n = int(rows.counts[0])
        assert rows.masked(0, np.ones((1, n), dtype=bool)) == [text]


@given(texts, st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None)
def test_what_stands_between_units_stays_whatever_is_deleted(text, random):
    rows = TextLaw(merged=False).split([text])
    if rows.reasons:
        return
    _, spans = rows.spanned(0)
    mask = np.array([[random.random() < 0.5 for _ in spans]])
    gone = {
        i for (span,), stays in zip(spans, mask[0], strict=True) if not stays for i in range(*span)
    }
    assert rows.masked(0, mask) == ["".join(c for i, c in enumerate(text) if i not in gone)]


def test_equal_words_are_one_feature_unless_each_is_asked():
    merged = TextLaw().split(["no no yes"])
    assert [unit.spans for unit in merged.units[0]] == [((0, 2), (3, 5)), ((6, 9),)]
    assert merged.masked(0, np.array([[False, True]])) == ["  yes"]
    assert TextLaw(merged=False).split(["no no yes"]).counts.tolist() == [3]


def test_a_token_may_stand_in_place():
    rows = TextLaw(mask_token="[MASK]").split(["no, no yes"])
    assert rows.masked(0, np.array([[False, True]])) == ["[MASK], [MASK] yes"]


def test_what_cannot_be_split_has_a_reason():
    rows = TextLaw().split(["", "!?", None, float("nan"), "word"])
    assert sorted(rows.reasons) == [0, 1, 2, 3]
    assert "holds no word" in rows.reasons[1]
    assert rows.reasons[2] == "the text is missing"


def test_too_many_features_lead_to_longer_units():
    text = " ".join(f"w{i}" for i in range(MOST_UNITS + 1))
    assert "--unit sentence" in TextLaw().split([text]).reasons[0]
    assert not TextLaw(refine=3).split([text]).reasons


def test_lone_surrogates_and_odd_line_ends_are_text():
    rows = TextLaw().split(["a\ud800b \r\n c\x0bd"])
    assert not rows.reasons
    assert len(rows.keys[0]) == 32


def test_sentences_end_at_marks_of_many_scripts():
    text = "It's 3.5 m! Ok? \u6620\u753b\u306f\u3002\u6b21\u3002 end"
    found = [text[low:high] for low, high in split_sentences(text)]
    assert found == ["It's 3.5 m!", "Ok?", "\u6620\u753b\u306f\u3002", "\u6b21\u3002", "end"]


@pytest.mark.parametrize("unit", ["words", "regex=(", "no_such_module_here:f"])
def test_a_wrong_unit_is_refused(unit):
    with pytest.raises((UsageError, RefusedError), match="--unit"):
        check_unit(unit)


def test_hashes_hide_units_and_stay_comparable_under_one_salt():
    law = TextLaw(salt="s")
    shown = law.split(["secret word secret"]).shown()
    assert "secret" not in shown.names[0].tolist()
    assert shown.names[0, 0] == law.split(["a secret"]).shown().names[0, 1]
    assert shown.names[0, 0] != TextLaw(salt="t").split(["secret"]).shown().names[0, 0]
    assert TextLaw(salt="").salted("x").salt == "x"
    assert TextLaw(salt="y").salted("x").salt == "y"


def test_laws_travel_to_workers():
    law = TextLaw(unit="char", merged=False, mask_token="_", salt="s", refine=2)
    assert pickle.loads(pickle.dumps(law)) == law


def test_a_model_that_stops_reading_leaves_later_units_out():
    rows = TextLaw().split(["one two three four"]).read_to([7])
    assert rows.counts.tolist() == [2]
    assert rows.inputs == ["one two"]
    assert rows.shown().row_columns["n_truncated"].tolist() == [2]


def test_refining_goes_from_blocks_to_the_words_of_the_strongest_sentence():
    sentences = [f"word{i} plain{i}." for i in range(200)]
    rows = TextLaw(refine=1).split([" ".join(sentences)])
    levels = []

    def weigh(coarse, due):
        levels.append(int(coarse.counts[0]))
        spans = [unit.spans[0] for unit in coarse.units[0]]
        inside = [low <= rows.inputs[0].index("word77 ") < high for low, high in spans]
        return Weighed({i: np.array(inside, dtype=float) for i in due}, dict.fromkeys(due, 100))

    found, spent = refine(rows, 1, weigh)
    assert levels == [50, 4]
    assert [unit.text for unit in found.units[0]] == ["word77", "plain77"]
    assert spent.asked == {0: 200}
