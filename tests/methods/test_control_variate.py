"""The stand-in for a model that takes variance away."""

import numpy as np
import pytest
from mask_laws import explain, index

from xplain_cli.methods import METHODS
from xplain_cli.methods.control_variate import _Masks
from xplain_cli.methods.designs import Design
from xplain_cli.specs import build


def test_the_stand_in_leaves_far_less_to_sample():
    n, model = 18, index(18, 5)
    spread = {}
    for control in ("none", "logit2"):
        method = build(f"lime:control={control}", METHODS["masks"])
        runs = [
            explain(method, "uniform-size", n, model, seed=s, samples=256, bounded=True).weights
            for s in range(8)
        ]
        spread[control] = np.var(runs, axis=0).sum()
    assert spread["logit2"] < spread["none"] / 4


@pytest.mark.parametrize("n", [3, 11, 12, 25])
def test_sums_that_are_looked_up_are_products_with_the_masks(rng, n):
    masks = _Masks(Design(rng.random((2, 300, n)) < 0.5, rng.random((2, 300)), (1.0,) * (n + 1)))
    stays = masks.design.masks.reshape(600, n)
    direction, values = rng.normal(size=n), rng.normal(size=600)
    assert masks.index(direction) == pytest.approx((stays - 0.5) @ direction, abs=1e-12)
    by_set = np.stack([values[:300] @ stays[:300], values[300:] @ stays[300:]])
    assert masks.totals(values) == pytest.approx(by_set, abs=1e-12)
