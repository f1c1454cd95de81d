"""Superpixels of two runs are matched by the pixels that they share."""

import numpy as np
import pytest

from xplain_cli.modalities.image.counterparts import overlaps


def halves(at):
    labels = np.zeros((10, 10), dtype=int)
    labels[:, at:] = 1
    return labels


def test_equal_maps_under_other_numbers_are_matched():
    assert overlaps(halves(5), 1 - halves(5)) == {0: 1, 1: 0}


@pytest.mark.parametrize(("at", "found"), [(6, {0: 0, 1: 1}), (9, {0: 0})])
def test_superpixels_that_moved_are_matched_by_more_than_half_of_both(at, found):
    assert overlaps(halves(5), halves(at)) == found


def test_maps_of_another_size_have_nothing_in_common():
    assert overlaps(halves(5), halves(5)[:, :8]) == {}


def test_no_superpixel_has_two_counterparts():
    rng = np.random.default_rng(0)
    for _ in range(50):
        old, new = (np.kron(rng.integers(0, 6, (3, 3)), np.ones((4, 4), int)) for _ in "ab")
        found = overlaps(old, new)
        assert len(set(found.values())) == len(found)
