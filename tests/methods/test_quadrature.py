"""Quadratures keep their tolerance, in L1 of the weights, and say so where they cannot."""

import numpy as np
import pytest
from paths import explain, midpoints, plain, relu_net

from xplain_cli.methods import METHODS
from xplain_cli.methods.quadrature import MOST_NODES, most_panels
from xplain_cli.models.estimators.chains import Affine, Bend, Chain, Relu
from xplain_cli.models.gradients import Gradient
from xplain_cli.specs import build

RNG = np.random.default_rng(5)
ROWS, BASELINES = RNG.normal(size=(16, 8)) * 2, RNG.normal(size=(16, 8)) * 2
NET = relu_net((8, 32, 32, 32, 3), seed=3)


def ig(tol):
    return build(f"ig:tol={tol:g}", METHODS["masks"])


def l1(weights, exact):
    return np.abs(weights - exact).sum(axis=2)[:, 0] / np.abs(exact).sum(axis=2)[:, 0]


@pytest.mark.parametrize("tol", [1e-2, 2e-3])
def test_no_row_errs_by_more_than_its_tolerance(tol):
    exact = explain(ig(tol), plain(NET), ROWS, BASELINES)
    found = explain(ig(tol), plain(NET, kinks=None), ROWS, BASELINES)
    assert (exact.quadrature == "exact").all()
    assert (found.quadrature == "trapezoid").all()
    done = found.converged[:, 0] == 1
    assert done.mean() > 0.9
    assert l1(found.weights, exact.weights)[done].max() <= tol
    said = found.quadrature_error.sum(axis=2) / np.abs(found.weights).sum(axis=2)
    assert ((said <= tol)[:, 0] == done).all()


def test_a_smaller_tolerance_takes_more_nodes_and_no_more_than_each_row_needs():
    few, many = (explain(ig(t), plain(NET, kinks=None), ROWS, BASELINES) for t in (1e-2, 2e-3))
    assert np.median(few.n_samples) < np.median(many.n_samples)
    assert len(np.unique(few.n_samples)) > 1
    assert set(np.unique(few.n_samples)) <= {4 * 2**i + 1 for i in range(2, 10)}


def smooth_net(scale=0.15):
    rng = np.random.default_rng(0)
    stages = [Affine(scale * rng.normal(size=(8, 64)), rng.normal(size=64)), Bend("tanh")]
    stages += [Affine(scale * rng.normal(size=(64, 64)) / 4, rng.normal(size=64)), Bend("logistic")]
    return Chain((*stages, Affine(rng.normal(size=(64, 2)), np.zeros(2))))


def test_a_net_without_kinks_takes_at_most_32_nodes():
    gradient = plain(smooth_net())
    found = explain(ig(1e-5), gradient, ROWS, BASELINES)
    assert set(np.unique(found.quadrature)) == {"gauss-legendre"}
    assert found.n_samples.max() <= 8 + 16 + 32
    for i in range(0, 16, 6):
        dense = midpoints(gradient, ROWS[i], BASELINES[i], nodes=20000)
        assert np.abs(found.weights[i, 0] - dense).sum() <= 1e-6 * np.abs(dense).sum()


def test_a_smooth_net_too_steep_for_gauss_is_halved_on():
    found = explain(ig(1e-4), plain(smooth_net(8.0)), ROWS[:8], BASELINES[:8])
    assert "trapezoid" in found.quadrature


def spike(at, width, height):
    """Return a ReLU net of one number that rises by *height* over *width* up to *at*."""
    first = Affine(np.ones((1, 2)), -np.array([at - width, at]))
    second = Affine(height / width * np.array([[1.0], [-1.0]]), np.zeros(1))
    slow = Affine(np.ones((1, 1)), np.zeros(1))  # what a coarse rule sees
    return Chain((first, Relu(), second)), slow


def followed(chain, slow, **more):
    """Return the gradient of a chain beside a straight line."""

    def scores(points):
        return chain.scores(points) + slow.forward(points)

    def derive(points, slopes):
        made = scores(points)
        back, _ = chain.derive(points, lambda _: slopes(made))
        return back + slow.backward(points, made, slopes(made)), made

    return Gradient(
        enter=np.asarray, leave=np.asarray, scores=scores, derive=derive, link="identity", **more
    )


@pytest.mark.parametrize("at", [0.99999, 0.97, 0.5003])
def test_one_huge_kink_that_no_node_sees_is_not_called_converged(at):
    chain, slow = spike(at, 1e-5, 50.0)
    found = explain(ig(1e-3), followed(chain, slow), np.ones((1, 1)), np.zeros((1, 1)))
    true = 51.0
    off = abs(found.weights[0, 0, 0] - true) / true
    assert (found.converged[0, 0] == 0) is np.bool_(off > 1e-3)
    assert found.converged[0, 0] == 0
    assert found.n_samples[0, 0] == MOST_NODES + 1


@pytest.mark.parametrize("at", [0.99999, 0.97, 0.5003])
def test_the_same_kink_is_followed_exactly_where_pieces_are_known(at):
    chain, _ = spike(at, 1e-5, 50.0)
    found = explain(ig(1e-3), plain(chain), np.ones((1, 1)), np.zeros((1, 1)))
    assert found.weights[0, 0, 0] == pytest.approx(50.0, rel=1e-9)
    assert (found.quadrature[0, 0], found.converged[0, 0]) == ("exact", 1)


def test_completeness_alone_deceives():
    """Errors of opposite sign cancel in the sum of weights, and stay in each of them."""
    exact = explain(ig(1e-3), plain(NET), ROWS, BASELINES).weights[:, 0]
    coarse = np.stack([
        midpoints(plain(NET), row, baseline, nodes=64)
        for row, baseline in zip(ROWS, BASELINES, strict=True)
    ])
    erred, missed = np.abs(coarse - exact).sum(axis=1), np.abs((coarse - exact).sum(axis=1))
    assert erred.mean() >= 1.5 * missed.mean()


def test_a_path_of_too_many_pieces_is_integrated():
    wide = relu_net((8, 1500, 2), seed=1)
    found = explain(ig(1e-2), plain(wide), ROWS[:3] * 9, -ROWS[:3] * 9)
    assert set(found.quadrature.ravel()) <= {"exact", "trapezoid"}
    assert (found.converged == 1).all()


@pytest.mark.parametrize(
    ("numbers", "panels"), [(64, 2048), (65_536, 2048), (3 * 224 * 224, 512), (10**8, 256)]
)
def test_large_pictures_take_fewer_panels(numbers, panels):
    assert most_panels(numbers) == panels
