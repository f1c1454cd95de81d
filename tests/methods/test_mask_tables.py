"""Sums over the features of masks, looked up."""

import numpy as np
import pytest

from xplain_cli.methods.designs import Design, enumerate_masks, kernel_weights, sample_masks
from xplain_cli.methods.mask_tables import TabledMasks, tables_of
from xplain_cli.methods.solvers import gram, solve


@pytest.mark.parametrize("n", [3, 11, 12, 25])
def test_sums_that_are_looked_up_are_products_with_the_masks(rng, n):
    masks = TabledMasks(
        Design(rng.random((2, 300, n)) < 0.5, rng.random((2, 300)), (1.0,) * (n + 1))
    )
    stays = masks.design.masks.reshape(600, n)
    direction, values = rng.normal(size=n), rng.normal(size=600)
    assert masks.index(tables_of(direction)) == pytest.approx((stays - 0.5) @ direction, abs=1e-12)
    by_set = np.stack([values[:300] @ stays[:300], values[300:] @ stays[300:]])
    assert masks.totals(values) == pytest.approx(by_set, abs=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_surrogates_are_those_of_the_normal_equations(rng, ridge):
    n, weights = 13, kernel_weights("cosine", 0.25, 13)
    design = sample_masks("sobol", "uniform-size", weights, (256, 2), (1,))
    values = rng.normal(size=(2, 512))
    coordinates = design.masks.reshape(-1, n).T.astype(float)
    wanted = solve(gram(coordinates, values, design.weights.ravel(), 2), n, ridge)
    found = TabledMasks(design).surrogates(values, ridge)
    assert found[0] == pytest.approx(wanted[0], abs=1e-10)
    assert found[1] == pytest.approx(wanted[1], abs=1e-10)


def test_all_masks_give_the_weights_of_a_sum(rng):
    slopes = rng.normal(size=6)
    masks = TabledMasks(enumerate_masks("uniform-size", np.ones(7)))
    beta, intercept = masks.surrogates(masks.index(tables_of(slopes))[None], 0.0)
    assert beta[0, 0] == pytest.approx(slopes, abs=1e-8)
    assert intercept[0, 0] == pytest.approx(-slopes.sum() / 2, abs=1e-8)
