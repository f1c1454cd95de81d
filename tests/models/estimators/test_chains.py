"""Chains against central differences, their kinks, and rows that stand elsewhere."""

import numpy as np
import pytest
from paths import relu_net

from xplain_cli.models.estimators.chains import (
    Affine,
    Bend,
    Blend,
    Chain,
    Outputs,
    Relu,
    joined,
    together,
)
from xplain_cli.models.estimators.smooth_steps import BoxCox, Monomials, UnitLength, YeoJohnson

RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(7, 5))


def line(d, e, seed=0):
    rng = np.random.default_rng(seed)
    return Affine(rng.normal(size=(d, e)), rng.normal(size=e))


STAGES = {
    "affine": (line(5, 3),),
    "relu": (line(5, 4), Relu(), line(4, 3, 1)),
    "tanh": (line(5, 4), Bend("tanh"), line(4, 3, 1)),
    "logistic": (line(5, 4), Bend("logistic"), line(4, 3, 1)),
    "exp": (line(5, 3), Bend("exp")),
    **{link: (line(5, 3), Outputs(link)) for link in ("softmax", "sigmoid", "shares")},
    "powers of either sign": (YeoJohnson(np.array([0.0, 2.0, 0.5, -1.0, 1.0])), line(5, 3)),
    "powers": (Bend("exp"), BoxCox(np.array([0.0, 2.0, 0.5, -1.0, 1.0])), line(5, 3)),
    "products": (
        Monomials(np.array([[0, 0, 0, 0, 0], [3, 1, 0, 0, 0], [0, 0, 2, 2, 1]])),
        line(3, 3),
    ),
    "lengths": (UnitLength(), line(5, 3)),
    "beside": (
        *together([(2, Chain((line(2, 2), Bend("tanh")))), (3, Chain((UnitLength(),)))]),
        line(5, 3),
    ),
    "blend": (
        Blend((Chain((line(5, 3),)), Chain((line(5, 3, 2), Outputs("softmax")))), (0.3, 0.7)),
    ),
}


@pytest.mark.parametrize("name", STAGES)
def test_derivatives_are_central_differences(name):
    chain, read = Chain(STAGES[name]), np.array([0.5, -2.0, 1.0])
    found, scores = chain.derive(POINTS, lambda s: np.tile(read, (len(s), 1)))
    np.testing.assert_array_equal(scores, chain.scores(POINTS))
    for j in range(5):
        step = 1e-6 * np.eye(5)[j]
        apart = (chain.scores(POINTS + step) - chain.scores(POINTS - step)) @ read / 2e-6
        assert found[:, j] == pytest.approx(apart, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("name", "pieces", "smooth"),
    [("affine", True, True), ("relu", True, False), ("tanh", False, True), ("blend", False, True)],
)
def test_a_chain_knows_its_kind(name, pieces, smooth):
    assert (Chain(STAGES[name]).pieces, Chain(STAGES[name]).smooth) == (pieces, smooth)


def test_neighbouring_matrices_become_one():
    first, second = line(5, 4), line(4, 3, 1)
    both = joined([first, second, Relu(), line(3, 2)])
    assert len(both) == 3
    assert Chain(both[:1]).scores(POINTS) == pytest.approx(Chain((first, second)).scores(POINTS))


NET = relu_net((5, 16, 16, 8, 3), seed=4)
STARTS, STEPS = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 5)) * 3


def test_scores_are_linear_between_kinks_and_bend_at_them():
    for start, step, found in zip(STARTS, STEPS, NET.kinks(STARTS, STEPS, 999), strict=True):
        low, high = found.shares[:-1], found.shares[1:]
        points = start + found.shares[:, None] * step
        assert found.scores == pytest.approx(NET.scores(points), abs=1e-11)
        middle = NET.scores(start + ((low + high) / 2)[:, None] * step)
        assert middle == pytest.approx((found.scores[:-1] + found.scores[1:]) / 2, abs=1e-11)
        slopes = np.diff(found.scores, axis=0) / np.diff(found.shares)[:, None]
        bends = np.abs(np.diff(slopes, axis=0)).max(axis=1)
        assert (bends > 1e-9).mean() > 0.5  # the others are kinks of units that are shut later
        assert (found.shares[0], found.shares[-1]) == (0.0, 1.0)


def test_no_kink_is_missed():
    dense = np.linspace(0, 1, 20001)
    for start, step, found in zip(STARTS, STEPS, NET.kinks(STARTS, STEPS, 999), strict=True):
        scores = NET.scores(start + dense[:, None] * step)
        bent = np.abs(np.diff(scores, 2, axis=0)).max(axis=1) > 1e-9
        seen = dense[1:-1][bent]
        near = np.abs(seen[:, None] - found.shares[None]).min(axis=1)
        assert near.max(initial=0) <= 5.1e-5


def test_a_path_of_too_many_pieces_is_given_up():
    whole = NET.kinks(STARTS, STEPS, 999)
    few = NET.kinks(STARTS, STEPS, 12)
    for one, other in zip(whole, few, strict=True):
        assert (other is None) is (len(one.shares) - 1 > 12)


def test_kinks_are_alike_to_the_last_digit_whatever_stands_beside():
    together = NET.kinks(STARTS, STEPS, 999)
    order = np.random.default_rng(0).permutation(40)
    mixed = NET.kinks(STARTS[order], STEPS[order], 999)
    for i in range(40):
        (alone,) = NET.kinks(STARTS[i : i + 1], STEPS[i : i + 1], 999)
        other = mixed[list(order).index(i)]
        for found in (alone, other):
            assert found.shares.tobytes() == together[i].shares.tobytes()
            assert found.scores.tobytes() == together[i].scores.tobytes()
