"""Whether weights changed: t tests, false discoveries, and features that are named."""

import numpy as np
import pytest

from xplain_cli.quality.change import Estimates, compare, degrees_of, false_discoveries
from xplain_cli.quality.change import named_features as named


def estimates(weight, error, repeats=8, *, exact=False):
    weight = np.asarray(weight, dtype=float)
    full = np.full(len(weight), 1.0)
    return Estimates(
        weight, error * full, degrees_of((repeats * full).astype(int)), np.full(len(weight), exact)
    )


def test_p_values_are_those_of_welch():
    from scipy.stats import ttest_ind_from_stats

    old, new = estimates([1.0, 2.0], 0.1, 5), estimates([1.3, 2.9], 0.3, 9)
    found = compare(old, new, np.ones(2), 0.05).p_value
    expected = ttest_ind_from_stats(
        old.weight, 0.1 * 5**0.5, 5, new.weight, 0.3 * 9**0.5, 9, equal_var=False
    ).pvalue
    assert found == pytest.approx(expected, rel=1e-12)


def test_false_discoveries_are_those_of_scipy():
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).uniform(size=500) ** 3
    for rate in (0.01, 0.05, 0.3):
        assert (false_discoveries(p, rate) == (false_discovery_control(p) <= rate)).all()


def test_what_is_no_test_is_not_rejected_and_counts_for_nothing():
    p = np.array([0.04, np.nan, np.nan])
    assert false_discoveries(p, 0.05).tolist() == [True, False, False]


def test_exact_weights_are_compared_exactly():
    old, new = (
        estimates([1.0, 1.0], 0.0, exact=True),
        estimates([1.0 + 1e-12, 1.0001], 0.0, 1, exact=True),
    )
    found = compare(old, new, np.ones(2), 0.05)
    assert found.changed.tolist() == [False, True]
    assert found.p_value.tolist() == [1.0, 0.0]


def test_an_exact_weight_beside_an_estimate_brings_no_error():
    exact, noisy = estimates([1.0], 0.0, 1, exact=True), estimates([1.2], 0.1, 8)
    found = compare(exact, noisy, np.ones(1), 0.05)
    from scipy.stats import t

    assert found.p_value[0] == pytest.approx(2 * t.sf(2.0, 7))


def test_a_weight_whose_error_nobody_knows_is_not_judged():
    found = compare(estimates([1.0], 0.0), estimates([2.0], 0.0), np.ones(1), 0.05)
    assert np.isnan(found.p_value[0])
    assert not found.changed[0]


def test_one_repeat_has_the_error_of_all_its_draws():
    assert degrees_of(np.array([1, 2, 8])).tolist() == [np.inf, 1.0, 7.0]


def test_a_feature_is_named_for_one_row_that_changed():
    p = np.full((10, 3), 0.5)
    p[4, 1] = 1e-9
    found = named(p.ravel(), np.tile([0, 1, 2], 10), 3, 0.05)
    assert found.tolist() == [False, True, False]


def test_features_that_did_not_change_are_rarely_named():
    """Half of the features change in every row; one of the others is named in 5 % of runs."""
    rng = np.random.default_rng(1)
    feature = np.tile(np.arange(10), 40)
    wrong = 0
    for _ in range(300):
        p = rng.uniform(size=(40, 10))
        p[:, :5] = 1e-12
        wrong += named(p.ravel(), feature, 10, 0.05)[5:].any()
    assert wrong / 300 <= 0.08
