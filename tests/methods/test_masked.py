"""LIME on masks against enumeration, formulas and itself: the contract of methods on masks."""

from dataclasses import fields

import numpy as np
import pytest
from mask_laws import Perturbation, explain, index
from oracles import mask_limit, text_formula

from xplain_cli.methods import METHODS
from xplain_cli.methods.designs import (
    kernel_weights,
)
from xplain_cli.quality.stability import assess, standard_errors
from xplain_cli.specs import build

SETTINGS = [
    "lime",
    "lime:control=none",
    "lime:design=pairs",
    "lime:design=plain",
    "lime:kernel=share",
    "lime:kernel=flat",
    "lime:design=codes",
    "occlusion",
    "rise",
    "rise:control=none",
    "lime:kernel_width=10",
    "lime:ridge=1",
    "lime:features=1,select=forward",
    "kernel-shap",
    "permutation",
]


# their contracts are in test_tree_shap.py, test_integrated_gradients.py, test_slopes.py, ...
WITHOUT_MASKS = [
    *("tree-shap", "ig", "idgi", "input-x-gradient", "saliency", "smooth"),
    *("layer-cam", "grad-cam", "odam"),
]
SIZES = ["uniform-size", "bernoulli"]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [1, 2, 7, 14])
@pytest.mark.parametrize("text", SETTINGS)
def test_shapes_and_finiteness(text, n, sizes):
    method = build(text, METHODS["masks"])
    got = explain(method, sizes, n, index(n), rows=2)
    assert got.weights.shape == (2, 1, n)
    for field in fields(got):
        value = getattr(got, field.name)
        if isinstance(value, np.ndarray) and field.name not in {"local_r2", "locality"}:
            assert np.isfinite(value).all(), field.name


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [1, 2, 7, 14, 25])
@pytest.mark.parametrize("text", SETTINGS)
def test_a_row_takes_no_more_model_inputs_than_its_method_says(text, n, sizes):
    method = build(text, METHODS["masks"])
    for samples, repeats in ((8, 1), (64, 2), (512, 4)):
        got = explain(method, sizes, n, index(n), samples=samples, repeats=repeats)
        assert got.n_inputs[0] <= method.row_inputs(Perturbation(sizes), n, (samples, repeats))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [1, 2, 7, 14])
def test_a_constant_model_gives_zeros(n, sizes):
    got = explain(build("lime", METHODS["masks"]), sizes, n, lambda _, z: np.full((len(z), 1), 0.3))
    assert not got.weights.any()
    assert not standard_errors(got).any()
    assert np.isnan(got.local_r2).all()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [5, 20])
def test_a_linear_model_gives_its_coefficients(n, sizes):
    weights = np.arange(1.0, n + 1)
    got = explain(build("lime", METHODS["masks"]), sizes, n, lambda _, z: (z @ weights)[:, None])
    assert got.weights[0, 0] == pytest.approx(weights, rel=1e-6)
    assert got.base[0, 0] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("text", ["lime", "lime:control=none", "lime:kernel=share"])
@pytest.mark.parametrize("n", [5, 14])
def test_permuting_features_permutes_weights_within_errors(text, n):
    method, order = build(text, METHODS["masks"]), np.random.default_rng(1).permutation(n)
    model = index(n)
    one = explain(method, "uniform-size", n, model)
    two = explain(method, "uniform-size", n, lambda row, z: model(row, z[:, np.argsort(order)]))
    back = np.argsort(order)
    gap = one.weights[0, 0] - two.weights[0, 0][back]
    error = np.hypot(standard_errors(one)[0, 0], standard_errors(two)[0, 0][back])
    assert np.linalg.norm(gap) <= 3 * np.linalg.norm(error) + 1e-9


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [2, 6, 11])
def test_few_features_are_enumerated_exactly(n, sizes):
    model = index(n)
    got = explain(build("lime", METHODS["masks"]), sizes, n, model)
    kernel = kernel_weights("cosine", 0.25, n)
    beta, base = mask_limit(sizes, kernel, n, lambda z: model(0, z)[:, 0])
    assert got.exact
    assert got.n_repeats == 1
    assert got.weights[0, 0] == pytest.approx(beta, abs=1e-9)
    assert got.base[0, 0] == pytest.approx(base, abs=1e-9)
    assert not standard_errors(got).any()


def test_enumeration_agrees_with_the_published_formula():
    n, model = 8, index(8)
    got = explain(build("lime", METHODS["masks"]), "uniform-size", n, model)
    beta = text_formula(kernel_weights("cosine", 0.25, n), lambda z: model(0, z)[:, 0])
    assert got.weights[0, 0] == pytest.approx(beta, abs=1e-9)


def test_a_lone_feature_explains_all_of_the_difference():
    got = explain(
        build("lime", METHODS["masks"]), "uniform-size", 1, lambda _, z: np.where(z, 0.9, 0.2)
    )
    assert got.weights[0, 0, 0] == pytest.approx(0.7, abs=1e-9)


@pytest.mark.parametrize("control", ["none", "logit2"])
@pytest.mark.parametrize("design", ["sobol", "pairs", "plain"])
@pytest.mark.parametrize("sizes", SIZES)
def test_samples_agree_with_enumeration_and_know_their_error(sizes, design, control):
    n, model = 12, index(12, 3)
    method = build(f"lime:design={design},control={control}", METHODS["masks"])
    beta, _ = mask_limit(sizes, kernel_weights("cosine", 0.25, n), n, lambda z: model(0, z)[:, 0])
    ratios = []
    for seed in range(12):
        got = explain(method, sizes, n, model, samples=128, repeats=8, seed=seed, bounded=True)
        assert not got.exact
        ratios.append((got.weights[0, 0] - beta) / standard_errors(got)[0, 0])
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(1.1, abs=0.35)


@pytest.mark.parametrize("text", ["lime", "lime:control=none", "lime:design=plain"])
def test_rows_together_or_alone_give_the_same_bytes(text):
    method, n, model = build(text, METHODS["masks"]), 13, index(13)
    together = explain(method, "uniform-size", n, model, rows=5, bounded=True)
    for i in range(5):
        alone = explain(method, "uniform-size", n, lambda _, z, i=i: model(i, z), bounded=True)
        assert together.weights[i].tobytes() == alone.weights[0].tobytes()
        assert together.error_factors[:, i].tobytes() == alone.error_factors[:, 0].tobytes()
        assert together.local_r2[i].tobytes() == alone.local_r2[0].tobytes()


def test_another_seed_gives_other_masks():
    method, model = build("lime", METHODS["masks"]), index(14)
    one, two = (explain(method, "uniform-size", 14, model, seed=s).weights for s in (0, 1))
    assert one.tobytes() != two.tobytes()


def test_one_repeat_has_errors_too():
    got = explain(build("lime", METHODS["masks"]), "uniform-size", 14, index(14), repeats=1)
    assert (standard_errors(got) > 0).all()
    assert 0 < assess(got, 5, 0).max_rel_se[0, 0] < 1


def test_a_model_of_order_alone_has_a_poor_fit():
    stream = np.random.default_rng(0)

    def model(_, masks):
        # an answer that depends on the masks as a whole and on no feature by itself
        parity = (masks.sum(axis=1) % 2).astype(float)
        return (parity + 0.01 * stream.random(len(masks)))[:, None]

    got = explain(build("lime", METHODS["masks"]), "uniform-size", 14, model)
    assert got.local_r2[0, 0] < 0.2
