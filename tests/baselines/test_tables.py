"""Distances between rows of tables."""

import numpy as np
import pandas as pd

from xplain_cli.baselines.tables import measure_distance


def test_distances_are_l1_over_the_spread_and_one_a_category():
    rows = pd.DataFrame({"a": [0.0, 2.0, np.nan], "c": ["x", "y", "x"]})
    distance = measure_distance(rows, frozenset({"c"}))
    coded = distance.coded(rows)
    assert distance.between(coded[0], coded[1]) == 2 / 1 + 1
    assert distance.between(coded[0], coded[2]) == 1  # missing, and the same category
    assert distance.between(coded[2], coded[2]) == 0
