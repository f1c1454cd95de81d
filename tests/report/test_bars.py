"""Bars of a waterfall."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import reason

from xplain_cli.modalities.tabular.story import STORY
from xplain_cli.report.bars import WIDTH, lanes, two_sided
from xplain_cli.report.items import Item
from xplain_cli.report.waterfall import steps

numbers = st.floats(-1e6, 1e6)


def drawn(reasons, base=0.0, prediction=None):
    total = sum(one.weight for one in reasons)
    end = base + total if prediction is None else prediction
    item = Item("r", "t", end, base, total, (), tuple(reasons), len(reasons))
    return lanes(steps(item, reasons, STORY))


@given(st.lists(st.tuples(numbers, st.floats(0, 1e7)), max_size=6), numbers, numbers)
def test_bars_and_whiskers_stay_in_the_frame_on_the_side_of_their_sign(pairs, base, prediction):
    reasons = [reason("x", weight, error) for weight, error in pairs]
    found = drawn(reasons, base, prediction)
    for one, lane in zip(reasons, found[1:], strict=False):
        assert 0 <= lane.x <= lane.x + lane.width <= WIDTH + 1
        assert 0 <= lane.low <= lane.high <= WIDTH
        assert (lane.end < lane.start) <= lane.falls
        assert lane.falls == (base + one.weight < base) or abs(one.weight) < 1e-6 * abs(base)
        base = lane.step.end


def test_every_lane_begins_where_the_last_one_ended_and_shares_a_scale():
    found = drawn([reason("a", 0.8), reason("b", -0.2)])
    assert [lane.start for lane in found[1:-1]] == [lane.end for lane in found[:-2]]
    assert found[1].width == pytest.approx(4 * found[2].width, abs=0.2)


def test_the_halves_of_a_bar_meet_in_the_middle():
    down, up = two_sided(0.2, 0.4, 0.4)
    assert (down.falls, up.falls) == (True, False)
    assert down.x + down.width == up.x == WIDTH / 2
    assert up.width == pytest.approx(2 * down.width, abs=0.1)
