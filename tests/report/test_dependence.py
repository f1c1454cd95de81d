"""Dependence finds the partner that weights were made with, and none where there is none."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xplain_cli.report.cloud import Cloud, Values
from xplain_cli.report.dependence import dependence, strongest_partner, told
from xplain_cli.report.figures import Dots


def made(formula, n=400, names=()):
    """Return a cloud of three features, the weights of the first a function of all values."""
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(3, n))
    b = (b > 0).astype(float) if names else b
    weights = np.stack([np.asarray(formula(pd.DataFrame({"a": a, "b": b, "c": c}))), b, c], axis=1)
    return Cloud(("a", "b", "c"), weights, (Values(a), Values(b, names), Values(c)), n)


@pytest.mark.parametrize("names", [(), ("no", "yes")], ids=["number", "category"])
def test_the_partner_is_the_feature_that_the_weight_interacts_with(names):
    cloud = made(lambda v: v.a * v.b + 0.1 * v.c, names=names)
    partner = strongest_partner(cloud, 0)
    assert partner.place == 1
    assert "Coloured by b" in told(cloud, 0)
    assert dependence(cloud, 0).title.endswith("coloured by b")


def test_the_share_is_that_of_the_variance_at_a_value():
    """Checked against a one-way analysis of variance where the weight has no slope of its own."""
    cloud = made(lambda v: v.b + 0.5 * np.sin(40 * v.c), names=("no", "yes"))
    weights, groups = cloud.weights[:, 0], cloud.values[1].numbers
    f = stats.f_oneway(weights[groups == 0], weights[groups == 1]).statistic
    n = len(weights)
    adjusted = 1 - (n - 1) / (f + n - 2)
    assert strongest_partner(cloud, 0).share == pytest.approx(adjusted, abs=0.03)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.5], ids=["no noise", "little noise", "noise"])
def test_a_weight_of_its_own_value_alone_has_no_partner(noise):
    rng = np.random.default_rng(3)
    cloud = made(lambda v: np.sign(v.a) + noise * rng.normal(size=len(v.a)))
    assert strongest_partner(cloud, 0) is None
    assert "No other feature" in told(cloud, 0)


def test_a_correlated_feature_is_no_partner():
    rng = np.random.default_rng(4)
    a = rng.normal(size=1000)
    b = a + 0.3 * rng.normal(size=1000)
    cloud = Cloud(("a", "b"), np.stack([3 * a, b], axis=1), (Values(a), Values(b)), 1000)
    assert strongest_partner(cloud, 0) is None


def test_every_explanation_that_has_a_value_has_a_dot():
    cloud = made(lambda v: v.a)
    cloud.values[0].numbers[:10] = np.nan
    points = [p for m in dependence(cloud, 0).marks if isinstance(m, Dots) for p in m.points]
    assert len(points) == 390


def test_few_or_hidden_values_show_no_dependence():
    assert dependence(made(lambda v: v.a, n=20), 0) is None
    cloud = made(lambda v: v.a)
    assert dependence(Cloud(cloud.features, cloud.weights, None, 400), 0) is None
