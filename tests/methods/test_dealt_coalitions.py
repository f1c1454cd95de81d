"""Coalitions of which each is asked on one of many baselines, against exact Shapley values."""

import numpy as np
import pytest
from oracles import shapley

from xplain_cli.methods.dealt_coalitions import deal, measure_controls
from xplain_cli.methods.kernel_shap import KernelShap
from xplain_cli.methods.shapley import spread_of
from xplain_cli.samples import all_dealt_fit

N, K = 7, 9


def linear(x):
    return 0.3 + x @ np.arange(1.0, 1 + x.shape[-1])


def bent(x):
    """Interactions of the second and the third order, and a bend."""
    return np.tanh(x[..., 0] * x[..., 1] + x[..., 2:].sum(axis=-1)) + x[..., 3] * x[..., 4] ** 2


def values_of(made, model, row, background):
    """Return the values (1, k + 2 m) of the coalitions of a row, and its own (1,)."""
    inputs = np.where(made.masks, row, background[made.baselines])
    return model(inputs)[None], model(row[None])


def cells(rng, n=N, k=K):
    return rng.normal(size=n), rng.normal(size=(k, n))


def exact(model, row, background):
    def mean_game(masks):
        return model(np.where(masks[:, None], row, background)).mean(axis=1)

    return shapley(len(row), mean_game)


def test_each_repeat_deals_every_baseline_equally_often(rng):
    _, background = cells(rng)
    made = deal(background, np.arange(N), N, (100, 4), 0)
    for dealt in made.dealt.reshape(4, -1):
        counts = np.bincount(dealt, minlength=K)
        assert counts.max() - counts.min() <= 1
    pairs = made.masks[K:].reshape(-1, 2, N)
    assert (pairs[:, 0] == ~pairs[:, 1]).all()
    assert (made.baselines[K::2] == made.baselines[K + 1 :: 2]).all()


@pytest.mark.parametrize("repeats", [1, 16])
def test_a_linear_model_has_no_error(repeats, rng):
    row, background = cells(rng)
    made = deal(background, np.arange(N), N, (1024 // repeats, repeats), 0)
    got = made.read(*values_of(made, linear, row, background))
    wanted = np.arange(1.0, 1 + N) * (row - background.mean(axis=0))
    assert got.weights[0] == pytest.approx(wanted, abs=1e-9)
    assert got.error_factors == pytest.approx(np.zeros_like(got.error_factors), abs=1e-9)


@pytest.mark.parametrize("samples", [16, 128])
def test_weights_add_up_and_another_sign_of_the_model_is_another_sign_of_them(samples, rng):
    row, background = cells(rng)
    made = deal(background, np.arange(N), N, (samples, 4), 0)
    values, own = values_of(made, bent, row, background)
    got, other = made.read(values, own), made.read(-values, -own)
    due = own[0] - bent(background).mean()
    assert got.weights[0].sum() == pytest.approx(due, abs=1e-12)
    assert got.repeats.sum(axis=-1) == pytest.approx(np.full((4, 1), due), abs=1e-12)
    assert got.repeats.mean(axis=0) == pytest.approx(got.weights, abs=1e-9)
    assert (other.weights == -got.weights).all()


@pytest.mark.parametrize("repeats", [1, 16])
def test_weights_are_unbiased_and_know_their_error(repeats, rng):
    row, background = cells(rng)
    wanted, gaps, stated = exact(bent, row, background), [], []
    for seed in range(40):
        made = deal(background, np.arange(N), N, (1024 // repeats, repeats), seed)
        got = made.read(*values_of(made, bent, row, background))
        gaps.append(got.weights[0] - wanted)
        stated.append(np.square(got.error_factors[:, 0]).sum(axis=0))
    gaps = np.array(gaps)
    assert np.abs(gaps.mean(axis=0) / spread_of(gaps).std(axis=0) / np.sqrt(40)).max() < 4
    ratio = np.sqrt(np.mean(stated) / np.square(gaps).mean())
    assert 0.8 < ratio < (1.25 if repeats > 1 else 1.5)  # a sandwich knows no balance


def test_controls_have_no_mean_and_few_pairs_have_few():
    numbers = np.array([[1.0, np.nan, 5.0], [1e300, 2.0, 5.0], [-1e308, 2.5, 5.0], [7.0, 3.0, 5.0]])
    owners = np.array([0, 0, 1])
    made = measure_controls(numbers, owners, 2, 100)
    assert made.cells.shape == (4, 4)
    assert made.owners.tolist() == [0, 0, 0, 0]
    assert (made.tilting.shape, made.mixing.shape, made.bent) == ((4, 2), (4, 2), True)
    for part in (made.cells, made.tilting, made.mixing):
        assert part.mean(axis=0) == pytest.approx(np.zeros(part.shape[1]), abs=1e-12)
    shapes = []
    for most in (15, 13, 11, 9, 6, 4, 2):
        made = measure_controls(numbers, owners, 2, most)
        shapes.append((made.cells.shape[1], made.tilting.shape[1], made.mixing.shape[1], made.bent))
    assert shapes == [
        (4, 2, 1, True),
        (4, 2, 1, False),
        (4, 2, 0, False),
        (4, 0, 1, False),
        (4, 0, 0, False),
        (2, 0, 0, False),
        (0, 0, 1, False),
    ]


@pytest.mark.parametrize("n", [2, 3, 8, 31])
def test_no_control_leans_on_a_feature(n, rng):
    """Over all sizes and baselines the kernel sees nothing of a control in a feature."""
    k = 5
    numbers, owners = rng.normal(size=(k, n)), np.arange(n)
    made = deal(numbers, owners, n, (4096, 8), 0)
    features, controls = np.split(made._columns, [n], axis=1)
    size = np.sqrt((made.importance[:, None] * made._columns**2).sum(axis=0))
    lean = (features.T * made.importance) @ controls / np.outer(size[:n], np.maximum(size[n:], 1))
    assert np.abs(lean).max() < 6 / np.sqrt(len(made.halves))


@pytest.mark.parametrize(
    ("n", "copies", "samples", "fits"),
    [
        (1, 100_000, 256, True),
        (11, 50, 256, True),  # 102,400 inputs
        (12, 50, 256, False),
        (12, 32, 256, True),
        (13, 2, 256, False),
        (13, 2, 1024, True),
        (13, 4, 1024, False),
    ],
)
def test_all_coalitions_are_asked_where_they_fit(n, copies, samples, fits):
    assert all_dealt_fit(n, copies, (samples, 16)) == fits


def test_rows_all_asks_each_coalition_on_each_baseline():
    assert not KernelShap(rows="all")._deals(50)
    assert KernelShap()._deals(50)
    assert not KernelShap()._deals(1)
