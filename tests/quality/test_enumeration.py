"""Enumerations keep the axioms and limits that are known without any code."""

import numpy as np
import pytest

from xplain_cli.quality.enumeration import (
    cosine_kernel,
    flat_kernel,
    left_out,
    level_slopes,
    mask_slopes,
    shapley_values,
)

SLOPES = np.array([1.0, -2.0, 0.5])


def additive(mask):
    return float(SLOPES @ np.array(mask)) + 7


def glove(mask):
    """One left glove, two right ones: the classic of Shapley values."""
    return float(mask[0] and (mask[1] or mask[2]))


def test_a_sum_is_explained_by_its_terms():
    assert shapley_values(additive, 3) == pytest.approx(SLOPES)
    assert left_out(additive, 3) == pytest.approx(SLOPES)
    for kernel in (cosine_kernel, flat_kernel):
        for by_size in (True, False):
            assert mask_slopes(additive, 3, kernel, by_size=by_size) == pytest.approx(SLOPES)


def test_the_glove_game_has_its_known_values():
    assert shapley_values(glove, 3) == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    assert left_out(glove, 3) == pytest.approx([1.0, 0.0, 0.0])


def test_a_flat_kernel_gives_differences_of_means():
    masks = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    means = [
        np.mean([glove(m) for m in masks if m[i]]) - np.mean([glove(m) for m in masks if not m[i]])
        for i in range(3)
    ]
    assert mask_slopes(glove, 3, flat_kernel, by_size=False) == pytest.approx(means)


def test_a_level_weighs_what_it_gains_on_the_others():
    shares = [{"x": 0.5, "y": 0.3, "z": 0.2}, {"p": 0.6, "q": 0.4}]
    worth = {"x": 1.0, "y": 0.0, "z": 5.0, "p": 2.0, "q": 0.0}
    found = level_slopes(shares, ["x", "q"], lambda row: sum(worth[v] for v in row), 1.0)
    assert found == pytest.approx([1.0 - 0.2 * 5 / 0.5, -2.0])
