"""Rows whose features are the units of a layer."""

import numpy as np
import pytest
from paths import Rows

from xplain_cli.engine.layer_units import UnitRows, unit_names
from xplain_cli.errors import UsageError


def rows():
    return UnitRows(Rows(np.ones((4, 3)), np.zeros((4, 3))), ("h[0]", "h[1]"))


def test_units_are_named_in_the_order_of_their_numbers():
    assert unit_names("h", (3,)) == ["h[0]", "h[1]", "h[2]"]
    assert unit_names("h", (2, 2)) == ["h[0,0]", "h[0,1]", "h[1,0]", "h[1,1]"]
    assert unit_names("c", (2, 1, 2)) == ["c[0,0,0]", "c[1,0,0]", "c[0,0,1]", "c[1,0,1]"]


def test_each_unit_is_a_feature_of_its_own():
    some = rows().take([1, 2])
    assert some.counts.tolist() == [2, 2]
    parts = np.arange(4.0).reshape(2, 2)
    assert some.pooled(np.arange(2), parts) is parts


def test_no_input_lacks_a_unit():
    with pytest.raises(UsageError, match="units of a layer"):
        rows().masked(0, np.zeros((1, 2), dtype=bool))
