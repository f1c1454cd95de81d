"""Summaries of sanity checks on small files."""

import numpy as np
import pandas as pd

from xplain_cli.quality.sanity_summary import deciding, sum_up_curves, sum_up_randomised


def curves():
    shares = {"zero": [0.2, 0.3, 0.25, 0.22], "nearest": [0.7, 0.8, 0.72, 0.71]}
    lines = [
        {"row_id": str(i), "target": "a:vs:b", "baseline": name, "share_of_drop": share}
        for name, own in shares.items()
        for i, share in enumerate(own)
    ]
    return pd.DataFrame(lines).assign(share_random=[0.1, 0.12, 0.09, 0.1] * 2, gini=np.nan)


def test_each_baseline_is_held_against_the_best_row_by_row():
    zero, nearest = sum_up_curves(curves())
    assert nearest.verdict.endswith("the best of these")
    assert "0.49 behind nearest" in zero.verdict
    assert "gini" not in zero.means


def randomised(ssim):
    line = {"baseline": "nearest", "row_id": "0", "layers": "", "baseline_in_class": np.nan}
    states = [("control", "", 1.0), ("refitted", "top", 0.1), ("fixed", "top", 0.7)]
    return pd.DataFrame([
        line
        | {"state": state, "layers": layers, "spearman": alike, "spearman_signed": 0.0}
        | {"ssim": alike if ssim else np.nan}
        for state, layers, alike in states
    ])


def test_ssim_decides_where_rows_are_pictures_else_ranks_do():
    assert [deciding(randomised(ssim=one)) for one in (True, False)] == ["ssim", "spearman"]


def test_a_fixed_baseline_is_told_as_no_fair_test():
    control, refitted, fixed = sum_up_randomised(randomised(ssim=True))
    assert control.verdict.startswith("holds")
    assert refitted.verdict.startswith("falls")
    assert "no fair test" in fixed.verdict
