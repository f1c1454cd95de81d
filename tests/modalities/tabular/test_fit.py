"""How the law of drawing rows is fitted, and which groups there can be."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.tabular.fit import parse_groups, table_law


def test_infinite_background_values_are_refused_with_what_can_be_typed():
    table = pd.DataFrame({"sun days": [1.0, np.inf]})
    with pytest.raises(RefusedError, match=r"infinite .* --drop-columns 'sun days', or"):
        table_law(table, {"sun days": "number"}, "quartile")


def test_missing_values_without_bins_are_refused():
    with pytest.raises(UsageError, match="missing values"):
        table_law(pd.DataFrame({"x": [1.0, np.nan]}), {"x": "number"}, "none")


@pytest.mark.parametrize("text", ["city", "=a*", "g=", "g=nothing*", "x=city_a"])
def test_groups_that_mean_nothing_are_refused(text):
    with pytest.raises(UsageError):
        parse_groups([text], ["x", "city_a", "city_b"])


def test_a_column_in_two_groups_is_refused():
    with pytest.raises(UsageError, match="'city_a' is in"):
        parse_groups(["g=city_*", "h=city_a"], ["x", "city_a", "city_b"])
