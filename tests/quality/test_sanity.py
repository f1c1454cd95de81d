"""Likeness, sparsity and mass against second implementations; verdicts against their numbers."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from xplain_cli.quality.sanity import (
    Average,
    drop_verdict,
    gini,
    inside,
    mean_of,
    randomised_verdict,
    spearman,
    ssim,
)


@pytest.mark.parametrize(("side", "window"), [(8, 5), (20, 7)])
def test_ssim_is_that_of_scikit_image(rng, side, window):
    a, b = rng.normal(size=(2, side, side + 3))
    sizes = [np.abs(one) / np.abs(one).max() for one in (a, b)]
    peer = structural_similarity(*sizes, data_range=1, win_size=window)
    assert ssim(a, b) == pytest.approx(peer)
    assert ssim(a, -3 * a) == pytest.approx(1)
    assert np.isnan(ssim(a[:4], b[:4]))


def test_rank_correlation_is_that_of_scipy_with_ties(rng):
    a, b = rng.integers(0, 5, (2, 40)).astype(float)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0])
    assert np.isnan(spearman(np.zeros(4), b[:4]))


def test_the_gini_index_is_the_mean_difference_over_twice_the_mean(rng):
    weights = rng.normal(size=15)
    sizes = np.abs(weights)
    apart = np.abs(sizes[:, None] - sizes).mean()
    assert gini(weights) == pytest.approx(apart / (2 * sizes.mean()))
    assert gini(np.ones(7)) == pytest.approx(0)
    assert gini(np.eye(10)[3]) == pytest.approx(0.9)
    assert np.isnan(gini(np.zeros(3)))


def test_mass_inside_a_region_is_a_share():
    assert inside(np.array([1.0, -3.0, 0.0]), np.array([False, True, True])) == 0.75
    assert np.isnan(inside(np.zeros(2), np.ones(2, dtype=bool)))


def test_means_leave_out_what_is_unknown():
    found = mean_of([1.0, np.nan, 3.0])
    assert (found.value, found.count) == (2.0, 2)
    assert found.error == pytest.approx(1.0)
    assert str(mean_of([np.nan])) == "unknown"


@pytest.mark.parametrize(
    ("above", "best", "behind", "word"),
    [
        (Average(0.01, 0.02, 50), None, Average(0, 0, 50), "no better than a random order"),
        (Average(-0.5, 0.02, 50), "b", Average(0.9, 0.01, 50), "no better than a random order"),
        (Average(0.4, 0.02, 50), None, Average(0, 0, 50), "the best of these"),
        (Average(0.4, 0.02, 50), "b", Average(0.03, 0.02, 50), "as good as b"),
        (Average(0.4, 0.02, 50), "b", Average(0.2, 0.02, 50), "0.20 behind b"),
    ],
    ids=["noise", "worse", "best", "level", "behind"],
)
def test_the_verdict_on_a_drop_follows_from_its_numbers(above, best, behind, word):
    assert word in drop_verdict(Average(0.5, 0.02, 50), above, best, behind)


@pytest.mark.parametrize(
    ("likeness", "control", "word"),
    [
        (0.1, 0.95, "falls: "),
        (0.45, 0.95, "in part"),
        (0.7, 0.95, "hardly changes"),
        (0.1, 0.73, "proves nothing"),
        (0.1, np.nan, "proves nothing"),
        (np.nan, 1.0, "unknown"),
    ],
    ids=["falls", "in part", "stays", "weak control", "no control", "nothing"],
)
def test_without_a_control_randomisation_proves_nothing(likeness, control, word):
    assert word in randomised_verdict(likeness, control)
