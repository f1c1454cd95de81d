"""CSV files."""

import math

import pandas as pd
import pytest
from written import cells, files, records

from xplain_cli.output import (
    Rendering,
)


def test_csv_is_what_pandas_writes_without_the_guard():
    found = records(ok=(True, True))
    weights, stability = files([found], "csv", Rendering(csv_guard=False))
    assert weights == found.weights.to_csv(index=False, lineterminator="\n").encode()
    assert stability == found.stability.to_csv(index=False, lineterminator="\n").encode()


def test_the_guard_can_be_left_out():
    weights, _ = files([records()], "csv", Rendering(csv_guard=False))
    assert cells(weights)[0]["feature_value"] == "=1+1"


@pytest.mark.parametrize(
    "value", [0.1, 1e-300, 1 / 3, 1e16, -0.0, 12345678901234567, "a\nb", 'é,"']
)
def test_csv_values_read_back_the_same(value):
    weights, _ = files([records(values=(value, value, value))], "csv")
    found = cells(weights)[0]["feature_value"]
    assert repr(type(value)(found)) == repr(value)


def test_every_kind_of_missing_value_is_an_empty_cell():
    values = (None, math.nan, pd.NA)
    weights, _ = files([records(values=values)], "csv")
    assert {line["feature_value"] for line in cells(weights)} == {""}
