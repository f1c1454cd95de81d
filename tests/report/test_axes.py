"""Axes hold what stands on them, and their ticks are round and few."""

import math

from hypothesis import given
from hypothesis import strategies as st

from xplain_cli.report.axes import axis, ticks_below

numbers = st.floats(-1e9, 1e9)


@given(numbers, numbers, st.integers(2, 9))
def test_every_number_stands_on_its_axis_and_ticks_are_few(one, other, most):
    scale = axis(min(one, other), max(one, other), 10.0, 110.0)
    for value in (one, other, *scale.ticks(most)):
        assert 10.0 - 1e-6 <= scale.at(value) <= 110.0 + 1e-6
    assert len(scale.ticks(most)) <= most + 1


def test_ticks_are_round_numbers():
    ticks = axis(-0.21, 0.33, 0.0, 100.0).ticks(5)
    assert [round(tick, 12) for tick in ticks] == [-0.2, 0.0, 0.2]
    assert all(math.isfinite(mark.x) for mark in ticks_below(axis(3, 3, 0, 9), 5)[2::2])
