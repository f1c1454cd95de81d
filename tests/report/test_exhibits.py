"""Names, numbers and texts as they are shown."""

import pytest

from xplain_cli.output.cells import cleaned
from xplain_cli.report.items import cell, fragments, number, signed


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
    found = fragments(units, lost=4)
    assert "".join(part.text for part in found) == (
        "a b \u2026 a \u2026 and 4 units that the model does not read"
    )
    assert [part.level for part in found if part.title] == [2, -4, 2]


@pytest.mark.parametrize(("letters", "shown"), [(1, 400), (1000, 16)])
def test_a_long_text_is_shown_up_to_a_bound(letters, shown):
    places = [[at * letters, (at + 1) * letters] for at in range(900)]
    unit = {"feature": "x" * letters, "weight": 1.0, "std_error": 0.0, "spans": places}
    found = fragments([unit])
    assert len([part for part in found if part.title]) == shown
    assert found[-1].text == f" \u2026 and {900 - shown} more units"
