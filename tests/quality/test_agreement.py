"""agreement: against one pair at a time."""

import itertools

import numpy as np
import pytest
from oracles import jaccard, kendall_tau

from xplain_cli.quality.agreement import mean_jaccard, mean_tau, top_members


def test_top_members_are_the_k_largest():
    assert top_members(np.array([3.0, 1.0, 2.0]), 2).tolist() == [True, False, True]


def test_the_few_largest_of_many_are_found_alike(rng):
    sizes = rng.random((3, 4, 200))
    few, sorted_ = top_members(sizes, 5), np.sort(sizes, axis=-1)
    assert np.array_equal(few, sizes >= sorted_[..., [-5]])
    assert np.array_equal(top_members(sizes, 40), sizes >= sorted_[..., [-40]])


def test_top_one_is_the_largest():
    assert top_members(np.array([[3.0, 5.0, 2.0]]), 1).tolist() == [[False, True, False]]


def test_mean_jaccard_is_the_mean_over_pairs_of_sets(rng):
    members = top_members(rng.random((6, 8)), 3)
    sets = [set(np.flatnonzero(row)) for row in members]
    expected = np.mean([jaccard(a, b) for a, b in itertools.combinations(sets, 2)])
    assert mean_jaccard(members, 3) == pytest.approx(expected, abs=1e-6)


def test_mean_tau_is_the_mean_over_pairs_of_rankings(rng):
    sizes = rng.random((6, 8))
    expected = np.mean([kendall_tau(a, b) for a, b in itertools.combinations(sizes, 2)])
    assert mean_tau(sizes) == pytest.approx(expected)


def test_tau_of_a_constant_is_undefined():
    assert np.isnan(mean_tau(np.zeros((4, 3))))


def test_many_features_are_sampled_close_to_the_whole(rng):
    base = np.arange(150.0)
    sizes = base + rng.normal(0, 20, (40, 150))
    pairs = list(itertools.combinations(sizes, 2))[:200]
    expected = np.mean([kendall_tau(a, b) for a, b in pairs])
    assert mean_tau(sizes) == pytest.approx(expected, abs=0.03)


def test_features_of_one_size_are_above_nobody(rng):
    sizes = rng.random((3, 70, 9))
    sizes[1, :, :4] = 0.0  # as features without a weight have it
    sizes[2] = sizes[2].round(1)
    for row in sizes:
        pairs = list(itertools.combinations(range(9), 2))
        tops = [(row[:, a] > row[:, b]).sum() for a, b in pairs]
        bottoms = [(row[:, a] < row[:, b]).sum() for a, b in pairs]
        signs = np.subtract(tops, bottoms, dtype=np.float64)
        apart = np.add(tops, bottoms) > 0
        expected = ((signs[apart] ** 2 / 70 - 1) / 69).mean()
        assert mean_tau(row) == pytest.approx(expected)
    assert (top_members(sizes, 6).sum(axis=-1) == 6).all()
