"""What is said on stderr: the closing table, progress, and what quiet leaves."""

import json
import math
import re

from written import some_records

from xplain_cli.console import Console, Counter, Pace
from xplain_cli.quality.failures import Failure
from xplain_cli.quality.summary import FeatureLine, Subject, Summary, Tally


def test_the_closing_table_keeps_three_lines_apart(capsys):
    tally = Tally()
    tally.add(some_records([0, 1], failed=1))
    Console().summary(tally.summary(notes=("see stability.csv",)))
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.splitlines()[1:] == [
        "Explained       malignant (probability), mean prediction 0.5",
        "Compared with   mean, mean base value 0.25",
        "",
        "feature  mean |weight|  std_error   in top 5        - down|up +",
        "a                    2        0.2       100%  ████████████|",
        "b                    1        0.1       100%              |██████",
        "",
        "Precision (sampling error)      2 stable",
        f"{'':<32}max_rel_se       median 0.015, p95 0.0195",
        f"{'':<32}sign_probability median 0.999, p5 0.999",
        "Fidelity (does it agree)        2 poor",
        f"{'':<32}local_r2         median 0.1, p5 0.1",
        "Locality (1: own bins alone)    locality         median 0.5, p95 0.5",
        "Rows                            2 explained, 1 failed",
        "  1 failed                      a.csv: line 3 is ragged",
        "see stability.csv",
    ]


def test_averages_over_several_targets_say_so(capsys):
    subject = Subject({"a": 3, "b\x1b": 1}, "raw", "median", 0.5, 0.25)
    Console().summary(Summary((), 4, 0, {}, {}, {}, subject=subject))
    assert capsys.readouterr().err.splitlines()[1:4] == [
        "Explained       2 targets (raw): a in 3, b\\x1b in 1, mean prediction 0.5",
        "Compared with   median, mean base value 0.25",
        "Averaged over   all 2 targets",
    ]


def test_a_summary_without_rows_is_shown(capsys):
    Console().summary(Summary((), 0, 3, {}, {}, {}))
    assert "Precision (sampling error)      unknown" in capsys.readouterr().err


def test_quiet_leaves_results_warnings_and_errors(capsys):
    console = Console(quiet=True)
    console.note("n")
    console.detail("d")
    console.summary(Tally().summary())
    with console.progress(3) as progress:
        progress.advance(3)
    console.warn("w")
    console.error("e")
    console.line("r")
    assert capsys.readouterr() == ("r\n", "warning: w\nerror: e\n")


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 4.0, 20.0, 21.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with Console().progress(100) as progress:
        for _ in range(3):
            progress.advance(10, 32)
    assert capsys.readouterr() == (
        "",
        "20 of 100 rows done, 1.0 rows/s, 64 model inputs, about 1 min left\n",
    )


def test_names_cannot_steer_the_terminal(capsys):
    Console().summary(Summary((FeatureLine("a\x1b[2J", 1.0, 1.0, 0.1, 1.0),), 1, 0, {}, {}, {}))
    Console().warn("column '\x07'")
    seen = capsys.readouterr().err
    assert "\x1b" not in seen
    assert "a\\x1b[2J" in seen
    assert "warning: column '\\x07'" in seen


def test_machines_are_told_in_json_lines(capsys, monkeypatch):
    clock = iter([0.0, 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    console = Console(log_json=True)
    console.note("n")
    with console.progress(100) as progress:
        progress.advance(10, 32)
    console.summary(Summary((), 0, 3, {}, {}, {"local_r2": (math.nan, 0.5)}))
    console.error("e\nf")
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event.pop("event") for event in events] == ["note", "progress", "summary", "error"]
    assert events[0] == {"text": "n"}
    assert events[1] == {
        "rows": 10,
        "total": 100,
        "rows_per_second": 0.5,
        "model_inputs": 32,
        "seconds_left": 180.0,
    }
    assert (events[2]["failed"], events[2]["quantiles"]) == (3, {"local_r2": [None, 0.5]})
    assert events[3] == {"text": "e f"}


def test_rows_of_an_earlier_run_do_not_count_as_speed():
    counter = Counter(100, 0.0)
    counter.skip(50)
    counter.advance(10, 0)
    assert counter.pace(5.0) == Pace(60, 100, 0, 2.0, 20.0)


def test_the_summary_names_the_most_frequent_reasons_of_failed_rows(capsys):
    failures = (Failure("line 3 is ragged", 1200, ("r3",)), Failure(f"a\x1b[2J{'x' * 900}", 2, ()))
    Console().summary(Summary((), 0, 1202, {}, {}, {}, failures=failures))
    *_, first, second = capsys.readouterr().err.splitlines()
    assert first == f"{'  1,200 failed':<31} line 3 is ragged"
    assert second.startswith(f"{'  2 failed':<31} a\\x1b[2Jxxx")
    assert len(second) < 450


def test_what_is_measured_at_each_step_is_told_with_the_time_left(monkeypatch, capsys):
    monkeypatch.setattr("xplain_cli.console.EVERY", 0.0)
    with Console(log_json=True).measures("steps", 40, 10) as tell:
        tell(11, {"class": 0.25})
    told = json.loads(capsys.readouterr().err)
    assert told.pop("seconds_left") >= 0
    assert told == {"event": "progress", "step": 11, "total": 40, "class": 0.25}
    with Console().measures("steps", 40, 0) as tell:
        tell(10, {"class": 0.25})
    assert re.fullmatch(
        r"10 of 40 steps: class 0\.25, at most \d+ s left\n", capsys.readouterr().err
    )
    with Console(quiet=True).measures("steps", 40, 0) as tell:
        tell(10, {"class": 0.25})
    Console(quiet=True).event("snapshot", "a line", {"step": 1})
    assert not capsys.readouterr().err
