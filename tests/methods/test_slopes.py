"""Derivatives at rows against central differences; their mean under noise, and its error."""

import numpy as np
import pytest
from paths import explain, plain, relu_net

from xplain_cli.errors import UsageError
from xplain_cli.methods import METHODS
from xplain_cli.models.estimators.chains import Affine, Bend, Chain
from xplain_cli.quality.stability import standard_errors
from xplain_cli.specs import build

RNG = np.random.default_rng(2)
ROWS, BASELINES = RNG.normal(size=(6, 5)), RNG.normal(size=(6, 5))
NET = relu_net((5, 12, 3), seed=1)
CURVED = Chain((
    Affine(RNG.normal(size=(5, 6)), RNG.normal(size=6)),
    Bend("tanh"),
    Affine(RNG.normal(size=(6, 2)), np.zeros(2)),
))


def method(text):
    return build(text, METHODS["masks"])


def slopes_of(chain, rows, step=1e-6):
    apart = [
        chain.scores(rows + step * one)[:, 0] - chain.scores(rows - step * one)[:, 0]
        for one in np.eye(rows.shape[1])
    ]
    return np.stack(apart, axis=1) / (2 * step)


def test_saliency_is_the_derivative_at_the_row():
    got = explain(method("saliency"), plain(NET), ROWS, BASELINES)
    assert got.weights[:, 0] == pytest.approx(slopes_of(NET, ROWS), abs=1e-7)
    assert got.base[:, 0] == pytest.approx(NET.scores(BASELINES)[:, 0])
    assert (got.exact, got.sums) == (True, False)
    assert (got.n_inputs == 2).all()


def test_a_number_equal_to_its_baseline_has_a_slope_all_the_same():
    got = explain(method("saliency"), plain(NET), ROWS, ROWS)
    assert got.weights[:, 0] == pytest.approx(slopes_of(NET, ROWS), abs=1e-7)


def test_input_times_gradient_is_the_way_times_the_derivative_at_the_row():
    got = explain(method("input-x-gradient"), plain(NET), ROWS, BASELINES)
    expected = slopes_of(NET, ROWS) * (ROWS - BASELINES)
    assert got.weights[:, 0] == pytest.approx(expected, abs=1e-6)


def test_input_times_gradient_of_a_line_is_integrated_gradients():
    line = plain(Chain((Affine(RNG.normal(size=(5, 1)), np.ones(1)),)))
    one, other = (explain(method(m), line, ROWS, BASELINES) for m in ("input-x-gradient", "ig"))
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-12)


def test_several_baselines_that_are_a_sample_give_an_error():
    many = RNG.normal(size=(24, 5))
    got = explain(method("input-x-gradient"), plain(NET), ROWS, many, drawn=True)
    assert (standard_errors(got) > 0).any()
    assert not got.exact


def test_smoothing_averages_derivatives_around_the_row():
    got = explain(method("smooth:noise=0.3"), plain(CURVED), ROWS, BASELINES, budget=(256, 8))
    noise = np.random.default_rng(0).normal(size=(20000, 5)) * 0.3 * 2.0  # a shift is 2 here
    for i in range(6):
        dense = slopes_of(CURVED, ROWS[i] + noise).mean(axis=0)
        error = standard_errors(got)[i, 0]
        assert (np.abs(got.weights[i, 0] - dense) <= 5 * error + 0.01).all()


def test_errors_of_smoothing_are_those_of_reruns():
    seen = [
        explain(method("smooth"), plain(CURVED), ROWS + 1e-9 * i, BASELINES, budget=(8, 4))
        for i in range(40)
    ]
    spread = np.stack([one.weights for one in seen]).std(axis=0, ddof=1)
    said = np.sqrt(np.mean([standard_errors(one) ** 2 for one in seen], axis=0))
    assert np.median(said / spread) == pytest.approx(1, abs=0.15)


def test_one_repeat_takes_its_draws_for_repeats():
    got = explain(method("smooth"), plain(CURVED), ROWS, BASELINES, budget=(16, 1))
    assert (got.degrees, len(got.error_factors)) == (15.0, 16)
    with pytest.raises(UsageError, match="two draws"):
        explain(method("smooth"), plain(CURVED), ROWS, BASELINES, budget=(1, 1))


def test_draws_go_by_the_row_and_not_by_its_place():
    together = explain(method("smooth"), plain(NET), ROWS, BASELINES, budget=(16, 4)).weights
    for i in (0, 5):
        own = slice(i, i + 1)
        alone = explain(method("smooth"), plain(NET), ROWS[own], BASELINES[own], budget=(16, 4))
        assert alone.weights[0].tobytes() == together[i].tobytes()


@pytest.mark.parametrize("noise", ["0", "-1", "inf", "nan"])
def test_noise_that_is_none_is_refused(noise):
    with pytest.raises(UsageError, match="must be above 0"):
        method(f"smooth:noise={noise}")
