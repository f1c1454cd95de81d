"""Annotations and job summaries stay within the limits of GitHub, and inert."""

from xplain_cli.quality.checks import Check
from xplain_cli.report.github import MOST_ANNOTATIONS, MOST_SUMMARY, annotations, job_summary


def failed(name, message="missed", rows=()):
    return Check(name, failed=True, message=message, rows=rows)


def test_a_failed_check_is_one_line_with_its_rows():
    checks = [
        Check("met", failed=False, message="fine"),
        failed("drift", "share 0.2", ("p3", "p9")),
    ]
    assert annotations("diff", checks) == [
        "::error title=xplain diff%3A drift::share 0.2%0Aworst rows: p3, p9"
    ]


def test_no_more_are_said_than_are_shown():
    lines = annotations("gate", [failed(f"g{i}") for i in range(25)])
    assert len(lines) == MOST_ANNOTATIONS
    assert "16 more: g9, g10" in lines[-1]


def test_a_hostile_row_cannot_begin_a_command_of_its_own():
    (line,) = annotations("gate", [failed("a,b:c%", "x\n::set-env name=A::b\r", ("\n::stop::",))])
    assert "\n" not in line
    assert "\r" not in line
    assert line.startswith("::error title=xplain gate%3A a%2Cb%3Ac%25::")


def test_the_summary_lists_what_failed_first():
    text = job_summary("gate", [Check("met", failed=False, message="fine"), failed("drift")])
    assert text.startswith("### xplain gate: 1 of 2 checks failed")
    assert text.index("drift") < text.index("met")


def test_the_summary_shows_markup_as_text():
    text = job_summary("gate", [failed("<img src=x>", "| [a](http://b) `c`\n# d")])
    assert "<img" not in text
    assert "[a](" not in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3


def test_the_summary_is_never_too_long_for_github():
    text = job_summary("gate", [failed("x" * 10_000, "\u00e9" * 10_000) for _ in range(5_000)])
    assert len(text.encode()) <= MOST_SUMMARY
