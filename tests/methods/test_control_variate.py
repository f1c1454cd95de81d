"""The stand-in for a model that takes variance away."""

import numpy as np
from mask_laws import explain, index

from xplain_cli.methods import METHODS
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
