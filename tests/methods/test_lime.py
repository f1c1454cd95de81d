"""LIME on drawn rows, by closed forms and enumeration: the contract of methods on draws."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from draw_laws import explain, frame, law_of
from oracles import lime_limit

from xplain_cli.methods import METHODS
from xplain_cli.methods.lime import Lime
from xplain_cli.quality.stability import assess
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
    # column by column: the last digits of a product depend on the rows that stand together
    model = lambda t: np.tanh(sum((j + 1) * t[f"x{j}"] for j in range(n)))  # noqa: E731
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


def test_draws_around_a_row_of_categories_have_the_same_limit(rng):
    table = pd.DataFrame({c: rng.choice(["u", "v"], 300).astype(object) for c in "ab"})
    method = Lime(sample="around")
    law = law_of(table, method, frozenset(table.columns))
    model = lambda t: (t["a"] == "u") * 2.0 + (t["b"] == "v")  # noqa: E731
    got = explain(method, law, table.head(2), model, samples=512)
    wanted = np.where(table.head(2) == ["u", "v"], 1, -1) * [2.0, 1.0]
    assert got.weights[:, 0] == pytest.approx(wanted, rel=0.02)
    assert got.n_inputs.tolist() == [2048, 2048]
