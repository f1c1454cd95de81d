"""The class that a baseline stands for."""

import numpy as np

from xplain_cli.baselines.assignment import foils


def test_the_foil_is_the_other_side_or_the_strongest_other():
    outputs = np.tile([0.5, 0.3, 0.2], (2, 1))
    assert foils(np.array([[[0, -1]], [[0, 2]]]), outputs).tolist() == [1, 2]


def test_a_row_of_the_foil_itself_is_compared_with_the_explained_class():
    outputs = np.tile([0.5, 0.3, 0.2], (2, 1))
    assert foils(np.array([[[1, -1]], [[2, 0]]]), outputs).tolist() == [1, 2]
