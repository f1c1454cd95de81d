"""Surrogates of binned rows: the normal equations, what few draws can tell, and pairs."""

import numpy as np
import pandas as pd
import pytest
from draw_laws import explain, frame, law_of
from oracles import weighted_ridge

from xplain_cli.methods.lime import Lime

WIDTH = 0.75 * np.sqrt(3)


def solved(p, slopes, total, row, mean, ridge):
    """Weights and intercept by numpy's own solver, from moments that are known."""
    apart = np.exp(-0.5 / WIDTH**2)
    draws = total * np.prod(p + (1 - p) * apart)
    tilted = p / (p + (1 - p) * apart)
    away, share = 1 - tilted, draws / (draws + 1)
    spread = np.diag(draws * tilted * (1 - tilted))
    right = spread @ slopes + share * away * (row - mean)
    weights = np.linalg.solve(spread + ridge * np.eye(3) + share * np.outer(away, away), right)
    middle = (draws * tilted + 1) / (draws + 1)
    return weights, (draws * mean + row) / (draws + 1) - weights @ middle


@pytest.mark.parametrize("ridge", [0.0, 1.0, 500.0])
def test_a_sum_over_bins_has_the_weights_of_its_normal_equations(ridge, rng):
    table = frame(rng, rows=400)
    law = law_of(table, Lime())
    effects = rng.normal(size=(3, 4))

    def model(rows):
        codes = law.split(rows).codes
        return sum(effects[j][codes[:, j]] for j in range(3))

    got = explain(Lime(ridge=ridge), law, table.head(5), model, samples=64, repeats=8)
    own = law.split(table.head(5)).codes
    p = np.full(3, 0.25)
    apart = np.exp(-0.5 / WIDTH**2)
    tilted = p / (p + (1 - p) * apart)
    for i, code in enumerate(own):
        inside = effects[np.arange(3), code]
        outside = (effects.sum(axis=1) - inside) / 3
        mean = (tilted * inside + (1 - tilted) * outside).sum()
        weights, base = solved(p, inside - outside, 512, inside.sum(), mean, ridge)
        assert got.weights[i, 0] == pytest.approx(weights, abs=2e-4)
        assert got.base[i, 0] == pytest.approx(base, abs=2e-4)


def test_what_own_bins_say_whole_is_explained_whole(rng):
    table = frame(rng, 4, rows=400)
    law = law_of(table, Lime())
    own = law.split(table.head(1)).codes[0]
    got = explain(Lime(), law, table.head(1), lambda t: (law.split(t).codes == own) @ np.ones(4))
    assert got.local_r2[0, 0] == pytest.approx(1, abs=1e-3)
    crossed = explain(Lime(), law, table.head(1), lambda t: np.sign(t["x0"]) * np.sign(t["x1"]))
    assert crossed.local_r2[0, 0] < 0.2


def test_a_pair_has_the_difference_of_the_weights_of_its_sides(rng):
    table, slopes = frame(rng), rng.normal(size=(3, 2))
    law = law_of(table, Lime())

    def model(rows):
        return np.tanh(rows.to_numpy() @ slopes)

    alone = explain(Lime(), law, table.head(3), model)
    pair = explain(Lime(), law, table.head(3), model, pairs=[[0, 1], [1, -1]])
    wanted = alone.weights[:, 0] - alone.weights[:, 1]
    assert pair.weights[:, 0] == pytest.approx(wanted, abs=1e-5)
    assert pair.weights[:, 1] == pytest.approx(alone.weights[:, 1], abs=1e-5)


def test_outputs_that_differ_by_a_constant_have_a_pair_of_zeros(rng):
    table = frame(rng)
    model = lambda t: np.column_stack([np.round(t["x0"] * 8), np.round(t["x0"] * 8) + 2])  # noqa: E731
    got = explain(Lime(), law_of(table, Lime()), table.head(3), model, pairs=[[1, 0]])
    assert not got.weights.any()
    assert got.base.tolist() == [[2.0]] * 3


@pytest.mark.parametrize("n", [70, 260])
def test_rows_of_many_features_together_or_alone_give_the_same_bytes(n):
    rng = np.random.default_rng(0)
    table = frame(rng, n, rows=60)
    law, slopes = law_of(table, Lime()), rng.normal(size=(n, 3))

    def weights(rows):
        model = lambda t: [np.tanh(row.copy() @ slopes) for row in t.to_numpy()]  # noqa: E731
        return explain(Lime(), law, rows, model, samples=64, pairs=[[0, -1], [1, 2]])

    together, alone = weights(table.head(9)), weights(table.iloc[[4]].reset_index(drop=True))
    for name in ("weights", "base", "local_r2", "locality", "effective_share", "own_error"):
        assert getattr(together, name)[4].tobytes() == getattr(alone, name)[0].tobytes(), name
    assert together.error_factors[:, 4].tobytes() == alone.error_factors[:, 0].tobytes()


def rare(rng, share):
    """A table with a category that one row in a thousand has, say."""
    job = rng.choice(["a", "b", "c"], 4000, p=[0.6, 0.4 - share, share]).astype(object)
    job[0] = "c"
    return pd.DataFrame({"job": job, "x": rng.normal(size=4000)})


def test_a_value_that_no_draw_has_errs_by_all_of_its_weight(rng):
    table = rare(rng, 0.0)
    law = law_of(table, Lime(), frozenset({"job"}))
    got = explain(Lime(), law, table.head(1), lambda t: (t["job"] == "c") + t["x"], samples=64)
    assert got.own_error[0, 0, 0] == got.weights[0, 0, 0]
    assert got.own_error[0, 0, 1] == 0


def test_intervals_of_a_rare_category_hold_its_weight():
    rng = np.random.default_rng(0)
    table = rare(rng, 0.002)
    law = law_of(table, Lime(ridge=0), frozenset({"job"}))
    model = lambda t: (t["job"] == "c") * (1 + np.tanh(2 * t["x"])) + 0.3 * t["x"]  # noqa: E731
    long = explain(Lime(ridge=0), law, table.head(1), model, samples=1 << 14, repeats=8, seed=99)
    inside = []
    for seed in range(40):
        got = explain(Lime(ridge=0), law, table.head(1), model, samples=512, repeats=8, seed=seed)
        error = np.sqrt((got.error_factors[:, 0, 0, 0] ** 2).sum() + got.own_error[0, 0, 0] ** 2)
        inside.append(abs(got.weights[0, 0, 0] - long.weights[0, 0, 0]) <= 2.365 * error)
    assert np.mean(inside) >= 0.88


def test_a_kernel_that_leaves_next_to_no_draw_makes_every_error_whole(rng):
    table = frame(rng, 12)
    narrow = Lime(kernel_width=0.4)
    got = explain(narrow, law_of(table, narrow), table.head(2), lambda t: t["x0"] * t["x1"])
    assert (got.own_error == got.weights).all()


def test_repeats_have_the_pooled_weights_as_their_mean(rng):
    table = frame(rng)
    got = explain(Lime(), law_of(table, Lime()), table.head(4), lambda t: np.tanh(t.sum(axis=1)))
    assert got.repeats.mean(axis=0) == pytest.approx(got.weights, abs=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        lambda t: np.tanh(t["x0"] * t["x1"] + t["x2"]),
        lambda t: t["x0"] + np.abs(t["x1"]),  # which the stand-in knows, inside bins as well
    ],
    ids=["interaction", "inside bins"],
)
def test_weights_and_fit_are_those_of_the_weighted_fit_of_many_draws(model, rng):
    table = frame(rng)
    law = law_of(table, Lime(kernel_width=0.6))
    method = Lime(kernel_width=0.6)
    got = explain(method, law, table.head(3), model, samples=4096, repeats=8)
    draw, rows = law.draw(1 << 16, [(7,)])
    for i, own in enumerate(law.split(table.head(3)).codes):
        match = draw.codes == own[:, None]
        weights = np.exp(-(~match).sum(axis=0) / (2 * 0.6**2))
        values = model(rows).to_numpy()
        slopes, level = weighted_ridge(match.T, values, weights, 0)
        assert got.weights[i, 0] == pytest.approx(slopes, abs=0.01)
        missed = weights @ (values - level - match.T @ slopes) ** 2
        spread = weights @ (values - weights @ values / weights.sum()) ** 2
        assert got.local_r2[i, 0] == pytest.approx(1 - missed / spread, abs=0.02)


@pytest.mark.parametrize("unit", [2.0**-80, 2.0**80])
@pytest.mark.parametrize("repeats", [1, 4])
def test_the_unit_of_the_model_scales_weights_and_errors_and_no_quality(unit, repeats, rng):
    table = frame(rng)
    law = law_of(table, Lime())
    model = lambda t: np.column_stack([np.exp(t["x0"]) * np.sin(t["x1"]), t["x2"] ** 2])  # noqa: E731
    plain, got = (
        explain(Lime(), law, table.head(3), ask, repeats=repeats, pairs=[[0, -1], [0, 1]])
        for ask in (model, lambda t: model(t) * unit)
    )
    for name in ("weights", "base", "error_factors", "own_error", "repeats"):
        assert np.array_equal(getattr(got, name), getattr(plain, name) * unit)
    assert np.array_equal(got.local_r2, plain.local_r2)
    assert np.array_equal(got.locality, plain.locality)
