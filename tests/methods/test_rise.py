"""RISE."""

import numpy as np
import pytest
from mask_laws import Perturbation, explain, index

from xplain_cli.errors import UsageError
from xplain_cli.methods import METHODS
from xplain_cli.methods.designs import (
    all_masks,
)
from xplain_cli.specs import build


def test_rise_is_the_mean_with_a_feature_less_the_mean_without():
    n, model = 8, index(8)
    got = explain(build("rise", METHODS["masks"]), "bernoulli", n, model)
    masks = all_masks(n)
    values = model(0, masks)[:, 0]
    wanted = [values[masks[:, j]].mean() - values[~masks[:, j]].mean() for j in range(n)]
    assert got.exact
    np.testing.assert_allclose(got.weights[0, 0], wanted, atol=1e-9)


def test_rise_is_for_features_that_stay_with_one_half():
    with pytest.raises(UsageError, match="it is for pictures"):
        build("rise", METHODS["masks"]).default_budget(Perturbation("uniform-size"))
