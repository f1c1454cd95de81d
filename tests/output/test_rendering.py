"""The largest weights alone, and a column for each feature."""

import numpy as np
import pandas as pd
import pytest
from written import files, records

from xplain_cli.errors import UsageError
from xplain_cli.explanation import Records
from xplain_cli.output import (
    Rendering,
    prune,
    render_piece,
)


def test_prune_keeps_the_largest_and_says_what_is_left_out():
    pruned = prune(records(ok=(True, False, True)), 1)
    assert pruned.weights["weight"].tolist() == [-2.0, 2.1]
    assert pruned.lines.tolist() == [1, 0, 1]
    assert pruned.stability["size_omitted"].tolist() == [1.1, 0.0, 3.0]
    assert pruned.stability["weight_omitted"].tolist() == [1.1, 0.0, -1.0]
    assert pruned.stability["n_omitted"].astype("Int64").tolist() == [2, pd.NA, 2]


def test_prune_to_all_omits_nothing():
    pruned = prune(records(), 3)
    pd.testing.assert_frame_equal(pruned.weights, records().weights)
    assert pruned.stability["n_omitted"].tolist() == [0, 0]


def test_wide_has_a_column_per_feature_in_feature_order():
    chunks = [records(0, (False,)), records(1, (True, False, True))]
    weights, _ = files(chunks, "csv", Rendering(wide=True, top_k=2))
    assert weights.decode().splitlines() == [
        "row_id,target,prediction,base_value,a,b,c",
        "r1,x,0.5,0.5,1.1,-2.0,",
        "r3,x,0.5,0.5,3.1,-2.0,",
    ]


def test_wide_of_failed_rows_only_has_a_header():
    weights, _ = files([records(ok=(False,))], "csv", Rendering(wide=True))
    assert weights == b"row_id,target,prediction,base_value\n"


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_wide_refuses_rows_with_different_features(fmt):
    other = records(2)
    other = Records(
        other.weights.replace({"feature": {"c": "d"}}), other.stability, other.lines, {}
    )
    with pytest.raises(UsageError, match="--wide needs the same features"):
        files([records(), other], fmt, Rendering(wide=True))
    shorter = prune(records(), 2)
    mixed = Records(
        pd.concat([records(2).weights, shorter.weights], ignore_index=True),
        pd.concat([records(2).stability, shorter.stability], ignore_index=True),
        np.array([3, 3, 2, 2]),
        {},
    )
    with pytest.raises(UsageError, match="--wide needs the same features"):
        render_piece(mixed, Rendering(wide=True), fmt)
