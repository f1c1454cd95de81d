"""Reasons are told where no other seed would have told others."""

import numpy as np
import pytest

from xplain_cli.quality.reasons import Candidate, Errors, choose, least_ratio


def candidates(weights, codes=None):
    codes = codes or [f"c{i}" for i in range(len(weights))]
    return [
        Candidate(f"f{i}", codes[i], "text", float(weight), (i,), i)
        for i, weight in enumerate(weights)
    ]


def exact(n):
    return Errors(np.zeros(n), None, np.inf)


def told(found):
    return [one.code for one in found.chosen]


def test_the_strongest_adverse_weights_are_the_reasons():
    found = choose(candidates([0.1, -3.0, 0.5, 0.3]), exact(4), at_most=2, least_margin=3)
    assert told(found) == ["c2", "c3"]
    assert found.certain


def test_exact_ties_are_settled_by_the_order_of_the_file():
    found = choose(candidates([0.2, 0.2, 0.2]), exact(3), at_most=2, least_margin=3)
    assert told(found) == ["c0", "c1"]
    assert found.certain


def test_two_features_of_one_code_are_one_reason():
    asked = candidates([0.5, 0.4, 0.3], ["a", "a", "b"])
    assert told(choose(asked, exact(3), at_most=2, least_margin=3)) == ["a", "b"]


def test_a_margin_is_in_standard_errors_of_the_difference():
    """Repeats that rise and fall together make the difference of two weights sure."""
    common = np.array([0.3, -0.1, 0.2, -0.4])[:, None]
    own = np.array([0.01, -0.01, 0.02, -0.02])
    repeats = np.array([1.0, 0.8]) + common + np.column_stack([own, -own])
    errors = Errors(repeats.std(axis=0, ddof=1) / 2, repeats, 3.0)
    found = choose(candidates(repeats.mean(axis=0)), errors, at_most=1, least_margin=2)
    gaps = repeats[:, 0] - repeats[:, 1]
    assert found.margins[0] == pytest.approx(gaps.mean() / (gaps.std(ddof=1) / 2))


def test_without_repeats_the_error_of_a_difference_is_bounded():
    errors = Errors(np.array([0.1, 0.2]), None, np.inf)
    found = choose(candidates([1.0, 0.4]), errors, at_most=1, least_margin=1)
    assert found.margins == pytest.approx([0.6 / 0.3])


def test_few_repeats_need_a_wider_margin():
    from scipy.stats import norm, t

    for degrees in (1.0, 3.0, 7.0):
        assert t.sf(least_ratio(2.0, degrees), degrees) == pytest.approx(norm.sf(2.0))
    assert least_ratio(2.0, np.inf) == 2.0


def test_a_reason_that_may_be_none_is_not_told():
    errors = Errors(np.array([0.01, 0.2]), None, np.inf)
    assert not choose(candidates([1.0, 0.1]), errors, at_most=2, least_margin=3).certain
    assert not choose(candidates([1.0, -0.1]), errors, at_most=2, least_margin=3).certain


@pytest.mark.parametrize("with_repeats", [True, False])
@pytest.mark.parametrize("gap", [0.0, 0.3, 0.9])
def test_near_ties_give_the_same_codes_or_none_over_100_seeds(with_repeats, gap):
    """The planted gap of reasons 2 and 3 is below one standard error of one weight."""
    error, r = 0.05, 8
    truth = np.array([1.0, 0.5 + gap * error, 0.5, -0.7])
    seen = set()
    for seed in range(100):
        noise = np.random.default_rng(seed).normal(size=(r, 4)) * error * r**0.5
        repeats = truth + noise
        own = repeats.std(axis=0, ddof=1) / r**0.5
        errors = Errors(own, repeats if with_repeats else None, r - 1.0)
        found = choose(candidates(repeats.mean(axis=0)), errors, at_most=2, least_margin=3)
        if found.certain:
            seen.add(frozenset(told(found)))
    assert len(seen) <= 1


def test_what_is_clear_is_told():
    truth, error = np.array([1.0, 0.5, 0.1, -0.7]), 0.01
    clear = 0
    for seed in range(100):
        repeats = truth + np.random.default_rng(seed).normal(size=(8, 4)) * error * 8**0.5
        errors = Errors(repeats.std(axis=0, ddof=1) / 8**0.5, repeats, 7.0)
        found = choose(candidates(repeats.mean(axis=0)), errors, at_most=2, least_margin=3)
        clear += found.certain and told(found) == ["c0", "c1"]
    assert clear >= 99
