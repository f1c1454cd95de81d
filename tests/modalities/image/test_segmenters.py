"""Segmenters: every label from 0 to S-1 is there, and S is the number asked for."""

import numpy as np
import pytest
from cut_pictures import cut, is_whole, scene

from xplain_cli.modalities.image.segmenters import SEGMENTERS
from xplain_cli.modalities.image.superpixels import MOST

SIZED = ["grid", "slic", "watershed"]


OWN = ["felzenszwalb", "quickshift"]


def test_the_shelf_is_known():
    assert sorted(SEGMENTERS) == sorted([*SIZED, *OWN])


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("shape", [(48, 64, 3), (40, 30, 1), (40, 30, 4), (7, 9, 3), (1, 200, 3)])
def test_labels_are_all_of_0_to_s(name, shape):
    labels = cut(name, scene(*shape))
    assert labels.shape == shape[:2]
    assert is_whole(labels)


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("count", [1, 2, 9, 16, 32, 64])
def test_the_number_asked_for_comes_out(name, count):
    assert cut(name, scene(), count).max() + 1 == count


@pytest.mark.parametrize("name", SIZED)
def test_noise_gives_the_number_asked_for(name, rng):
    noise = rng.integers(0, 256, (30, 40, 1), dtype=np.uint8)
    assert cut(name, noise, 16).max() + 1 == 16


@pytest.mark.parametrize("name", OWN)
def test_a_segmenter_of_its_own_number_is_merged_down_only_when_asked(name):
    own = cut(name, scene()).max() + 1
    assert 2 < own <= MOST
    assert cut(name, scene(), 2).max() + 1 == 2


def test_grid_cells_are_as_square_as_can_be():
    labels = cut("grid", scene(40, 80), 8)
    assert [len(np.unique(labels[:, 0])), len(np.unique(labels[0]))] == [2, 4]
    assert np.unique(np.bincount(labels.ravel())).tolist() == [400]


def test_grid_takes_rows_and_columns():
    labels = cut("grid:rows=2,columns=5", scene())
    assert labels.max() + 1 == 10
