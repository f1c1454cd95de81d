"""Readouts against central differences, dense quadrature, and numbers next to 1."""

import numpy as np
import pytest

from xplain_cli.models.gradients import Readout, linked, log_odds
from xplain_cli.models.links import squash

LINKS = ["identity", "softmax", "sigmoid", "shares"]
SCALES = ["raw", "probability", "log-odds"]
PAIRS = {"one": (1, -1), "two": (2, 0)}


def scores_of(link, rows=12, outputs=4, spread=3.0):
    drawn = np.random.default_rng(0).normal(size=(rows, outputs)) * spread
    return squash(drawn / 3, "softmax") if link == "identity" else drawn


def readout(link, scale, pair, rows=12, *, margin=False):
    return Readout(np.tile(PAIRS[pair], (rows, 1)), link, scale, margin)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("link", LINKS)
def test_slopes_are_central_differences(link, scale, pair):
    one, scores = readout(link, scale, pair), scores_of(link)
    for j in range(4):
        step = np.zeros(4)
        step[j] = 1e-6
        apart = one.read(scores + step)[0] - one.read(scores - step)[0]
        assert one.slopes(scores)[:, j] == pytest.approx(apart / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_outputs_are_those_of_the_link(link):
    scores = scores_of(link)
    assert linked(scores, link) == pytest.approx(squash(scores, link), abs=1e-15)


def test_shares_are_sigmoids_over_their_sum():
    each = squash(scores_of("shares"), "sigmoid")
    expected = each / each.sum(axis=1, keepdims=True)
    assert linked(scores_of("shares"), "shares") == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("pair", PAIRS)
def test_values_are_those_of_the_outputs(link, pair):
    scores = scores_of(link)
    p = linked(scores, link)
    plus, minus = PAIRS[pair]
    probability, odds = p[:, plus], np.log(p[:, plus] / (1 - p[:, plus]))
    if minus >= 0:
        probability, odds = p[:, plus] - p[:, minus], np.log(p[:, plus] / p[:, minus])
    assert readout(link, "probability", pair).read(scores)[0] == pytest.approx(probability)
    assert readout(link, "log-odds", pair).read(scores)[0] == pytest.approx(odds)


def test_log_odds_of_a_softmax_pair_are_the_difference_of_its_scores():
    scores = scores_of("softmax")
    value, slopes = readout("softmax", "log-odds", "two").read(scores)
    np.testing.assert_array_equal(value, scores[:, 2] - scores[:, 0])
    np.testing.assert_array_equal(slopes, np.tile([-1.0, 0, 1, 0], (12, 1)))


def test_log_odds_are_right_where_a_probability_is_one():
    scores = np.array([[800.0, 0.0, -5.0]])
    assert log_odds(scores, "softmax", paired=False)[0, 0] == pytest.approx(
        800 - np.log1p(np.exp(-5))
    )
    assert log_odds(scores, "softmax", paired=True)[0] == pytest.approx([0, -800, -805])


def test_one_margin_for_two_classes_is_halved():
    margins = np.array([[-3.0, 3.0]])
    one = Readout(np.array([[1, 0]]), "identity", "raw", margin=True)
    assert one.read(margins)[0] == [3.0]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("link", ["softmax", "sigmoid", "shares"])
def test_mean_slopes_lead_from_one_end_to_the_other(link, scale, pair):
    low, high = scores_of(link, spread=20.0), scores_of(link, spread=20.0)[::-1] * 0.7
    one = readout(link, scale, pair)
    moved = (one.mean_slopes(low, high) * (high - low)).sum(axis=1)
    expected = one.read(high)[0] - one.read(low)[0]
    assert moved == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_mean_slopes_equal_dense_midpoints():
    low, high = scores_of("softmax"), scores_of("softmax")[::-1]
    one, count = readout("softmax", "probability", "one"), 20000
    dense = sum(one.slopes(low + (i + 0.5) / count * (high - low)) for i in range(count)) / count
    assert one.mean_slopes(low, high) == pytest.approx(dense, abs=1e-8)


@pytest.mark.parametrize(
    ("link", "scale", "pair", "straight"),
    [
        ("identity", "raw", "two", True),
        ("identity", "probability", "one", True),
        ("softmax", "log-odds", "two", True),
        ("softmax", "log-odds", "one", False),
        ("sigmoid", "log-odds", "one", True),
        ("sigmoid", "log-odds", "two", False),
        ("softmax", "probability", "one", False),
    ],
)
def test_what_is_linear_in_the_scores_is_known(link, scale, pair, straight):
    assert readout(link, scale, pair).straight is straight
