"""A beeswarm: a dot for every weight, where the weight says, shaded by the value."""

import numpy as np
import pytest

from xplain_cli.report.cloud import Cloud, Values
from xplain_cli.report.figures import Dots
from xplain_cli.report.swarm import beeswarm


def dots(figure):
    """Return the dots of the field, without those of the key."""
    return [mark for mark in figure.marks if isinstance(mark, Dots) and mark.radius < 3]


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(0)
    values = rng.permutation(400).astype(float)
    weights = np.stack([(values - 200) / 200, rng.normal(0, 0.01, 400)], axis=1)
    weights[:50, 1] = np.nan
    return Cloud(("a", "b"), weights, (Values(values), Values(values, ("x", "y"))), 400)


def test_every_weight_has_a_dot_at_its_place(cloud):
    points = [point for mark in dots(beeswarm(cloud)) for point in mark.points]
    assert len(points) == 400 + 350
    upper = sorted(x for x, y in points if y < 40)
    expected = np.sort(cloud.weights[:, 0])
    assert np.corrcoef(upper, expected)[0, 1] == pytest.approx(1.0)


def test_shades_follow_the_value_and_categories_have_none(cloud):
    found = beeswarm(cloud)
    means = {
        m.fill: np.mean([x for x, y in m.points if y < 40]) for m in dots(found) if m.fill != "soft"
    }
    assert list(means) == ["v0", "v1", "v2", "v3", "v4"]
    assert list(means.values()) == sorted(means.values())
    assert sum(len(m.points) for m in dots(found) if m.fill == "soft") == 350


def test_dots_that_stand_alone_do_not_overlap_and_none_leaves_its_band(cloud):
    points = np.array([p for mark in dots(beeswarm(cloud)) for p in mark.points])
    assert points[:, 1].min() >= 10
    assert points[:, 1].max() <= 10 + 2 * 30


def test_equal_clouds_are_equal_figures_and_no_value_makes_no_key(cloud):
    assert beeswarm(cloud) == beeswarm(cloud)
    hidden = Cloud(cloud.features, cloud.weights, None, 400)
    assert {mark.fill for mark in beeswarm(hidden).marks if isinstance(mark, Dots)} == {"soft"}
