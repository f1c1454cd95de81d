"""Leaves of trees as boxes."""

import numpy as np

from xplain_cli.models.leaves import last_left


def test_thresholds_move_to_the_last_number_that_rounds_left():
    threshold = np.array([0.1, -0.1, 1.0, 1e-30, 3e38, float(np.float32(0.7))])
    last = last_left(threshold)
    assert (last.astype(np.float32) <= threshold).all()
    assert (np.nextafter(last, np.inf).astype(np.float32) > threshold).all()
