"""The axioms of Shapley values on random games: efficiency, symmetry, dummy, linearity.

A game is a number for every coalition on every baseline; nothing else is assumed of it. Shapley
1953; where a budget holds all coalitions they hold exactly. Samples keep efficiency and linearity
exactly too, for their design does not depend on what the model answers.
"""

import numpy as np
import pytest
from games import Games, every_coalition, exact_values, play
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import shapley

from xplain_cli.methods.kernel_shap import KernelShap
from xplain_cli.methods.permutation import Permutation
from xplain_cli.quality.stability import standard_errors

METHODS = {
    "kernel-shap": KernelShap(),
    "kernel-shap:rows=all": KernelShap(rows="all"),
    "permutation": Permutation(),
}
ALL, FEW = (1 << 12, 4), (64, 4)  # of 2^6 to 2^9 coalitions on three baselines, and of 2^11
each_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
seeds = st.integers(0, 2**32 - 1)
scales = st.sampled_from([1e-6, 1.0, 1e9])
often = settings(derandomize=True, deadline=None, max_examples=8)


def draw(seed, n, copies=3, scale=1.0):
    """Return a game (2^n, k): the row has one value, whatever the baseline."""
    values = scale * np.random.default_rng(seed).normal(size=(1 << n, copies))
    values[-1] = values[-1, 0]
    return values


def weigh(method, values, budget):
    numbers = np.random.default_rng(len(values)).normal(size=(values.shape[1], 4))
    return play(method, Games(values[None], numbers, np.array([0, 0, 1, 2])), budget)


def test_the_oracles_agree(rng):
    game = rng.normal(size=1 << 5)
    wanted = shapley(5, lambda masks: game[masks @ (1 << np.arange(5))])
    assert exact_values(game) == pytest.approx(wanted, abs=1e-12)


@each_method
@given(seed=seeds, scale=scales, n=st.integers(6, 9))
@often
def test_a_budget_that_holds_all_coalitions_gives_the_shapley_values(method, seed, scale, n):
    values = draw(seed, n, scale=scale)
    got = weigh(method, values, ALL)
    assert got.exact
    assert got.weights[0, 0] == pytest.approx(exact_values(values.mean(axis=1)), abs=1e-11 * scale)


@each_method
@pytest.mark.parametrize("budget", [ALL, FEW, (256, 1)], ids=["all", "few", "one"])
@given(seed=seeds, scale=scales, copies=st.integers(1, 5))
@often
def test_efficiency(method, budget, seed, scale, copies):
    """Base and weights are the prediction, in every repeat."""
    values = draw(seed, 9 if budget == ALL else 13, copies, scale)
    got = weigh(method, values, budget)
    assert got.exact == (budget == ALL)
    due = values[-1, 0] - values[0].mean()
    assert got.base[0, 0] == pytest.approx(values[0].mean(), abs=1e-12 * scale)
    assert got.weights.sum() == pytest.approx(due, abs=1e-10 * scale)
    assert got.repeats.sum(axis=-1) == pytest.approx(due, abs=1e-10 * scale)


@each_method
@pytest.mark.parametrize("budget", [ALL, FEW], ids=["all", "few"])
@given(seed=seeds, ours=st.floats(-3, 3), theirs=st.floats(-3, 3))
@often
def test_linearity(method, budget, seed, ours, theirs):
    n = 9 if budget == ALL else 13
    one, two = draw(seed, n), draw(seed + 1, n)
    got = weigh(method, ours * one + theirs * two, budget).weights
    parts = ours * weigh(method, one, budget).weights + theirs * weigh(method, two, budget).weights
    assert got == pytest.approx(parts, abs=1e-10)


@each_method
@given(seed=seeds)
@often
def test_symmetry(method, seed):
    """Two features that may change places in every coalition weigh alike."""
    values, masks = draw(seed, 8), every_coalition(8)
    swapped = masks[:, [5, 1, 2, 3, 4, 0, 6, 7]] @ (1 << np.arange(8))
    got = weigh(method, values + values[swapped], ALL).weights[0, 0]
    assert got[0] == pytest.approx(got[5], abs=1e-11)
    assert got[0] != pytest.approx(got[1], abs=1e-3)


@each_method
@given(seed=seeds)
@often
def test_dummy(method, seed):
    """A feature that adds the same to every coalition weighs that, and nothing where it is 0."""
    others, inside = draw(seed, 7), every_coalition(8)[:, 7]
    values = np.concatenate([others, others])
    assert weigh(method, values, ALL).weights[0, 0, 7] == pytest.approx(0, abs=1e-11)
    got = weigh(method, values + 0.7 * inside[:, None], ALL).weights[0, 0]
    assert got[7] == pytest.approx(0.7, abs=1e-11)
    assert got[:7] == pytest.approx(exact_values(others.mean(axis=1)), abs=1e-11)


@each_method
def test_samples_of_symmetric_features_differ_by_their_errors(method):
    """Over seeds: the mean square of their distance in standard errors is that of t."""
    n, masks = 13, every_coalition(13)
    values = draw(5, n, copies=2) * 0.2 + masks.sum(axis=1)[:, None] ** 1.5
    values = values + values[masks[:, [1, 0, *range(2, n)]] @ (1 << np.arange(n))]
    apart = []
    for seed in range(30):
        got = play(method, Games(values[None]), (64, 8), seed)
        factors = got.error_factors[:, 0, 0]
        error = np.sqrt(np.square(factors[:, 0] - factors[:, 1]).sum())
        apart.append((got.weights[0, 0, 0] - got.weights[0, 0, 1]) / error)
    assert 0.5 < np.mean(np.square(apart)) < 3  # 7 degrees of freedom: 1.4
    assert abs(np.mean(apart)) < 0.9


@each_method
def test_samples_of_a_dummy_weigh_nothing_within_their_errors(method):
    """A permutation gives it exactly nothing; regressions give it what their errors allow."""
    masks = every_coalition(13)
    values = draw(6, 13, copies=2) * 0.2 + masks.sum(axis=1)[:, None] ** 1.5
    values[masks[:, 12]] = values[~masks[:, 12]]
    found = []
    for seed in range(30):
        got = play(method, Games(values[None]), (64, 8), seed)
        found.append((got.weights[0, 0, 12], standard_errors(got)[0, 0, 12]))
    weights, errors = np.array(found).T
    if not errors.any():
        assert weights == pytest.approx(0, abs=1e-11)
        return
    assert 0.5 < np.mean(np.square(weights / errors)) < 3
    assert abs(np.mean(weights / errors)) < 0.9
