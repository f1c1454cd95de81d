"""methods: LIME against closed forms, enumeration, normal equations and itself."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from oracles import forward_selection, lime_limit, weighted_ridge

from xplain_cli.features import Draw
from xplain_cli.methods import METHODS, NeedOutputs, NeedPool, Pool, Task
from xplain_cli.methods.lime import Lime
from xplain_cli.methods.selection import select
from xplain_cli.methods.solvers import centre, gram, residual_sums, sandwich, solve, total_sums
from xplain_cli.modalities.tabular.fit import table_law
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


def frame(rng, n=3, rows=200):
    return pd.DataFrame(rng.normal(size=(rows, n)), columns=[f"x{j}" for j in range(n)])


def law_of(table, method, discrete=frozenset()):
    kinds = dict.fromkeys(table.columns, "number")
    return table_law(table, kinds, method.discretizer, discrete=discrete)


def explain(method, law, rows, model, *, samples=256, repeats=4, seed=0, counted=None):
    """Answer a method's questions by a plain function of the table, (m, k)."""

    def ask(table):
        if counted is not None:
            counted.append(len(table))
        return np.asarray(model(table), dtype=float).reshape(len(table), -1)

    block = law.split(rows)
    predictions = ask(rows)
    k = predictions.shape[1]
    pairs = np.tile(np.array([[t, -1] for t in range(k)]), (len(rows), 1, 1))
    task = Task(
        law, block, pairs, predictions, margin=False, seed=seed, samples=samples, repeats=repeats
    )
    explaining, answer = method.explain(task), None
    while True:
        try:
            need = explaining.send(answer)
        except StopIteration as finished:
            return finished.value
        if isinstance(need, NeedPool):
            drawn = [law.draw(samples, (seed, r)) for r in range(repeats)]
            draw = Draw(
                np.concatenate([d.codes for d, _ in drawn], axis=1),
                np.concatenate([d.positions for d, _ in drawn], axis=1),
            )
            levels = tuple(len(f) for f in law.frequencies)
            answer = Pool(draw, ask(pd.concat([t for _, t in drawn])), repeats, levels)
        elif isinstance(need, NeedOutputs):
            answer = ask(pd.concat(need.inputs))


@pytest.mark.parametrize("text", SETTINGS)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_shapes_and_finiteness(text, n, rng):
    method = build(text, METHODS["draws"])
    table = frame(rng, n)
    got = explain(method, law_of(table, method), table.head(3), lambda t: t.to_numpy() @ np.ones(n))
    assert got.weights.shape == (3, 1, n)
    assert got.base.shape == got.local_r2.shape == (3, 1)
    assert got.factors.shape[1:] == (3, 1, n)
    assert np.isfinite(got.weights).all()
    assert np.isfinite(got.factors).all()
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
    law = law_of(table, method)

    def weights(seed):
        got = explain(method, law, table.head(3), lambda t: np.tanh(t.sum(axis=1)), seed=seed)
        return got.weights.tobytes()

    assert weights(3) == weights(3)
    assert weights(3) != weights(4)


@pytest.mark.parametrize("text", ["lime", "lime:discretizer=none", "lime:sample=around"])
@pytest.mark.parametrize("n", [1, 5])
def test_rows_together_or_alone_give_the_same_bytes(text, n, rng):
    method = build(text, METHODS["draws"])
    table = frame(rng, n)
    law = law_of(table, method)
    model = lambda t: np.tanh(t.to_numpy() @ np.arange(1.0, n + 1))  # noqa: E731
    together = explain(method, law, table.head(20), model)
    for i in range(20):
        alone = explain(method, law, table.iloc[[i]].reset_index(drop=True), model)
        assert together.weights[i].tobytes() == alone.weights[0].tobytes()
        assert together.factors[:, i].tobytes() == alone.factors[:, 0].tobytes()
        assert together.local_r2[i].tobytes() == alone.local_r2[0].tobytes()
        assert together.locality[i].tobytes() == alone.locality[0].tobytes()
    several, single = assess(together, 2, 0), assess(alone, 2, 0)
    for part in fields(single):
        whole, own = getattr(several, part.name), getattr(single, part.name)
        assert whole[-1].tobytes() == own[-1].tobytes(), part.name


def test_permuting_targets_permutes_weights(rng):
    table = frame(rng)
    method = Lime()
    law = law_of(table, method)
    one = explain(method, law, table.head(2), lambda t: t[["x0", "x1"]].to_numpy() ** 2)
    two = explain(method, law, table.head(2), lambda t: t[["x1", "x0"]].to_numpy() ** 2)
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
    law = law_of(table, method, frozenset(table.columns))
    got = explain(
        method,
        law,
        table.head(4),
        lambda t: [one(v) for v in t.itertuples(index=False)],
        samples=4096,
        repeats=8,
    )
    cells = [(cell.levels, cell.frequencies) for cell in law.cells]
    for i in range(4):
        exact, base = lime_limit(cells, law.split(table.head(4)).codes[i], one, 0.75 * np.sqrt(3))
        assert got.weights[i, 0] == pytest.approx(exact, abs=2e-3)
        assert got.base[i, 0] == pytest.approx(base, abs=2e-3)


def test_one_repeat_is_the_ridge_fit_of_its_draws_and_the_row(rng):
    table = frame(rng, 4)
    method = Lime(ridge=2.5)
    law = law_of(table, method)
    model = lambda t: np.sin(t["x0"]) * t["x1"]  # noqa: E731
    got = explain(method, law, table.head(1), model, samples=64, repeats=1)
    draw, rows = law.draw(64, (0, 0))
    z, distances = law.contrast(draw, law.split(table.head(1)), 0)
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
    law = law_of(table, method, frozenset({"kind"}))
    row = table.head(1).assign(kind="never")
    got = explain(method, law, row, lambda t: (t["kind"] == "never") * 5.0 + t["x0"])
    error = standard_errors(got)[0, 0, 3]
    assert abs(got.weights[0, 0, 3]) > 0.5
    assert error >= abs(got.weights[0, 0, 3])


def draws(rng, n=5, m=300, t=2):
    z = rng.random((n, m)) < 0.4
    f = rng.normal(size=(t, m)) + z[:t] * 2.0
    return z, f, rng.random(m) + 0.1


def test_solving_from_sums_is_the_ridge_fit(rng):
    z, f, w = draws(rng)
    sums = gram(z, f, w, 1)[0]
    beta, intercept = solve(sums, 5, 0.7)
    for t in range(2):
        expected, base = weighted_ridge(z.T, f[t], w, 0.7)
        assert beta[t] == pytest.approx(expected, rel=1e-8)
        assert intercept[t] == pytest.approx(base, rel=1e-8)


def test_selected_features_are_fitted_alone(rng):
    z, f, w = draws(rng)
    chosen = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1]], dtype=bool)
    beta, _ = solve(gram(z, f, w, 1)[0], 5, 0.7, chosen)
    for t in range(2):
        expected, _ = weighted_ridge(z[chosen[t]].T, f[t], w, 0.7)
        assert beta[t, chosen[t]] == pytest.approx(expected, rel=1e-8)
        assert not beta[t, ~chosen[t]].any()


def test_residual_and_total_sums_need_no_second_pass(rng):
    z, f, w = draws(rng)
    sums = gram(z, f, w, 1)[0]
    beta, intercept = solve(sums, 5, 0.0)
    residuals = f - intercept[:, None] - beta @ z
    assert residual_sums(sums, beta, intercept) == pytest.approx((w * residuals**2).sum(axis=1))
    means = (f @ w / w.sum())[:, None]
    assert total_sums(sums, 5) == pytest.approx((w * (f - means) ** 2).sum(axis=1))


def test_sandwich_is_hc3_written_out(rng):
    z, f, w = draws(rng, m=60)
    beta, intercept = solve(gram(z, f, w, 1)[0], 5, 0.0)
    factors, _ = sandwich(z, f, w, beta, intercept, 0.0)
    x = np.column_stack([np.ones(60), z.T])
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    for t in range(2):
        residuals = f[t] - x @ np.append(intercept[t], beta[t])
        leverage = w * np.einsum("ij,jk,ik->i", x, bread, x)
        scores = x * (w * residuals / (1 - leverage))[:, None]
        covariance = bread @ scores.T @ scores @ bread
        found = factors[:, t].T @ factors[:, t]
        assert found == pytest.approx(covariance[1:, 1:], rel=1e-6)


def test_forward_selection_by_sweep_is_refitting_every_candidate(rng):
    z, f, w = draws(rng, n=8, t=1)
    f = f + z[3] * 1.5 + z[6] * z[2]
    matrix, right, _ = centre(gram(z, f, w, 1)[0], 8)
    for k in (1, 3, 5):
        expected = forward_selection(z.T.astype(float), f[0], w, k)
        found = select(matrix, right, np.ones(8), k, "forward")[0]
        assert set(np.flatnonzero(found)) == set(expected)


def test_own_bins_decide_an_additive_model_and_not_an_interaction(rng):
    table = frame(rng, 2, rows=1000)
    law = law_of(table, Lime())
    additive = explain(Lime(), law, table.head(10), lambda t: t["x0"] + t["x1"], samples=2048)
    crossed = explain(
        Lime(kernel_width=0.5), law, table.head(10), lambda t: t["x0"] * t["x1"], samples=2048
    )
    assert additive.locality.min() > 0.98
    assert crossed.locality.max() < 0.6


def test_highest_weights_count_the_rows_own_coordinate():
    matrix, right = np.eye(3), np.array([[1.0], [2.0], [3.0]])
    own = np.array([9.0, 2.0, 0.1])
    assert select(matrix, right, own, 1, "highest").tolist() == [[True, False, False]]


def exactly(z, f, w, repeats):
    """Gram sums in double precision, written as one product a repeat."""
    rows = np.vstack([np.ones(len(w)), z, f])
    return np.stack([(part * v) @ part.T for part, v in in_repeats(rows, w, repeats)])


def in_repeats(rows, w, repeats):
    return zip(np.split(rows, repeats, axis=1), np.split(w, repeats), strict=True)


@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_sums_in_single_precision_are_the_sums(rng, size):
    z, f, w = draws(rng, m=1024)
    sums, expected = gram(z, f * size, w, 4), exactly(z, f * size, w, 4)
    magnitude = np.sqrt(np.einsum("rii,rjj->rij", expected, expected))
    assert (np.abs(sums - expected) < 1e-6 * magnitude).all()
    assert (sums != expected).any()


def test_sums_of_a_feature_that_is_hardly_ever_absent_are_in_double_precision(rng):
    z, f, w = draws(rng, m=80_000)
    z[2], z[2, 0] = True, False
    assert gram(z, f, w, 4) == pytest.approx(exactly(z, f, w, 4), rel=1e-12)


def test_a_feature_that_is_always_present_has_no_variance_at_all(rng):
    z, f, w = draws(rng, m=1024)
    z[2] = True
    matrix, right, _ = centre(gram(z, f, w, 4), 5)
    assert np.abs(matrix[:, 2]).max() < 1e-12
    assert np.abs(right[:, 2]).max() < 1e-12


def test_sums_under_weights_that_vanish_in_single_precision_are_kept(rng):
    z, f, w = draws(rng, m=1024)
    assert gram(z, f, w * 1e-80, 4) == pytest.approx(exactly(z, f, w * 1e-80, 4), rel=1e-12)
