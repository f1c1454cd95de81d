"""LIME on drawn rows, by closed forms and enumeration: the contract of methods on draws."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from draw_laws import explain, frame, law_of
from oracles import lime_limit, weighted_ridge

from xplain_cli.methods import METHODS
from xplain_cli.methods.lime import Lime
from xplain_cli.quality.stability import assess, standard_errors
from xplain_cli.specs import build

SETTINGS = [
    "lime",
    "lime:discretizer=decile",
    "lime:discretizer=none",
    "lime:sample=around",
    "lime:features=1,select=forward",
    "lime:features=1,select=highest",
    "lime:features=1,select=lasso",
    "lime:ridge=0",
    "lime:kernel_width=1",
]


@pytest.mark.parametrize("text", SETTINGS)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_shapes_and_finiteness(text, n, rng):
    method = build(text, METHODS["draws"])
    table = frame(rng, n)
    got = explain(method, law_of(table, method), table.head(3), lambda t: t.to_numpy() @ np.ones(n))
    assert got.weights.shape == (3, 1, n)
    assert got.base.shape == got.local_r2.shape == (3, 1)
    assert got.error_factors.shape[1:] == (3, 1, n)
    assert np.isfinite(got.weights).all()
    assert np.isfinite(got.error_factors).all()
    assert (got.effective_share > 0).all()
    assert (got.effective_share <= 1 + 1e-9).all()


@pytest.mark.parametrize("text", SETTINGS)
def test_a_constant_model_gives_zeros_and_no_fit(text, rng):
    method = build(text, METHODS["draws"])
    table = frame(rng)
    got = explain(method, law_of(table, method), table.head(2), lambda t: np.full(len(t), 0.3))
    assert got.weights.tolist() == np.zeros((2, 1, 3)).tolist()
    assert got.base == pytest.approx(0.3)
    assert np.isnan(got.local_r2).all()


@pytest.mark.parametrize("text", SETTINGS)
def test_same_seed_same_bytes_and_another_seed_others(text, rng):
    method = build(text, METHODS["draws"])
    table = frame(rng)
    perturbation = law_of(table, method)

    def weights(seed):
        got = explain(
            method, perturbation, table.head(3), lambda t: np.tanh(t.sum(axis=1)), seed=seed
        )
        return got.weights.tobytes()

    assert weights(3) == weights(3)
    assert weights(3) != weights(4)


@pytest.mark.parametrize("text", ["lime", "lime:discretizer=none", "lime:sample=around"])
@pytest.mark.parametrize("n", [1, 5])
def test_rows_together_or_alone_give_the_same_bytes(text, n, rng):
    method = build(text, METHODS["draws"])
    table = frame(rng, n)
    perturbation = law_of(table, method)
    model = lambda t: np.tanh(t.to_numpy() @ np.arange(1.0, n + 1))  # noqa: E731
    together = explain(method, perturbation, table.head(20), model)
    for i in range(20):
        alone = explain(method, perturbation, table.iloc[[i]].reset_index(drop=True), model)
        assert together.weights[i].tobytes() == alone.weights[0].tobytes()
        assert together.error_factors[:, i].tobytes() == alone.error_factors[:, 0].tobytes()
        assert together.local_r2[i].tobytes() == alone.local_r2[0].tobytes()
        assert together.locality[i].tobytes() == alone.locality[0].tobytes()
    several, single = assess(together, 2, 0), assess(alone, 2, 0)
    for part in fields(single):
        whole, own = getattr(several, part.name), getattr(single, part.name)
        assert whole[-1].tobytes() == own[-1].tobytes(), part.name


def test_permuting_targets_permutes_weights(rng):
    table = frame(rng)
    method = Lime()
    perturbation = law_of(table, method)
    one = explain(method, perturbation, table.head(2), lambda t: t[["x0", "x1"]].to_numpy() ** 2)
    two = explain(method, perturbation, table.head(2), lambda t: t[["x1", "x0"]].to_numpy() ** 2)
    assert one.weights[:, ::-1] == pytest.approx(two.weights, abs=1e-12)


def test_the_shared_pool_is_asked_once_for_all_rows(rng):
    counted = []
    table = frame(rng)
    explain(Lime(), law_of(table, Lime()), table.head(50), lambda t: t["x0"], counted=counted)
    assert counted == [50, 4 * 256]


def test_around_asks_its_own_draws_for_each_row(rng):
    counted = []
    method = build("lime:sample=around", METHODS["draws"])
    table = frame(rng)
    got = explain(method, law_of(table, method), table.head(20), lambda t: t["x0"], counted=counted)
    assert sum(counted) == 20 + 20 * 4 * 256
    assert got.n_inputs.tolist() == [4 * 256] * len(got.n_inputs)


def test_lime_converges_to_its_limit_by_enumeration(rng):
    rows = 400
    table = pd.DataFrame({
        "a": rng.choice(["p", "q", "r"], rows, p=[0.5, 0.3, 0.2]).astype(object),
        "b": rng.choice(["u", "v"], rows).astype(object),
        "c": rng.choice(["s", "t"], rows, p=[0.8, 0.2]).astype(object),
    })
    score = {"p": 1.0, "q": -0.5, "r": 0.2, "u": 0.7, "v": -0.1, "s": 0.3, "t": 2.0}

    def one(values):
        a, b, c = (score[v] for v in values)
        return np.tanh(a + b * c)

    method = Lime(ridge=0)
    perturbation = law_of(table, method, frozenset(table.columns))
    got = explain(
        method,
        perturbation,
        table.head(4),
        lambda t: [one(v) for v in t.itertuples(index=False)],
        samples=4096,
        repeats=8,
    )
    cells = [(cell.levels, cell.frequencies) for cell in perturbation.cells]
    for i in range(4):
        exact, base = lime_limit(
            cells, perturbation.split(table.head(4)).codes[i], one, 0.75 * np.sqrt(3)
        )
        assert got.weights[i, 0] == pytest.approx(exact, abs=2e-3)
        assert got.base[i, 0] == pytest.approx(base, abs=2e-3)


def test_one_repeat_is_the_ridge_fit_of_its_draws_and_the_row(rng):
    table = frame(rng, 4)
    method = Lime(ridge=2.5)
    perturbation = law_of(table, method)
    model = lambda t: np.sin(t["x0"]) * t["x1"]  # noqa: E731
    got = explain(method, perturbation, table.head(1), model, samples=64, repeats=1)
    draw, rows = perturbation.draw(64, (0, 0))
    z, distances = perturbation.contrast(draw, perturbation.split(table.head(1)), 0)
    z = np.vstack([z.T, np.ones(4)])
    f = np.append(model(rows), model(table.head(1)))
    w = np.append(np.exp(-distances / (2 * 0.75**2 * 4)), 1.0)
    coefficients, intercept = weighted_ridge(z, f, w, 2.5)
    assert got.weights[0, 0] == pytest.approx(coefficients)
    assert got.base[0, 0] == pytest.approx(intercept)


def test_an_unseen_category_has_an_error_as_large_as_its_weight(rng):
    table = frame(rng)
    table["kind"] = rng.choice(["u", "v"], len(table)).astype(object)
    method = Lime()
    perturbation = law_of(table, method, frozenset({"kind"}))
    row = table.head(1).assign(kind="never")
    got = explain(method, perturbation, row, lambda t: (t["kind"] == "never") * 5.0 + t["x0"])
    error = standard_errors(got)[0, 0, 3]
    assert abs(got.weights[0, 0, 3]) > 0.5
    assert error >= abs(got.weights[0, 0, 3])
