"""How one column is cut into bins and drawn from."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.methods.discretizers import quantile_edges
from xplain_cli.modalities.tabular.cells import UNSEEN, count, cut, draw_parts, join


def numbers(values):
    return np.array(values, dtype=float)


def test_quartile_bins_are_those_of_lime(rng):
    from lime.discretize import QuartileDiscretizer

    values = rng.normal(size=(200, 1))
    theirs = QuartileDiscretizer(values, [], ["x"])
    ours = cut("x", values[:, 0], quantile_edges(values[:, 0], 4))
    assert ours.code(pd.DataFrame({"x": values[:, 0]})).tolist() == (
        theirs.discretize(values)[:, 0].astype(int).tolist()
    )
    assert ours.means == pytest.approx(np.array(theirs.means[0]))
    assert ours.sds == pytest.approx(np.array(theirs.stds[0]))


def test_draws_follow_the_frequencies_and_stay_in_their_bin(rng):
    cell = cut("x", rng.exponential(size=300), numbers([0.5, 1.0, 2.0]))
    codes, drawn = cell.draw((np.arange(4096) + 0.5) / 4096)
    assert np.bincount(codes) / 4096 == pytest.approx(cell.frequencies, abs=1e-3)
    assert cell.code(pd.DataFrame(drawn)).tolist() == codes.tolist()


def test_parts_of_a_bin_are_equally_likely_and_in_order(rng):
    cell = cut("x", rng.exponential(size=300), numbers([0.5, 1.0, 2.0]))
    uniform = (np.arange(1 << 14) + 0.5) / (1 << 14)
    codes, drawn, parts = draw_parts(cell, uniform)
    assert [drawn["x"].tobytes(), codes.tobytes()] == [
        cell.draw(uniform)[1]["x"].tobytes(),
        cell.draw(uniform)[0].tobytes(),
    ]
    for own in range(4):
        inside = codes == own
        assert np.bincount(parts[inside]) / inside.sum() == pytest.approx([1 / 8] * 8, abs=1e-3)
        order = np.argsort(drawn["x"][inside])
        assert (np.diff(parts[inside][order].astype(int)) >= 0).all()
    assert not draw_parts(count("c", pd.Series(list("ab"))), uniform)[2].any()


def test_a_bin_without_width_draws_its_value():
    """lime 0.2 draws the z-score 0 there: 37.7 % of draws are 0, none is 5."""
    values = numbers([5] * 40 + list(np.linspace(5.1, 10, 60)))
    cell = cut("x", values, quantile_edges(values, 4))
    _, drawn = cell.draw((np.arange(1000) + 0.5) / 1000)
    assert (drawn["x"] == 5).mean() == pytest.approx(0.4, abs=0.01)
    assert drawn["x"].min() == 5


def test_a_constant_column_is_drawn_as_itself():
    values = numbers([1.0] * 30)
    _, drawn = cut("x", values, quantile_edges(values, 4)).draw(np.linspace(0, 0.999, 64))
    assert set(drawn["x"]) == {1.0}


def test_missing_values_are_a_bin_of_their_own():
    values = numbers([1, 2, 3, 4, np.nan])
    cell = cut("x", values, quantile_edges(values, 4))
    _, drawn = cell.draw((np.arange(1000) + 0.5) / 1000)
    assert np.isnan(drawn["x"]).mean() == pytest.approx(0.2, abs=0.01)
    assert cell.code(pd.DataFrame({"x": [np.nan, 1.0]})).tolist() == [4, 0]


def test_a_missing_value_that_the_background_lacks_is_unseen():
    cell = cut("x", numbers([1, 2, 3]), numbers([2]))
    assert cell.code(pd.DataFrame({"x": [np.nan]})).tolist() == [UNSEEN]


def test_interval_probabilities_match_draws(rng):
    cell = cut("x", rng.normal(size=200), numbers([-0.5, 0.0, 0.5]))
    lower, upper = numbers([-np.inf, -0.2, 0.1]), numbers([0.2, 0.3, np.inf])
    codes, drawn = cell.draw((np.arange(40000) + 0.5) / 40000)
    share = cell.interval(lower, upper, np.zeros(3, dtype=bool))
    for low, high, row in zip(lower, upper, share, strict=True):
        inside = (low < drawn["x"]) & (drawn["x"] <= high)
        found = [inside[codes == b].mean() for b in range(4)]
        assert row == pytest.approx(found, abs=2e-3)


def test_interval_counts_a_missing_value_where_it_goes():
    cell = cut("x", numbers([1, 2, np.nan]), numbers([1.5]))
    share = cell.interval(numbers([0, 0]), numbers([9, 9]), np.array([True, False]))
    assert share[:, -1].tolist() == [1.0, 0.0]


def test_categories_are_drawn_by_frequency_and_keep_their_type():
    cell = count("c", pd.Series(["b", "a", None, "a"], dtype=object))
    codes, drawn = cell.draw((np.arange(400) + 0.5) / 400)
    assert cell.levels == ("a", "b", None)
    assert np.bincount(codes).tolist() == [200, 100, 100]
    assert cell.code(pd.DataFrame({"c": ["a", "z", None]})).tolist() == [0, UNSEEN, 2]
    assert drawn["c"].dtype == object


def test_categories_of_booleans_stay_booleans():
    _, drawn = count("c", pd.Series([True, False, True])).draw(np.linspace(0, 0.99, 8))
    assert drawn["c"].dtype == bool


def test_joint_values_are_only_those_of_the_background():
    table = pd.DataFrame({"a": [0.0, 1.0, 0.0], "b": [1.0, 0.0, 0.0]})
    joint = join((count("a", table["a"]), count("b", table["b"])), table)
    _, drawn = joint.draw((np.arange(99) + 0.5) / 99)
    assert set(zip(drawn["a"], drawn["b"], strict=True)) == {(0, 1), (1, 0), (0, 0)}
    assert joint.code(pd.DataFrame({"a": [1.0], "b": [1.0]})).tolist() == [UNSEEN]
