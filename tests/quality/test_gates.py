"""The verdicts of --fail-on."""

import math

import pandas as pd
import pytest

from xplain_cli.quality.gates import GateResult, judge, parse_gates


def lines(values=(0.1, 0.3, 0.2, None), status=None, **columns):
    n = len(values)
    frame = {
        "row_id": [f"r{i}" for i in range(n)],
        "status": status or ["ok"] * n,
        "residual": pd.Series(values, dtype=float),
        **columns,
    }
    return pd.DataFrame(frame)


def verdict(text, frame):
    (result,) = judge(parse_gates(text), frame)
    assert result.text == text
    return result.observed, result.missed, result.worst


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("residual>0.15", (2, True, "r1")),
        ("residual>0.5", (0, False, None)),
        ("abs(residual)<=0.1", (1, True, "r0")),
        ("min(residual)<0.05", (0.1, False, "r0")),
        ("max(residual)>=0.3", (0.3, True, "r1")),
        ("median(residual)>1", (0.2, False, "r1")),
        ("p50(residual)==0.2", (0.2, True, "r1")),
        ("p25(residual)>0.1", (0.15000000000000002, True, "r1")),
        ("max(abs(residual))>1e-3", (0.3, True, "r1")),
        ("abs(min(residual))>+.2", (0.1, False, "r1")),
        ("share(residual>0.15)>0.5", (2 / 3, True, "r1")),
        ("share(residual>0.15)<0.5", (2 / 3, False, "r0")),
        ("count(residual<0.25) > 1", (2, True, "r0")),
        ("count(failed)>0", (0, False, None)),
        ("count(residual>5)==0", (0, True, None)),
        ("count(status!=ok)>0", (0, False, None)),
    ],
)
def test_each_form_is_judged(text, expected):
    assert verdict(text, lines()) == expected


def test_mean_leaves_missing_values_out():
    observed, missed, _ = verdict("mean(residual)>1", lines())
    assert (observed, missed) == (pytest.approx(0.2), False)


FAILED = ["ok", "ok", "ok", "failed"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("residual>5", (1, True, "r3")),
        ("residual<-5", (1, True, "r3")),
        ("max(residual)>5", (math.inf, True, "r3")),
        ("min(residual)<-5", (-math.inf, True, "r3")),
        ("mean(residual)>5", (math.inf, True, "r3")),
        ("p95(residual)>5", (math.inf, True, "r3")),
        ("p5(residual)<-5", (-math.inf, True, "r3")),
        ("median(residual)!=0.2", (0.2, True, "r3")),
        ("abs(max(residual))<0.1", (0.3, True, "r3")),
        ("share(residual>5)>0.2", (0.25, True, "r3")),
        ("share(residual<5)<0.9", (0.75, True, "r3")),
        ("count(residual>5)==3", (1, True, "r3")),
        ("count(failed)>0", (1, True, "r3")),
        ("count(status==failed)>0", (1, True, "r3")),
        ("count(status==ok)<3", (3, False, "r3")),
    ],
)
def test_a_failed_row_violates_gates_on_its_values(text, expected):
    assert verdict(text, lines(status=FAILED)) == expected


def test_a_failed_row_beyond_the_percentile_does_not_miss_it():
    frame = lines([0.1] * 99 + [None], status=["ok"] * 99 + ["failed"])
    assert verdict("p95(residual)>0.15", frame)[:2] == (0.1, False)
    assert verdict("p99(residual)>0.15", frame)[:2] == (math.inf, True)


def test_text_columns_are_compared_by_words():
    frame = lines(precision=["stable", "unstable", None, "exact"], target=["a b", "1", "1", "c"])
    assert verdict("count(precision==unstable)>0", frame) == (1, True, "r1")
    assert verdict("precision!=stable", frame) == (2, True, "r1")
    assert verdict('count(target=="a b")>0', frame) == (1, True, "r0")
    assert verdict("share(target==1)>0.9", frame) == (0.5, False, "r1")


def test_no_value_is_not_missed():
    frame = lines([None, None])
    gates = parse_gates("max(residual)>0, share(residual>0)>=0,residual>0")
    assert judge(gates, frame) == [
        GateResult("max(residual)>0", None, missed=False, worst=None),
        GateResult("share(residual>0)>=0", None, missed=False, worst=None),
        GateResult("residual>0", 0, missed=False, worst=None),
    ]


def test_only_failed_rows_miss_every_gate():
    frame = lines([None], status=["failed"])
    gates = parse_gates(
        "max(residual)>9, p50(residual)==9, share(residual<0)>0.9, mean(residual)<-9"
    )
    assert [result.missed for result in judge(gates, frame)] == [True] * 4


def test_no_lines_miss_nothing():
    gates = parse_gates("max(residual)>0, count(failed)>0, precision==exact")
    assert [result.missed for result in judge(gates, [])] == [False] * 3


def test_frames_are_judged_as_one():
    frame = lines()
    gates = parse_gates("p95(residual)>0.15, share(residual>0.15)>0.1, residual>0.2")
    assert judge(gates, iter([frame[:1], frame[1:]])) == judge(gates, frame)
