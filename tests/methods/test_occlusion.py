"""Occlusion."""

import numpy as np
import pytest
from mask_laws import explain, index

from xplain_cli.methods import METHODS
from xplain_cli.specs import build

SIZES = ["uniform-size", "bernoulli"]


@pytest.mark.parametrize("sizes", SIZES)
def test_occlusion_takes_each_feature_away_alone(sizes):
    n, model = 6, index(6)
    got = explain(build("occlusion", METHODS["masks"]), sizes, n, model)
    full, nothing = np.ones((1, n), dtype=bool), np.zeros((1, n), dtype=bool)
    wanted = [model(0, full)[0, 0] - model(0, full & (np.arange(n) != j))[0, 0] for j in range(n)]
    np.testing.assert_allclose(got.weights[0, 0], wanted)
    np.testing.assert_allclose(got.base[0, 0], model(0, nothing)[0, 0])
    assert (got.exact, got.n_inputs.tolist()) == (True, [n + 1])
