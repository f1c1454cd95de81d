"""Weighted least squares from sums, against formulas written out."""

import numpy as np
import pytest
from draw_laws import draws
from oracles import weighted_ridge

from xplain_cli.methods.solvers import centre, gram, residual_sums, sandwich, solve, total_sums


def test_solving_from_sums_is_the_ridge_fit(rng):
    z, f, w = draws(rng)
    sums = gram(z, f, w, 1)[0]
    beta, intercept = solve(sums, 5, 0.7)
    for t in range(2):
        expected, base = weighted_ridge(z.T, f[t], w, 0.7)
        assert beta[t] == pytest.approx(expected, rel=1e-8)
        assert intercept[t] == pytest.approx(base, rel=1e-8)


def test_selected_features_are_fitted_alone(rng):
    z, f, w = draws(rng)
    chosen = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1]], dtype=bool)
    beta, _ = solve(gram(z, f, w, 1)[0], 5, 0.7, chosen)
    for t in range(2):
        expected, _ = weighted_ridge(z[chosen[t]].T, f[t], w, 0.7)
        assert beta[t, chosen[t]] == pytest.approx(expected, rel=1e-8)
        assert not beta[t, ~chosen[t]].any()


def test_residual_and_total_sums_need_no_second_pass(rng):
    z, f, w = draws(rng)
    sums = gram(z, f, w, 1)[0]
    beta, intercept = solve(sums, 5, 0.0)
    residuals = f - intercept[:, None] - beta @ z
    assert residual_sums(sums, beta, intercept) == pytest.approx((w * residuals**2).sum(axis=1))
    means = (f @ w / w.sum())[:, None]
    assert total_sums(sums, 5) == pytest.approx((w * (f - means) ** 2).sum(axis=1))


def test_sandwich_is_hc3_written_out(rng):
    z, f, w = draws(rng, m=60)
    beta, intercept = solve(gram(z, f, w, 1)[0], 5, 0.0)
    error_factors, _ = sandwich(z, f, w, beta, intercept, 0.0)
    x = np.column_stack([np.ones(60), z.T])
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    for t in range(2):
        residuals = f[t] - x @ np.append(intercept[t], beta[t])
        leverage = w * np.einsum("ij,jk,ik->i", x, bread, x)
        scores = x * (w * residuals / (1 - leverage))[:, None]
        covariance = bread @ scores.T @ scores @ bread
        found = error_factors[:, t].T @ error_factors[:, t]
        assert found == pytest.approx(covariance[1:, 1:], rel=1e-6)


def exactly(z, f, w, repeats):
    """Gram sums in double precision, written as one product a repeat."""
    rows = np.vstack([np.ones(len(w)), z, f])
    return np.stack([(part * v) @ part.T for part, v in in_repeats(rows, w, repeats)])


def in_repeats(rows, w, repeats):
    return zip(np.split(rows, repeats, axis=1), np.split(w, repeats), strict=True)


@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_sums_in_single_precision_are_the_sums(rng, size):
    z, f, w = draws(rng, m=1024)
    sums, expected = gram(z, f * size, w, 4), exactly(z, f * size, w, 4)
    magnitude = np.sqrt(np.einsum("rii,rjj->rij", expected, expected))
    assert (np.abs(sums - expected) < 1e-6 * magnitude).all()
    assert (sums != expected).any()


def test_sums_of_a_feature_that_is_hardly_ever_absent_are_in_double_precision(rng):
    z, f, w = draws(rng, m=80_000)
    z[2], z[2, 0] = True, False
    assert gram(z, f, w, 4) == pytest.approx(exactly(z, f, w, 4), rel=1e-12)


def test_a_feature_that_is_always_present_has_no_variance_at_all(rng):
    z, f, w = draws(rng, m=1024)
    z[2] = True
    matrix, right, _ = centre(gram(z, f, w, 4), 5)
    assert np.abs(matrix[:, 2]).max() < 1e-12
    assert np.abs(right[:, 2]).max() < 1e-12


def test_sums_under_weights_that_vanish_in_single_precision_are_kept(rng):
    z, f, w = draws(rng, m=1024)
    assert gram(z, f, w * 1e-80, 4) == pytest.approx(exactly(z, f, w * 1e-80, 4), rel=1e-12)
