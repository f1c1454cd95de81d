"""A waterfall leads from the base value to the prediction, whatever is left out."""

import math

import pytest
from pages import reason

from xplain_cli.modalities.tabular.story import STORY
from xplain_cli.report.items import Item
from xplain_cli.report.waterfall import span, steps, waterfall


def item(prediction, base, reasons):
    total = sum(one.weight for one in reasons)
    return Item("r", "t", prediction, base, total, (), tuple(reasons), len(reasons))


def test_every_step_begins_where_the_last_one_ended():
    reasons = [reason(f"f{at}", (-1) ** at * (0.9**at), 0.01, value=str(at)) for at in range(30)]
    lines = steps(item(0.7, 0.1, reasons), reasons, STORY)
    assert [one.start for one in lines[1:-1]] == [one.end for one in lines[:-2]]
    assert lines[0].end == 0.1
    assert lines[-1].start == lines[-1].end == 0.7
    assert lines[-2].end == pytest.approx(0.7)
    assert [one.label for one in lines[-3:]] == ["19 more features", "not explained", "prediction"]
    assert lines[1].label == "f0 is 0"


def test_what_adds_up_leaves_nothing_unexplained():
    reasons = [reason("a", 0.4), reason("b", -0.1)]
    lines = steps(item(0.3 + 1e-17, 0.0, reasons), reasons, STORY)
    assert [one.label for one in lines] == ["base value", "a", "b", "prediction"]
    assert [one.figure for one in lines] == ["0", "+0.4", "\u22120.1", "0.3"]


def test_the_interval_is_that_of_the_weight_and_an_unknown_one_is_none():
    unsteady = reason("a", 0.5, math.nan)
    both = [reason("b", 0.5, 0.1), unsteady]
    first, second = steps(item(1.0, 0.0, both), both, STORY)[1:3]
    assert (first.low, first.high) == pytest.approx((0.3, 0.7))
    assert second.low == second.high == second.end


def test_a_row_that_nothing_moves_has_a_scale():
    lines = steps(item(0.5, 0.5, []), [], STORY)
    assert span(lines) == (0.0, 1.0)
    assert waterfall(lines, "t").height > 0
