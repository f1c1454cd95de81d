"""Bars with whiskers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import reason

from xplain_cli.report.bars import WIDTH, bars

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
