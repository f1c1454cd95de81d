"""Words, bars and pieces of a page, from plain values."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xplain_cli import report
from xplain_cli.modalities import story_of
from xplain_cli.output.cells import cleaned
from xplain_cli.report.bars import WIDTH, bars
from xplain_cli.report.exhibits import Exhibit, Reason, cell, fragments, number, signed
from xplain_cli.report.sentences import Manner, heading, sentences, sides


def contrast(first, second):
    """Return the contrast of two colours as WCAG 2.1 defines it, 1 to 21."""
    lights = []
    for colour in (first, second):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True)))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


CLASSES = Manner(story_of("tabular"), ("cat", "dog"), "probability", "classification", based=True)


def reason(name, weight, error=0.0, value=None, baseline=None):
    return Reason(name, value, baseline, weight, error, weight - 2 * error, weight + 2 * error)


def exhibit(target, prediction, base_value=0.1, reasons=(), **more):
    total = sum(one.weight for one in reasons)
    return Exhibit("r", target, prediction, base_value, total, (), tuple(reasons), 3, **more)


@pytest.mark.parametrize(
    ("target", "outputs", "expected"),
    [
        ("a:vs:b", ("a", "b"), ("a", "b")),
        ("a:vs:b:vs:c", ("a:vs:b", "c"), ("a:vs:b", "c")),
        ("a:vs:b:vs:c", ("a", "b:vs:c"), ("a", "b:vs:c")),
        ("a:vs:b", ("a:vs:b", "a", "b"), None),
        ("a", ("a", "b"), None),
    ],
)
def test_a_pair_is_told_by_the_names_of_the_outputs(target, outputs, expected):
    assert sides(target, outputs) == expected


def test_a_pair_is_told_from_the_side_that_the_model_takes():
    reasons = [reason("legs", -0.5, value="2", baseline="4"), reason("tail", 0.2)]
    one = exhibit("cat:vs:dog", -0.3, 0.4, reasons, n_changed=2, origin="r7")
    assert heading(one, CLASSES) == "why dog and not cat"
    *said, last = sentences(one, reasons, CLASSES)
    assert said == [
        "The model gives dog a probability 0.3 higher than cat.",
        "For dog: legs is 2 and not 4 (\u22120.5).",
        "For cat: tail (+0.2).",
    ]
    assert last.startswith("With 2 of its 3 features as in the baseline (r7) the model gives cat ")
    assert last.endswith("a probability 0.4 higher than dog.")


def test_a_weight_whose_interval_holds_both_signs_is_said_to_be_uncertain():
    reasons = [reason("legs", 0.5, 0.1), reason("tail", 0.2, 0.2)]
    said = sentences(exhibit("cat", 0.8, reasons=reasons), reasons, CLASSES)
    assert said[1] == "Raising it: legs (+0.5) and tail (+0.2, sign uncertain)."


def test_a_constant_model_has_nothing_that_moves_it():
    said = sentences(exhibit("cat", 0.5, 0.5), (), CLASSES)
    assert said[:2] == ("The model gives cat a probability of 0.5.", "No feature moves it.")


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_all_that_is_written_stands_out_from_its_ground(scheme):
    css = (Path(report.__file__).parent / "page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#\w{6})", css.split(":root {")[1 + scheme]))
    grounds = [colours[name] for name in colours if re.fullmatch(r"paper|panel|(up|down)\d", name)]
    assert len(grounds) == 10
    assert min(contrast(colours["ink"], ground) for ground in grounds) >= 4.5
    for name in ("soft", "link", "up", "down"):
        assert min(contrast(colours[name], colours[ground]) for ground in ("paper", "panel")) >= 4.5


def test_only_a_base_value_of_the_model_is_told_as_its_answer():
    surrogate = Manner(story_of("text"), ("value",), "raw", "regression", based=False)
    assert sentences(exhibit("value", 12.5), (), surrogate) == (
        "The model says 12.5.",
        "No feature moves it.",
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


numbers = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(numbers, st.floats(0, 1e7)), max_size=6))
def test_bars_and_whiskers_stay_in_the_frame_on_the_side_of_their_sign(pairs):
    reasons = [reason("x", weight, error) for weight, error in pairs]
    for one, bar in zip(reasons, bars(reasons), strict=True):
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.low <= bar.high <= WIDTH
        assert (bar.x < WIDTH / 2) <= bar.falls
        assert bar.falls == (one.weight < 0)


def test_bars_of_one_explanation_share_a_scale():
    long, short = bars([reason("a", 0.8), reason("b", -0.2)])
    assert long.width == pytest.approx(4 * short.width, abs=0.2)
