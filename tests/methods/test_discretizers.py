"""Where numbers are cut into bins."""

import numpy as np
import pytest

from xplain_cli.methods.discretizers import entropy_edges


def numbers(values):
    return np.array(values, dtype=float)


def test_entropy_edges_split_where_labels_change():
    values = np.linspace(0, 1, 100)
    assert entropy_edges(values, (values > 0.37).astype(int)) == pytest.approx([0.37], abs=0.01)


def test_entropy_edges_without_a_useful_split_are_the_median():
    assert entropy_edges(numbers([1, 2, 3]), np.zeros(3, dtype=int)).tolist() == [2.0]
