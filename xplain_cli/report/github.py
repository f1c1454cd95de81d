"""Checks as GitHub shows them: annotations of a step, and Markdown for the summary of its job."""

from collections.abc import Sequence

from xplain_cli.errors import counted
from xplain_cli.output.cells import cleaned
from xplain_cli.quality.checks import Check

MOST_ANNOTATIONS = 10
"""Errors that GitHub shows of one step; it drops what follows."""
MOST_SUMMARY = 1_000_000
"""Bytes of the summary of a step; GitHub refuses one of more than a mebibyte."""
_MOST_LINES = 200
_MOST_MESSAGE = 4_000
_MARKDOWN = str.maketrans({
    **{sign: f"\\{sign}" for sign in "\\`*_{}[]()#+-.!|~@:"},
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
})


def _data(text: str) -> str:
    """Return a message as workflow commands want it: a line, whatever it holds."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _annotation(title: str, text: str) -> str:
    return f"::error title={_property(cleaned(title))}::{_data(text[:_MOST_MESSAGE])}"


def annotations(command: str, checks: Sequence[Check]) -> list[str]:
    """
    Return a workflow command for each failed check, at most as many as GitHub shows.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    failed = [check for check in checks if check.failed]
    shown = failed if len(failed) <= MOST_ANNOTATIONS else failed[: MOST_ANNOTATIONS - 1]
    lines = []
    for check in shown:
        rows = f"\nworst rows: {', '.join(map(cleaned, check.rows))}" if check.rows else ""
        lines.append(_annotation(f"xplain {command}: {check.name}", check.message + rows))
    if len(failed) > len(shown):
        rest = ", ".join(cleaned(check.name) for check in failed[len(shown) :])
        lines.append(_annotation(f"xplain {command}", f"{len(failed) - len(shown)} more: {rest}"))
    return lines


def _cell(text: str, most: int = 300) -> str:
    return cleaned(text, most).translate(_MARKDOWN)


def job_summary(command: str, checks: Sequence[Check]) -> str:
    """Return checks as a Markdown table, those that failed first; within GitHub's limits."""
    order = sorted(checks, key=lambda check: not check.failed)  # stable
    failed = sum(check.failed for check in checks)
    said = (
        f"{failed} of {len(checks)} checks failed" if failed else f"all {len(checks)} checks hold"
    )
    lines = [f"### xplain {command}: {said}", "", "| | check | what was seen | worst rows |"]
    lines.append("|---|---|---|---|")
    for check in order[:_MOST_LINES]:
        mark = ":x:" if check.failed else ":white_check_mark:"
        rows = _cell(", ".join(map(cleaned, check.rows)), 500)
        lines.append(f"| {mark} | {_cell(check.name)} | {_cell(check.message, 1000)} | {rows} |")
    if len(order) > _MOST_LINES:
        lines.append(f"\n{counted(len(order) - _MOST_LINES, 'more check')} not shown.")
    text = "\n".join([*lines, "", ""])
    return text if len(text.encode()) <= MOST_SUMMARY else f"### xplain {command}: {said}\n\n"
