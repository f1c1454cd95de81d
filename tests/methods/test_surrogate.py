"""The surrogate that is fitted to answers, and its errors."""

import numpy as np
import pytest
from draw_laws import explain, frame, law_of
from oracles import weighted_ridge

from xplain_cli.methods.lime import Lime
from xplain_cli.quality.stability import standard_errors


def test_one_repeat_is_the_ridge_fit_of_its_draws_and_the_row(rng):
    table = frame(rng, 4)
    method = Lime(ridge=2.5, discretizer="none")
    perturbation = law_of(table, method)
    model = lambda t: np.sin(t["x0"]) * t["x1"]  # noqa: E731
    got = explain(method, perturbation, table.head(1), model, samples=64, repeats=1)
    draw, rows = perturbation.draw(64, [(0, 0)])
    block = perturbation.split(table.head(1))
    z, distances = perturbation.contrast(draw, block, 0)
    own = block.positions[0]
    z = np.vstack([z.T, own])
    f = np.append(model(rows), model(table.head(1)))
    w = np.append(np.exp(-distances / (2 * 0.75**2 * 4)), 1.0)
    coefficients, intercept = weighted_ridge(z, f, w, 2.5)
    assert got.weights[0, 0] == pytest.approx(coefficients)
    assert got.base[0, 0] + got.weights.sum() == pytest.approx(intercept + coefficients @ own)


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
