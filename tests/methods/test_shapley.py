"""Methods with a baseline: axioms, closed forms, Shapley values by their definition."""

import numpy as np
import pytest
from mask_laws import explain, index
from oracles import shapley

from xplain_cli.methods import METHODS
from xplain_cli.quality.stability import standard_errors
from xplain_cli.specs import build

COMPLETE = ["kernel-shap", "permutation"]


TABLE = [*COMPLETE, "occlusion"]


def of(name, n, model, **options):
    return explain(build(name, METHODS["masks"]), "bernoulli", n, model, **options)


def line(*weights):
    return lambda _, masks: 0.25 + (masks @ np.array(weights, dtype=float))[:, None]


@pytest.mark.parametrize("n", [1, 5, 10, 30])
@pytest.mark.parametrize("name", [*TABLE, "lime:control=none"])
def test_a_linear_model_gives_w_times_x_minus_b(name, n, rng):
    weights = rng.normal(size=n)
    got = of(name, n, line(*weights))
    assert got.weights[0, 0] == pytest.approx(weights, abs=1e-9)


@pytest.mark.parametrize("n", [2, 6, 10])
@pytest.mark.parametrize("name", COMPLETE)
def test_few_features_have_their_shapley_values(name, n):
    got = of(name, n, index(n))
    wanted = shapley(n, lambda masks: index(n)(0, masks)[:, 0])
    assert got.exact
    assert got.weights[0, 0] == pytest.approx(wanted, abs=1e-9)
    assert not standard_errors(got).any()


@pytest.mark.parametrize("n", [4, 12, 30, 60])
@pytest.mark.parametrize("repeats", [1, 4])
@pytest.mark.parametrize("name", COMPLETE)
def test_base_and_weights_add_up_to_the_prediction(name, repeats, n):
    model = index(n)
    got = of(name, n, model, repeats=repeats, samples=128)
    total = got.base[0, 0] + got.weights[0, 0].sum()
    assert total == pytest.approx(model(0, np.ones((1, n), dtype=bool))[0, 0], abs=1e-12)
    assert got.repeats.sum(axis=-1) == pytest.approx(got.weights.sum(), abs=1e-12)


@pytest.mark.parametrize("n", [6, 14])
@pytest.mark.parametrize("name", TABLE)
def test_the_base_is_the_model_at_the_baseline(name, n):
    model = index(n)
    nothing = model(0, np.zeros((1, n), dtype=bool))[0, 0]
    assert of(name, n, model).base[0, 0] == nothing


@pytest.mark.parametrize("name", TABLE)
def test_features_that_act_alike_weigh_alike(name):
    got = of(name, 6, lambda _, z: (np.maximum(z.sum(axis=1), 2.0) ** 2)[:, None])
    assert got.weights[0, 0] == pytest.approx(np.full(6, got.weights[0, 0, 0]), abs=1e-9)


@pytest.mark.parametrize("name", TABLE)
def test_a_feature_that_does_nothing_weighs_nothing(name):
    got = of(name, 7, lambda row, z: index(6)(row, z[:, 1:]))
    assert got.weights[0, 0, 0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("n", [6, 16])
@pytest.mark.parametrize("name", TABLE)
def test_weights_of_a_sum_are_sums_of_weights(name, n):
    one, two = index(n, 1), index(n, 2)
    together = of(name, n, lambda row, z: one(row, z) + two(row, z))
    apart = of(name, n, one).weights + of(name, n, two).weights
    assert together.weights == pytest.approx(apart, abs=1e-9)


@pytest.mark.parametrize("n", [6, 16])
@pytest.mark.parametrize("name", COMPLETE)
def test_row_and_baseline_changed_over_change_the_sign(name, n):
    model = index(n)
    there = of(name, n, model).weights
    back = of(name, n, lambda row, z: model(row, ~z)).weights
    assert back == pytest.approx(-there, abs=1e-9 if n == 6 else 0.02)


@pytest.mark.parametrize("n", [13, 30])
@pytest.mark.parametrize("repeats", [1, 8])
@pytest.mark.parametrize("name", COMPLETE)
def test_sampled_weights_know_their_error(name, repeats, n):
    """Against a far larger sample of the same."""
    model = index(n, 3)
    best = of("kernel-shap", n, model, samples=2048, repeats=8, seed=99).weights[0, 0]
    ratios = []
    for seed in range(6):
        got = of(name, n, model, samples=1024 // repeats, repeats=repeats, seed=seed)
        assert not got.exact
        ratios.append((got.weights[0, 0] - best) / standard_errors(got)[0, 0])
    assert 0.4 < np.sqrt(np.median(np.square(ratios))) / 0.6745 < 1.6


@pytest.mark.parametrize("name", COMPLETE)
def test_rows_together_or_alone_give_the_same_bytes(name):
    n, model = 13, index(13)
    together = of(name, n, model, rows=5)
    for i in range(5):
        alone = of(name, n, lambda _, z, i=i: model(i, z))
        assert together.weights[i].tobytes() == alone.weights[0].tobytes()
        assert together.error_factors[:, i].tobytes() == alone.error_factors[:, 0].tobytes()


def relus(*values):
    """The model of captum's tests: f = relu(s - 10) + 3 relu(s + 1) - 1 on s, a sum of features."""

    def model(_, masks, own=values):
        x, b = np.array([v for v, _ in own]), np.array([v for _, v in own])
        s = np.where(masks, x, b).sum(axis=1)
        return (np.maximum(s - 10, 0) + 3 * np.maximum(s + 1, 0) - 1)[:, None]

    return model


# The six cases of captum for this model (pytorch/captum 234b72f, tests/attr/test_kernel_shap.py):
# rows of features as (value, value in the baseline), and what is stated there. A batch has the mean
# over its rows; that of three features it states from 20,000 samples, 3e-3 beside the truth.
CAPTUM = {
    "linear": ([[(20, 10), (50, 20), (30, 10)]], [40, 120, 80], 1e-9),
    "simple": ([[(20, 0), (50, 0), (30, 0)]], [76.66666, 196.66666, 116.66666], 1e-5),
    "with a mask": ([[(70, 0), (30, 0)]], [275, 115], 1e-9),
    "with baselines": ([[(70, 8), (30, 4)]], [248, 104], 1e-9),
    "batch": (
        [[(20, 0), (50, 0), (30, 0)], [(10, 0), (14, 0), (4, 0)]],
        [56.1688, 124.1695, 65.6695],
        3e-3,
    ),
    "batch with a mask": ([[(70, 0), (30, 0)], [(14, 0), (14, 0)]], [162.9993, 83.0007], 1e-3),
}


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("case", CAPTUM)
def test_the_six_cases_of_captum(case, name):
    rows, stated, close = CAPTUM[case]
    models = [relus(*values) for values in rows]
    found = [of(name, len(stated), model).weights[0, 0] for model in models]
    wanted = [shapley(len(stated), lambda masks, f=f: f(0, masks)[:, 0]) for f in models]
    assert np.array(found) == pytest.approx(np.array(wanted), abs=1e-9)
    assert np.mean(found, axis=0) == pytest.approx(stated, abs=close)


def test_nine_features_of_a_model_with_two_kinks_have_their_shapley_values():
    model = relus(*((v, 0) for v in (20, 50, 30, 0, 100, 0, 20, 10, 13)))
    wanted = shapley(9, lambda masks: model(0, masks)[:, 0])
    assert of("kernel-shap", 9, model).weights[0, 0] == pytest.approx(wanted, abs=1e-9)
