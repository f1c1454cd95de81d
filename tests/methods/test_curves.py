"""Curves of an evaluation against a second calculation."""

import numpy as np
import pytest
from mask_laws import Perturbation, Rows, index

from xplain_cli.methods import MaskOutputs, Task
from xplain_cli.methods.curves import measure


def measured(weights, n, model, k=2):
    """Answer the masks of one row by ``model(row, masks)``."""
    full = np.ones((1, n), dtype=bool)
    pairs = np.array([[[0, -1]]])
    task = Task(Perturbation("bernoulli"), Rows(1, n), pairs, model(0, full), False, 0, 1, 1)  # noqa: FBT003 - margin
    asking = measure(task, np.array(weights, dtype=float)[None, None], k)
    need = next(asking)
    outputs = [model(0, masks) for masks in need.masks]
    try:
        asking.send(MaskOutputs(outputs, np.array([len(need.masks[0])])))
    except StopIteration as finished:
        return {name: float(value[0, 0]) for name, value in finished.value.measures.items()}


def test_the_curves_take_the_greatest_weight_first():
    weights, n = [0.5, 3.0, -1.0, 0.1], 4
    got = measured(weights, n, index(n))
    order, f = [1, 0, 3, 2], lambda kept: index(n)(0, np.isin(np.arange(n), kept)[None])[0, 0]
    deletion = [f([j for j in range(n) if j not in order[:s]]) for s in range(n + 1)]
    insertion = [f(order[:s]) for s in range(n + 1)]
    assert got["deletion_auc"] == pytest.approx(np.trapezoid(deletion, dx=1 / n))
    assert got["insertion_auc"] == pytest.approx(np.trapezoid(insertion, dx=1 / n))
    assert got["comprehensiveness"] == pytest.approx(f(range(n)) - f([2, 3]))
    assert got["sufficiency"] == pytest.approx(f(range(n)) - f([0, 1]))


def test_weights_of_a_linear_model_miss_nothing():
    weights = np.array([1.0, -2.0, 0.5, 3.0, 0.0])
    got = measured(weights, 5, lambda _, z: (z @ weights)[:, None])
    assert got["infidelity"] == pytest.approx(0, abs=1e-12)
    assert got["deletion_auc"] < got["random_auc"] < got["insertion_auc"]


def test_no_weights_at_all_miss_everything():
    assert measured(np.zeros(5), 5, index(5))["infidelity"] == pytest.approx(1)


def test_a_model_that_never_changes_has_no_infidelity():
    assert np.isnan(measured(np.ones(3), 3, lambda _, z: np.ones((len(z), 1)))["infidelity"])
