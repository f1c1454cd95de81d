"""Means, medians and modes of the background as a baseline."""

import pytest
from backgrounds import fitted, table


def test_the_mean_leaves_missing_values_out_and_categories_take_their_mode(rng):
    rows = table(rng)
    row = fitted("mean", rows).table.iloc[0]
    assert row["a"] == pytest.approx(rows["a"].mean())
    assert row["b"] == pytest.approx(rows["b"].mean())
    assert row["c"] == rows["c"].mode()[0]
