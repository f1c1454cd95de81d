"""The summary of a run, part by part."""

from dataclasses import replace

import pytest
from written import some_records

from xplain_cli.quality.summary import FeatureLine, Tally
from xplain_cli.runs.finished import find_run


def test_tallies_merged_are_the_tally_of_all(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, "-n", "64", "-r", "2", "--chunk-rows", "7")
    assert run(*command, "-o", "out").code == 0
    parts = list(find_run(str(tmp_path / "out")).records())
    whole, merged = Tally(3), Tally(3)
    for records in parts:
        whole.add(records)
        one = Tally(3)
        one.add(records)
        merged.merge(one)
    assert merged.summary() == whole.summary()


def test_a_tally_adds_up_parts():
    tally = Tally(top_k=1)
    tally.add(some_records([0, 1]))
    tally.add(some_records([2], failed=1))
    summary = tally.summary()
    assert summary.features == (
        FeatureLine("a", 2.0, 0.0, pytest.approx(0.2), 1.0),
        FeatureLine("b", 1.0, 1.0, pytest.approx(0.1), 0.0),
    )
    assert (summary.rows, summary.failed) == (3, 1)
    assert summary.precision == {"exact": 0, "stable": 3, "usable": 0, "unstable": 0}
    assert summary.fidelity == {"good": 0, "fair": 0, "poor": 3}
    assert summary.quantiles == {
        "max_rel_se": pytest.approx((0.02, 0.029)),
        "local_r2": pytest.approx((0.1, 0.1)),
        "sign_probability": (0.999, 0.999),
        "locality": (0.5, 0.5),
    }


def test_a_tally_of_nothing_is_empty():
    assert Tally().summary().features == ()


def test_a_table_may_keep_a_column_that_texts_have():
    tally, records = Tally(), some_records([0, 1])
    tally.add(replace(records, stability=records.stability.assign(segmentation="manual")))
    assert tally.summary().notes == ()


@pytest.mark.parametrize(
    ("scale", "baseline", "advice"),
    [
        ("probability", "mean", "--output-scale log-odds, or another baseline (-b)"),
        ("raw", "mean", "another baseline (-b)"),
        ("raw", "background", "other rows as --background, or a larger lime:kernel_width"),
    ],
)
def test_where_nothing_moves_the_answer_only_what_can_be_typed_is_advised(scale, baseline, advice):
    tally, records = Tally(), some_records([0])
    said = records.stability.assign(output_scale=scale, baseline=baseline)
    tally.add(replace(records, weights=records.weights.assign(weight=0.0), stability=said))
    (note,) = tally.summary().notes
    assert note.endswith(f"no weight is above rounding: nothing moves the answer; try {advice}")
