"""Names, numbers and texts as they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xplain_cli.output.cells import cleaned
from xplain_cli.report.items import (
    cell,
    isolated,
    joined_units,
    marked_text,
    number,
    signed,
    visible,
)


def test_names_are_cut_cleaned_and_never_lone_surrogates():
    assert cleaned("a\nb\x1b[1m\ud800") == "a b\\x1b[1m\\ud800"
    assert cleaned("\U0001f469\u200d\U0001f52c") == "\U0001f469\u200d\U0001f52c"
    assert cleaned("x" * 81) == "x" * 77 + "..."


def test_numbers_say_their_sign_and_what_is_missing():
    assert (signed(0.25), signed(-0.25), signed(-0.0)) == ("+0.25", "\u22120.25", "0")
    assert (number(float("nan")), number(None), cell(None)) == ("\u2013", "\u2013", "missing")
    assert (cell(3.0), cell(1e6), cell("x")) == ("3", "1e+06", "x")


def test_units_stand_where_they_stood_and_far_gaps_are_told():
    units = [
        {"feature": "b", "weight": -1.0, "std_error": 0.0, "spans": [[2, 3]]},
        {"feature": "a", "weight": 0.5, "std_error": 0.1, "spans": [[0, 1], [20, 21]]},
    ]
    found = joined_units(units, lost=4)
    assert "".join(part.text for part in found) == (
        "a b \u2026 a \u2026 and 4 units that the model does not read"
    )
    assert [part.level for part in found if part.title] == [2, -4, 2]


@pytest.mark.parametrize(("letters", "shown"), [(1, 400), (1000, 16)])
def test_a_long_text_is_shown_up_to_a_bound(letters, shown):
    places = [[at * letters, (at + 1) * letters] for at in range(900)]
    unit = {"feature": "x" * letters, "weight": 1.0, "std_error": 0.0, "spans": places}
    found = joined_units([unit])
    assert len([part for part in found if part.title]) == shown
    assert found[-1].text == f" \u2026 and {900 - shown} more units"


def test_a_marked_text_keeps_every_character_between_its_units():
    text = "  Free\tcash,\n\u00a0\u05e9\u05dc\u05d5\u05dd \u2013 <b>free</b>! \u202egpj\r\x07 "
    units = [
        {"feature": "free", "weight": 1.0, "std_error": 0.1, "spans": [[2, 6], [24, 28]]},
        {"feature": "cash", "weight": -0.5, "std_error": 0.1, "spans": [[7, 11]]},
    ]
    found = marked_text(text, units)
    shown = "".join(part.text for part in found)
    spelled = {"\u202e": "\\u202e", "\r": "\\r", "\x07": "\\x07"}
    assert shown == "".join(spelled.get(letter, letter) for letter in text)
    assert [(part.text, part.level) for part in found if part.title] == [
        ("Free", 4),
        ("cash", -2),
        ("free", 4),
    ]


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 9)), max_size=9))
def test_no_text_and_no_units_lose_a_character(text, places):
    spans = [[min(at, len(text)), min(at + size, len(text))] for at, size in places]
    units = [{"feature": "x", "weight": 1.0, "std_error": 0.0, "spans": [one]} for one in spans]
    found = marked_text(text, units)
    assert "".join(part.text for part in found) == visible(text)


def test_a_long_text_is_cut_and_says_so():
    units = [{"feature": "x", "weight": 1.0, "std_error": 0.0, "spans": [[7000, 7001]]}]
    assert marked_text("y" * 8000, units)[-1].text == " \u2026 and 1 more unit"
    assert marked_text("y" * 8000, [])[-1].text == " \u2026 and 2000 more characters"


def test_what_is_written_from_right_to_left_moves_nothing_around_it():
    assert isolated("age > 47") == "age > 47"
    assert isolated("\u05e9\u05dc\u05d5\u05dd 1") == "\u2068\u05e9\u05dc\u05d5\u05dd 1\u2069"
