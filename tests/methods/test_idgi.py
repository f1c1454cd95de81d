"""IDGI against its equation, step by step, and what it must add up to."""

import numpy as np
import pytest
from paths import explain, plain, relu_net

from xplain_cli.errors import UsageError
from xplain_cli.methods import METHODS
from xplain_cli.models.estimators.chains import Affine, Chain
from xplain_cli.specs import build

RNG = np.random.default_rng(4)
ROWS, BASELINES = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 5))
NET = relu_net((5, 12, 3), seed=1)


def idgi(text="idgi"):
    return build(text, METHODS["masks"])


def by_the_equation(chain, row, baseline, steps):
    """Return the sum over steps of g^2 d / |g|^2 (equation 6)."""
    total = np.zeros(len(row))
    points = baseline + np.linspace(0, 1, steps + 1)[:, None] * (row - baseline)
    values = chain.scores(points)[:, 0]
    for j in range(steps):
        first = lambda s: np.eye(s.shape[1])[np.zeros(len(s), int)]  # noqa: E731
        g = chain.derive(points[j : j + 1], first)[0][0]
        g = np.where(row != baseline, g, 0)
        if g.any():
            total += g**2 / (g @ g) * (values[j + 1] - values[j])
    return total


def test_weights_are_those_of_the_equation():
    got = explain(idgi(), plain(NET), ROWS, BASELINES)
    for i in range(7):
        steps = int(got.n_samples[i, 0]) - 1
        expected = by_the_equation(NET, ROWS[i], BASELINES[i], steps)
        assert got.weights[i, 0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_networks_with_kinks_are_off_by_little_more_than_the_tolerance(seed):
    rng, net = np.random.default_rng(seed), relu_net((5, 12, 3), seed)
    rows, baselines = rng.normal(size=(40, 5)), rng.normal(size=(40, 5))
    got = explain(idgi("idgi:tol=0.01"), plain(net), rows, baselines)
    shares, missed = np.linspace(0, 1, 8193)[:, None], []
    for i in range(40):
        points = baselines[i] + shares * (rows[i] - baselines[i])
        first = np.tile([1.0, 0.0, 0.0], (8192, 1))
        slopes = net.derive(points[:-1], lambda _, first=first: first)[0] ** 2
        gained = np.diff(net.scores(points)[:, 0]) / np.maximum(slopes.sum(axis=1), 1e-300)
        error, size = np.abs(gained @ slopes - got.weights[i, 0]).sum(), np.abs(got.weights[i, 0])
        missed.append(error / size.sum())
    assert max(missed) <= 0.02
    assert np.mean(np.array(missed) <= 0.01) > 0.9


def test_weights_add_up_whatever_the_steps():
    got = explain(idgi("idgi:tol=0.3"), plain(NET), ROWS, BASELINES)
    change = NET.scores(ROWS)[:, 0] - NET.scores(BASELINES)[:, 0]
    assert got.weights[:, 0].sum(axis=1) == pytest.approx(change, abs=1e-12)


def test_steps_are_halved_until_that_moves_little():
    coarse, fine = (
        explain(idgi(f"idgi:tol={t}"), plain(NET), ROWS, BASELINES) for t in (0.1, 0.01)
    )
    assert (fine.n_samples >= coarse.n_samples).all()
    assert (fine.converged == 1).all()
    size = np.abs(fine.weights).sum(axis=2)
    assert (fine.quadrature_error.sum(axis=2) <= 0.01 * size).all()


def test_a_number_equal_to_its_baseline_weighs_exactly_nothing():
    baselines = BASELINES.copy()
    baselines[:, 3] = ROWS[:, 3]
    assert (explain(idgi(), plain(NET), ROWS, baselines).weights[:, :, 3] == 0).all()


def test_a_flat_function_has_zeros():
    flat = plain(Chain((Affine(np.zeros((5, 1)), np.ones(1)),)))
    got = explain(idgi(), flat, ROWS, BASELINES)
    assert not got.weights.any()
    assert (got.converged == 1).all()


def test_a_tolerance_that_is_none_is_refused():
    with pytest.raises(UsageError, match="idgi:tol"):
        idgi("idgi:tol=0")
