"""Integrated Gradients: its algebra in double precision, exact pieces against dense midpoints."""

import numpy as np
import pytest
from paths import explain, midpoints, plain, relu_net

from xplain_cli.errors import UsageError
from xplain_cli.methods import METHODS
from xplain_cli.models.estimators.chains import Affine, Bend, Chain, Relu
from xplain_cli.models.gradients import Readout
from xplain_cli.quality.stability import standard_errors
from xplain_cli.specs import build

RNG = np.random.default_rng(1)
ROWS, BASELINES = RNG.normal(size=(9, 6)) * 2, RNG.normal(size=(9, 6)) * 2
NET = relu_net((6, 20, 12, 4), seed=2)
SOFT = plain(NET, "softmax")
SMOOTH = Chain((
    Affine(RNG.normal(size=(6, 8)), RNG.normal(size=8)),
    Bend("tanh"),
    Affine(RNG.normal(size=(8, 3)), np.zeros(3)),
))
WAYS = {
    "exact": (plain(NET), "raw"),
    "exact probability": (SOFT, "probability"),
    "exact log-odds": (SOFT, "log-odds"),
    "smooth": (plain(SMOOTH), "raw"),
    "trapezoid": (plain(NET, kinks=None), "raw"),
}
AGAINST = ((0, 1),)


def ig(text="ig"):
    return build(text, METHODS["masks"])


def explained(way, rows=ROWS, baselines=BASELINES, *, pairs=((0, -1),), text="ig:tol=1e-4"):
    gradient, scale = WAYS[way]
    return explain(ig(text), gradient, rows, baselines, pairs=pairs, scale=scale)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "trapezoid"])
@pytest.mark.parametrize("pairs", [((0, -1),), AGAINST])
def test_weights_add_up_to_the_change(way, pairs):
    gradient, scale = WAYS[way]
    got = explained(way, pairs=pairs)
    one = Readout(np.tile(pairs[0], (9, 1)), gradient.link, scale)
    start, stop = (one.read(gradient.scores(part))[0] for part in (BASELINES, ROWS))
    missed = np.abs(got.weights.sum(axis=2)[:, 0] - (stop - start))
    limit = 1e-10 * np.abs(stop - start) + 1e-12 * np.abs(got.weights).max(axis=(1, 2))
    size = np.abs(got.weights).sum(axis=(1, 2))
    assert (missed <= limit + (1e-4 * size if way == "smooth" else 0)).all()
    assert got.base[:, 0] == pytest.approx(start, abs=1e-12)
    assert (got.converged == 1).all()


@pytest.mark.parametrize("pairs", [((0, -1),), AGAINST])
@pytest.mark.parametrize("way", WAYS)
def test_weights_equal_dense_midpoints(way, pairs):
    gradient, scale = WAYS[way]
    got = explained(way, pairs=pairs)
    for i in range(9):
        dense = midpoints(gradient, ROWS[i], BASELINES[i], pair=pairs[0], scale=scale)
        coarse = midpoints(gradient, ROWS[i], BASELINES[i], pair=pairs[0], scale=scale, nodes=2048)
        slack = 4 * np.abs(dense - coarse).sum() + 1e-8
        own = got.quadrature_error[i, 0].sum()
        assert np.abs(got.weights[i, 0] - dense).sum() <= slack + own


@pytest.mark.parametrize("way", ["exact", "exact log-odds", "smooth"])
def test_a_target_against_another_is_antisymmetric(way):
    one, other = (explained(way, pairs=((a, b),)).weights for a, b in ((0, 1), (1, 0)))
    np.testing.assert_allclose(one, -other, atol=1e-10)


def test_changing_sides_changes_the_sign():
    there = explained("exact", pairs=AGAINST).weights
    back = explained("exact", BASELINES, ROWS, pairs=AGAINST).weights
    np.testing.assert_allclose(there, -back, atol=1e-10)


def test_targets_against_each_other_add_up():
    got = explained("exact", pairs=((0, 1), (1, 2), (0, 2))).weights
    np.testing.assert_allclose(got[:, 0] + got[:, 1], got[:, 2], atol=1e-10)


def test_log_odds_of_a_pair_are_the_difference_of_scores():
    scores = explained("exact", pairs=AGAINST).weights
    odds = explain(ig(), SOFT, ROWS, BASELINES, pairs=AGAINST, scale="log-odds").weights
    np.testing.assert_allclose(odds, scores, atol=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_a_number_equal_to_its_baseline_weighs_exactly_nothing(way):
    baselines = BASELINES.copy()
    baselines[:, 2] = ROWS[:, 2]
    assert (explained(way, baselines=baselines).weights[:, :, 2] == 0).all()


def test_a_number_that_the_net_does_not_use_weighs_exactly_nothing():
    first = NET.stages[0]
    matrix = first.matrix.copy()
    matrix[4] = 0
    deaf = plain(Chain((Affine(matrix, first.shift), *NET.stages[1:])))
    assert (explain(ig(), deaf, ROWS, BASELINES).weights[:, :, 4] == 0).all()


def test_numbers_that_a_net_treats_alike_weigh_alike():
    first = NET.stages[0]
    matrix = first.matrix.copy()
    matrix[1] = matrix[3]
    fair = plain(Chain((Affine(matrix, first.shift), *NET.stages[1:])))
    rows, baselines = ROWS.copy(), BASELINES.copy()
    rows[:, 1], baselines[:, 1] = rows[:, 3], baselines[:, 3]
    got = explain(ig(), fair, rows, baselines).weights
    np.testing.assert_allclose(got[:, :, 1], got[:, :, 3], atol=1e-10)


def test_weights_of_a_sum_of_nets_are_the_sum_of_weights():
    other = relu_net((6, 20, 12, 4), seed=8)
    stages = [
        Affine(
            np.block([
                [a.matrix, np.zeros((a.matrix.shape[0], b.matrix.shape[1]))],
                [np.zeros((b.matrix.shape[0], a.matrix.shape[1])), b.matrix],
            ]),
            np.r_[a.shift, b.shift],
        )
        if isinstance(a, Affine)
        else Relu()
        for a, b in zip(NET.stages, other.stages, strict=True)
    ]
    doubled = Affine(np.hstack([np.eye(6), np.eye(6)]), np.zeros(12))
    summed = Affine(np.vstack([2 * np.eye(4), -3 * np.eye(4)]), np.zeros(4))
    whole = explain(ig(), plain(Chain((doubled, *stages, summed))), ROWS, BASELINES).weights
    parts = [explain(ig(), plain(one), ROWS, BASELINES).weights for one in (NET, other)]
    np.testing.assert_allclose(whole, 2 * parts[0] - 3 * parts[1], atol=1e-10)


def test_a_linear_model_weighs_slope_times_way():
    line = plain(Chain((Affine(np.arange(6.0)[:, None], np.ones(1)),)))
    got = explain(ig(), line, ROWS, BASELINES)
    np.testing.assert_allclose(got.weights[:, 0], np.arange(6) * (ROWS - BASELINES), atol=1e-12)
    assert (got.n_inputs == 3).all()  # both ends, and one derivative


def test_several_baselines_are_averaged_and_a_sample_of_them_has_an_error():
    many = RNG.normal(size=(9, 5, 6)).reshape(45, 6)
    fixed = explain(ig(), plain(NET), ROWS, many)
    drawn = explain(ig(), plain(NET), ROWS, many, drawn=True)
    each = np.stack([
        explain(ig(), plain(NET), ROWS, many.reshape(9, 5, 6)[:, c]).weights for c in range(5)
    ])
    np.testing.assert_allclose(drawn.weights, each.mean(axis=0), atol=1e-12)
    np.testing.assert_array_equal(drawn.weights, fixed.weights)
    np.testing.assert_allclose(
        standard_errors(drawn), each.std(axis=0, ddof=1) / np.sqrt(5), atol=1e-12
    )
    assert (fixed.exact, drawn.exact, drawn.degrees) == (True, False, 4.0)
    assert not standard_errors(fixed).any()


def test_a_row_weighs_the_same_bytes_whatever_stands_beside():
    for way in WAYS:
        together = explained(way).weights
        for i in (0, 4, 8):
            alone = explained(way, ROWS[i : i + 1], BASELINES[i : i + 1]).weights
            assert alone[0].tobytes() == together[i].tobytes(), way


@pytest.mark.parametrize("tol", ["0", "1", "-1", "nan"])
def test_a_tolerance_that_is_none_is_refused(tol):
    with pytest.raises(UsageError, match="between 1e-9 and 1"):
        ig(f"ig:tol={tol}")
