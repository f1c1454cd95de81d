"""Cross-fitting: parts of the draws, what they share, and what a stand-in is worth."""

from itertools import pairwise

import numpy as np
import pytest

from xplain_cli.methods.cross_fit import judge, parts_of, shared_variance


@pytest.mark.parametrize("repeats", [1, 2, 3, 4, 7, 8, 9, 20])
def test_there_are_four_to_eight_parts_of_nearly_equal_size(repeats):
    parts = parts_of(repeats, 64)
    sizes = np.bincount(parts.ravel())
    assert parts.shape == (repeats, 64)
    assert 4 <= len(sizes) <= 8
    assert sizes.max() <= 2 * sizes.min()


@pytest.mark.parametrize("repeats", [4, 7, 20])
def test_of_many_repeats_each_is_in_one_part(repeats):
    assert all(len(set(own)) == 1 for own in parts_of(repeats, 64).tolist())


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_of_few_repeats_parts_share_none_and_complements_stay_together(repeats):
    parts = parts_of(repeats, 64)
    assert (parts[:, :32] == parts[:, 32:]).all()
    assert all(not set(one) & set(two) for one, two in pairwise(parts.tolist()))


@pytest.mark.parametrize(("sign", "wanted"), [(1, 1.0), (0, 0.5), (-1, 0.0)])
def test_what_parts_share_is_seen_where_bends_are_alike_both_ways(sign, wanted):
    source, found = np.random.default_rng(0), []
    for _ in range(400):
        bends = source.normal(size=(6, 6, 10))
        if sign:
            upper = np.triu(np.ones((6, 6)), 1)[:, :, None] * bends
            bends = upper + sign * upper.transpose(1, 0, 2)
        # a stand-in without a part lacks its bend alone
        found.append(shared_variance(bends.sum(axis=1, keepdims=True) - bends) / 10)
    assert np.mean(found) == pytest.approx(wanted, abs=0.1)


def judged(values, answers, n=3):
    m = len(values)
    columns = np.vstack([np.ones(m), np.random.default_rng(1).random((n, m)) < 0.5])
    return judge(columns, np.ones(m), columns @ columns.T, np.arange(m) % 4, values, answers)


def test_a_stand_in_that_knows_the_values_counts_in_full_and_shares_nothing():
    values = np.random.default_rng(0).normal(size=400)
    assert judged(values, np.stack([values] * 4)) == pytest.approx((1.0, 0.0))


def test_a_stand_in_of_other_values_hardly_counts_and_one_against_them_not_at_all():
    values, other = np.random.default_rng(0).normal(size=(2, 4000))
    assert judged(values, np.stack([other] * 4))[0] < 0.1
    assert judged(values, np.stack([-values] * 4)) == (0.0, 0.0)


def test_a_stand_in_that_says_nothing_counts_for_nothing():
    assert judged(np.arange(40.0), np.zeros((4, 40))) == (0.0, 0.0)
