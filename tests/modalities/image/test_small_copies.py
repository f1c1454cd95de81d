"""Large pictures are cut on a small copy."""

import numpy as np
from cut_pictures import cut, scene


def test_a_large_picture_is_cut_on_a_small_copy_and_scaled_up():
    values = np.kron(scene(), np.ones((20, 20, 1), dtype=np.uint8))
    labels = cut("slic", values)
    assert labels.shape == (960, 1280)
    assert labels.max() + 1 == 16
    assert (labels[::5, ::5] == labels[2::5, 2::5]).mean() > 0.95


def test_floats_of_any_range_are_cut_as_their_shape():
    values = scene(channels=1).astype(np.float32)
    assert (cut("slic", values) == cut("slic", values * 100 - 7)).mean() > 0.99
