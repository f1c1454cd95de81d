"""Which columns are held, and the combinations of their values."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import UsageError
from xplain_cli.modalities.tabular.draws import row_keys
from xplain_cli.modalities.tabular.held_values import find_combinations, parse_held
from xplain_cli.samples import MOST_POOLS

COLUMNS = ("age", "sex", "city_a", "city_b")
GROUPS = {"city": ("city_a", "city_b")}


@pytest.mark.parametrize(
    ("names", "held"),
    [
        ((), ()),
        (("sex", "age"), ("age", "sex")),
        (("s*",), ("sex",)),
        (("city",), ("city_a", "city_b")),
        (("city_*", "sex"), ("sex", "city_a", "city_b")),
    ],
    ids=lambda value: "-".join(value) or "none",
)
def test_names_globs_and_groups_are_held_in_the_order_of_the_model(names, held):
    assert parse_held(names, COLUMNS, GROUPS) == held


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("sez",), "did you mean 'sex'"),
        (("city_a",), r"hold the group \(--hold city\)"),
        (("*",), "nothing is left to explain"),
    ],
    ids=["no column", "a part of a group", "all"],
)
def test_what_cannot_be_held_is_refused_with_the_way_out(names, said):
    with pytest.raises(UsageError, match=said):
        parse_held(names, COLUMNS, GROUPS)


def test_combinations_do_not_depend_on_the_order_of_rows(rng):
    table = pd.DataFrame({"sex": rng.choice(["f", "m"], 60), "n": rng.integers(0, 3, 60) / 2})
    table.loc[3, "n"] = np.nan
    found = [
        find_combinations(("sex", "n"), [(rows, row_keys(rows))])
        for rows in (table, table[::-1].reset_index(drop=True))
    ]
    assert found[0].keys == found[1].keys
    assert found[0].combinations.equals(found[1].combinations)
    assert len(found[0].keys) == len(table.drop_duplicates())
    own = found[0].pool_of(row_keys(table))
    again = found[0].combinations.iloc[own].reset_index(drop=True)
    assert again.equals(table)


def test_counting_stops_beyond_what_gets_pools():
    table = pd.DataFrame({"n": np.arange(10_000.0)})
    held = find_combinations(("n",), [(table, row_keys(table))])
    assert held.pools == MOST_POOLS + 1
