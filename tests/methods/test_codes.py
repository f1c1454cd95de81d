"""Codes: strength, capacity, and the estimand of plain masks."""

import itertools

import numpy as np
import pytest

from xplain_cli.methods.designs import all_masks
from xplain_cli.methods.linear_codes import (
    capacity,
    code_masks,
    code_rows,
    code_size,
    sidon_columns,
)

CAPACITY = {32: 6, 64: 7, 128: 9, 256: 12, 512: 18, 1024: 24, 2048: 32, 4096: 41, 8192: 64}


def stream(seed=0):
    return np.random.default_rng(seed)


def patterns(masks):
    """Return how often each of the 2^5 patterns stands in five columns."""
    return np.bincount(masks @ (1 << np.arange(5)), minlength=32)


@pytest.mark.parametrize(("rows", "features"), CAPACITY.items())
def test_the_capacity_of_a_code(rows, features):
    assert capacity(rows) == features


@pytest.mark.parametrize("bits", range(4, 15))
def test_no_two_pairs_of_columns_have_the_same_sum(bits):
    columns = sidon_columns(bits)
    sums = [a ^ b for a, b in itertools.combinations(columns.tolist(), 2)]
    assert len(set(sums)) == len(sums)


@pytest.mark.parametrize(("n", "m"), [(6, 32), (9, 128), (12, 256), (16, 512), (18, 512)])
def test_any_five_columns_show_all_patterns_equally_often(n, m):
    masks = code_masks(n, m, stream())
    for five in itertools.combinations(range(n), 5):
        assert (patterns(masks[:, five]) == m // 32).all()


@pytest.mark.parametrize(("n", "m"), [(32, 2048), (64, 8192)])
def test_many_fives_of_large_codes_are_balanced(n, m, rng):
    masks = code_masks(n, m, rng)
    for _ in range(200):
        five = rng.choice(n, 5, replace=False)
        assert (patterns(masks[:, five]) == m // 32).all()


def test_the_second_half_are_complements():
    masks = code_masks(16, 512, stream())
    assert (masks[256:] == ~masks[:256]).all()


def test_no_mask_of_a_full_code_stands_twice():
    masks = code_masks(16, 512, stream())
    assert len(np.unique(masks, axis=0)) == 512


def test_a_code_takes_the_largest_power_of_two_within_the_budget():
    assert [code_rows(16, m) for m in (511, 512, 1000, 1024, 5000)] == [0, 512, 512, 1024, 4096]


def test_the_smallest_code_for_so_many_features():
    assert [code_size(n) for n in (6, 16, 19, 32, 64, 129)] == [32, 512, 1024, 2048, 8192, 0]


def test_too_many_features_for_a_code_are_refused():
    with pytest.raises(ValueError, match="no code of 512 masks for 19 features"):
        code_masks(19, 512, stream())


def test_a_size_that_is_no_power_of_two_serves_nothing():
    assert [capacity(m) for m in (0, 1, 2, 16, 500, 768)] == [0] * 6


def test_each_mask_is_uniform_over_the_shifts():
    first = np.stack([code_masks(4, 32, stream(seed))[7] for seed in range(3200)])
    counts = np.bincount(first @ (1 << np.arange(4)), minlength=16)
    assert ((counts - 200) ** 2 / 200).sum() < 37.7  # chi-square, 15 degrees, 1 in 1000


def test_repeats_of_a_code_average_to_the_enumeration():
    n = 6
    values = np.random.default_rng(3).normal(size=1 << n)  # any function, all interactions in it
    index = 1 << np.arange(n)

    def effects(masks):
        return 2 * np.where(masks, 1, -1).T @ values[masks @ index] / len(masks)

    seeds = range(2000)
    estimates = np.stack([effects(code_masks(n, 32, stream(seed))) for seed in seeds])
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(seeds))
    assert (np.abs(estimates.mean(axis=0) - effects(all_masks(n))) < 4 * error).all()


def test_effects_of_a_function_of_four_way_interactions_are_exact():
    n = 12
    weights = np.random.default_rng(1).normal(size=n)

    def f(masks):
        signs = np.where(masks, 1.0, -1.0)
        return signs @ weights + signs[:, 0] * signs[:, 1] * signs[:, 2] * signs[:, 3]

    masks = code_masks(n, 256, stream(5))
    found = np.where(masks, 1.0, -1.0).T @ f(masks) / len(masks)
    np.testing.assert_allclose(found, weights, atol=1e-12)
