"""Surrogates of polynomials in closed form, against those of all masks."""

import numpy as np
import pytest

from xplain_cli.methods.designs import enumerate_masks, kernel_weights, size_law
from xplain_cli.methods.size_moments import DEGREE, SizeMoments, project
from xplain_cli.methods.solvers import gram, solve


@pytest.mark.parametrize("inclusion", ["uniform-size", "bernoulli"])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_a_polynomial_has_the_surrogate_of_all_masks(rng, inclusion, n, ridge):
    kernel = kernel_weights("cosine", 0.25, n)
    law = size_law(inclusion, n) * kernel
    numbers, terms = rng.normal(size=n), rng.normal(size=(DEGREE + 1, n + 1))
    design = enumerate_masks(inclusion, kernel)
    masks, weights = design.masks[0], design.weights[0] / design.weights.sum()
    v, counts = masks @ numbers, masks.sum(axis=1)
    values = sum(term[counts] * v**power for power, term in enumerate(terms))
    sums = gram(masks.T.astype(float), values[None], weights, 1)
    wanted, base = solve(sums, n, ridge)
    if n == 1 and not ridge:  # a lone feature that never stays has no weight
        return
    beta, intercept = SizeMoments(law / law.sum()).fit(numbers, terms, ridge)
    assert beta == pytest.approx(wanted[0, 0], abs=1e-9)
    assert intercept == pytest.approx(base[0, 0], abs=1e-9)


def test_a_polynomial_is_projected_on_itself():
    spread = np.array([0.5, 2.0])
    found = project(lambda v: 1 + 2 * v - 3 * v**2 + v**4, spread)
    assert found == pytest.approx(np.tile([[1.0], [2.0], [-3.0], [0.0], [1.0]], 2), abs=1e-9)


def test_where_nothing_varies_the_polynomial_is_a_constant():
    found = project(lambda v: np.full(v.shape, 7.0), np.zeros(1))
    assert found[:, 0] == pytest.approx([7, 0, 0, 0, 0])
