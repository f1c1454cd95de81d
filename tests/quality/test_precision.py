"""A goal of precision: how many repeats it takes."""

import pytest

from xplain_cli.quality.precision import PrecisionTarget


def test_repeats_grow_by_half_or_a_third_until_the_draws_are_spent():
    assert PrecisionTarget(0.05, 4, 128, 4000).stages == (4, 6, 8, 12, 16, 24)
    assert PrecisionTarget(0.05, 1, 128, 1024).stages == (1, 2, 3, 4, 6, 8)
    assert PrecisionTarget(0.05, 3, 128, 1024).stages == (3, 4, 6)
    assert PrecisionTarget(0.05, 4, 128, 100).stages == (4,)


def test_a_first_look_of_few_repeats_or_draws_counts_for_nothing():
    assert not PrecisionTarget(0.05, 2, 512, 8192).reached(1e-9, 2)
    assert not PrecisionTarget(0.05, 4, 64, 8192).reached(1e-9, 4)
    assert PrecisionTarget(0.05, 4, 64, 8192).reached(1e-9, 8)
    assert PrecisionTarget(0.05, 2, 64, 8192).reached(0.0, 2)


def test_errors_from_few_repeats_are_widened_by_t():
    from scipy.stats import t

    goal = PrecisionTarget(0.05, 8, 128, 8192)
    expected = [t.ppf(0.99, repeats - 1) / 1.959963984540054 for repeats in (8, 12, 32)]
    assert [goal.widening(repeats) for repeats in (8, 12, 32)] == pytest.approx(expected)
