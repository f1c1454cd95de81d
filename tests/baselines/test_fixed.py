"""Means, medians and modes of the background as a baseline."""

import numpy as np
import pytest
from backgrounds import fitted, table


def test_the_mean_leaves_missing_values_out_and_categories_take_their_mode(rng):
    rows = table(rng)
    row = fitted("mean", rows).table.iloc[0]
    assert row["a"] == pytest.approx(rows["a"].mean())
    assert row["b"] == pytest.approx(rows["b"].mean())
    assert row["c"] == rows["c"].mode()[0]


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_the_median_is_numpys_for_odd_and_even_counts(rng, count):
    rows = table(rng).head(count)
    row = fitted("median", rows).table.iloc[0]
    for column in "ab":
        known = rows[column].dropna()
        assert np.array_equal(
            row[column], np.median(known) if len(known) else np.nan, equal_nan=True
        )
