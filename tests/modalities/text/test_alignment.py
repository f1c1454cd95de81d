"""What differs between two texts, unit by unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xplain_cli.modalities.text.alignment import align
from xplain_cli.modalities.text.segmentation import split_units


@given(st.lists(st.sampled_from("abcdef")), st.lists(st.sampled_from("abcdef")), st.randoms())
def test_words_never_run_together(mine, theirs, random):
    text, other = " ".join(mine), ", ".join(theirs)
    spans = [split_units(one, "word", dictionary=False) for one in (text, other)]
    mixed, low = "", 0
    for one in align(text, spans[0], other, spans[1]):
        mixed += text[low : one.low] + random.choice([text[one.low : one.high], one.other])
        low = one.high
    assert all(len(word) == 1 for word in (mixed + text[low:]).replace(",", " ").split())


@pytest.mark.parametrize(
    ("text", "other", "names", "spans"),
    [
        ("a film", "a film", [], []),
        ("bad film", "good film", ["bad"], [[0, 3]]),
        ("a film", "a good film", ["absent: good"], [[2, 2]]),
        ("a film", "a film a plot", ["absent: a plot"], [[6, 6]]),
        ("bad end", "good plot, very much", ["bad", "end", "absent: , very much"], None),
        ("film, end", "film end", [","], [[4, 5]]),
        ("film end", "film  end", ["absent: (blank)"], [[5, 5]]),
    ],
)
def test_features_are_units_and_what_only_the_other_text_has(text, other, names, spans):
    units = [split_units(one, "word", dictionary=False) for one in (text, other)]
    found = align(text, units[0], other, units[1])
    assert [one.name for one in found] == names
    if spans is not None:
        assert [list(one.span) for one in found] == spans
