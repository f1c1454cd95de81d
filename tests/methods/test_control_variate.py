"""The stand-in for a model that takes variance away."""

import numpy as np
import pytest
from mask_laws import explain, index, sigmoid
from oracles import two_kinds_limit

from xplain_cli.methods import METHODS
from xplain_cli.methods.designs import kernel_weights
from xplain_cli.quality.stability import assess
from xplain_cli.specs import build


def any_of_six(row, masks):
    """A 0/1 answer that adds up over no features: whether one of the first six is there."""
    return masks[:, :6].any(axis=1).astype(float)[:, None]


def runs_of_any(sizes, n, seeds, text="lime", **budget):
    """Return errors of the weights over the seeds, stated ones, and shares inside intervals."""
    truth = two_kinds_limit(sizes, kernel_weights("cosine", 0.25, n), n, 6, lambda i, _: i > 0)
    method, missed, stated, inside = build(text, METHODS["masks"]), [], [], []
    for seed in range(seeds):
        got = explain(method, sizes, n, any_of_six, seed=seed, bounded=True, **budget)
        sure = assess(got, 5, 0)
        missed.append(got.weights[0, 0] - truth)
        stated.append(sure.std_error[0, 0])
        inside.append((sure.ci_low[0, 0] <= truth) & (truth <= sure.ci_high[0, 0]))
    return np.array(missed), np.array(stated), np.mean(inside)


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


@pytest.mark.parametrize("budget", [{}, {"repeats": 1}, {"samples": 128, "repeats": 8}])
def test_errors_are_true_where_few_draws_hold_all_that_the_stand_in_misses(budget):
    missed, stated, inside = runs_of_any("uniform-size", 20, 24, **budget)
    assert 0.85 < np.sqrt((stated**2).mean() / (missed**2).mean()) < 1.45
    assert inside > 0.9
    assert np.abs(missed.mean(axis=0)).mean() < 0.35 * missed.std(axis=0, ddof=1).mean()


def test_a_stand_in_that_would_add_variance_is_left_out_or_shrunk():
    with_it, without = (
        runs_of_any("bernoulli", 20, 24, f"lime:control={control},design=sobol")[0]
        for control in ("logit2", "none")
    )
    assert (with_it**2).mean() < 1.7 * (without**2).mean()


@pytest.mark.parametrize("repeats", [1, 2, 4, 9])
def test_cross_fitted_weights_are_those_of_a_row_alone(repeats):
    def model(row, masks):
        return any_of_six(row, masks) if row else index(16)(row, masks)

    method, options = build("lime", METHODS["masks"]), {"repeats": repeats, "bounded": True}
    both = explain(method, "uniform-size", 16, model, rows=2, **options)
    alone = explain(method, "uniform-size", 16, any_of_six, **options)
    smooth = explain(method, "uniform-size", 16, index(16), **options)
    for at, one in ((0, smooth), (1, alone)):
        assert both.weights[at].tobytes() == one.weights[0].tobytes()
        assert both.error_factors[:, at].tobytes() == one.error_factors[:, 0].tobytes()
