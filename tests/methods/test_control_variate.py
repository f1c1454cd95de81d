"""The stand-in for a model that takes variance away."""

import numpy as np
from mask_laws import explain, index, sigmoid

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


def test_errors_of_a_single_repeat_hold_what_the_stand_in_is_off_by():
    n = 18
    weights = np.random.default_rng(0).normal(size=n)

    def model(row, masks):
        return sigmoid(masks @ weights)[:, None]  # of which the stand-in misses nothing

    method = build("lime:control=logit2", METHODS["masks"])
    runs = [
        explain(method, "uniform-size", n, model, seed=s, repeats=1, bounded=True)
        for s in range(12)
    ]
    found = np.stack([run.weights[0, 0] for run in runs])
    stated = np.mean([(run.error_factors[:, 0, 0] ** 2).sum(axis=0) for run in runs])
    assert 0.5 < np.sqrt(stated / found.var(axis=0, ddof=1).mean()) < 2
    assert runs[0].repeats.shape == (1, 1, 1, n)
