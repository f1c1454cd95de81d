"""Distances between rows, and the class that a baseline stands for."""

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import foils, measure_distance


def test_distances_are_l1_over_the_spread_and_one_a_category():
    rows = pd.DataFrame({"a": [0.0, 2.0, np.nan], "c": ["x", "y", "x"]})
    distance = measure_distance(rows, frozenset({"c"}))
    coded = distance.coded(rows)
    assert distance.between(coded[0], coded[1]) == 2 / 1 + 1
    assert distance.between(coded[0], coded[2]) == 1  # missing, and the same category
    assert distance.between(coded[2], coded[2]) == 0


def test_the_foil_is_the_other_side_or_the_strongest_other():
    outputs = np.tile([0.5, 0.3, 0.2], (2, 1))
    assert foils(np.array([[[0, -1]], [[0, 2]]]), outputs).tolist() == [1, 2]


def test_a_row_of_the_foil_itself_is_compared_with_the_explained_class():
    outputs = np.tile([0.5, 0.3, 0.2], (2, 1))
    assert foils(np.array([[[1, -1]], [[2, 0]]]), outputs).tolist() == [1, 2]
