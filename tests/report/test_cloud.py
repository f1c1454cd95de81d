"""The explanations that figures draw: evenly chosen, with their values as they are."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.explanation import Records
from xplain_cli.report import cloud as module
from xplain_cli.report.cloud import gather, values_of


def records(rows):
    """Return the records of rows {feature: (weight, value)}, or None for one that failed."""
    lines = [
        {"feature": name, "weight": weight, "feature_value": value}
        for row in rows
        for name, (weight, value) in (row or {}).items()
    ]
    told = {"status": ["ok" if row else "failed" for row in rows], "target": ["t"] * len(rows)}
    counts = np.array([len(row or {}) for row in rows])
    return Records(pd.DataFrame(lines), pd.DataFrame(told), counts, {})


def test_features_keep_their_column_and_what_a_row_has_not_is_missing():
    rows = [{"b": (1.0, "x"), "a": (2.0, 5)}, None, {"a": (3.0, 7)}]
    found = gather([records(rows)], ["a", "b"], 2, "", values=True)
    np.testing.assert_equal(found.weights, [[2.0, 1.0], [3.0, np.nan]])
    assert found.values[0].numbers.tolist() == [5.0, 7.0]
    assert found.values[1].names == ("x",)
    assert found.said == "all 2 explanations"


def test_where_values_are_hidden_none_is_gathered():
    assert gather([records([{"a": (2.0, 5)}])], ["a"], 1, "", values=False).values is None


@pytest.mark.parametrize("split", [1, 3, 17])
def test_of_many_some_at_equal_distances_are_drawn_however_they_are_chunked(split, monkeypatch):
    monkeypatch.setattr(module, "MOST", 20)
    rows = [{"a": (float(at), at)} for at in range(100)]
    parts = [records(rows[at : at + split]) for at in range(0, 100, split)]
    found = gather(parts, ["a"], 100, "", values=True)
    assert found.weights[:, 0].tolist() == [4.0 + 5 * at for at in range(20)]
    assert found.said == "20 of 100 explanations"


def test_groups_go_from_low_to_high_and_leave_out_what_is_missing():
    values = values_of([None, 4, 1.5, 3, float("nan"), 2])
    assert values.groups(5).tolist() == [-1, 3, 0, 2, -1, 1]
    assert values.groups(2).tolist() == [-1, 1, 0, 1, -1, 0]
    assert values_of(["no", True, None]).names == ("True", "no")
    assert values_of([None, None]).groups(3).tolist() == [-1, -1]
