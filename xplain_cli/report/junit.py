"""Checks as JUnit XML, the form in which CI systems read what failed."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from xplain_cli.quality.checks import Check

_FORBIDDEN = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""Characters that XML 1.0 has no form for."""


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _case(suite: str, check: Check) -> str:
    names = f"classname={_attribute(suite)} name={_attribute(check.name)}"
    head = f'{names} time="{check.seconds:.3f}"'
    if not check.failed:
        said = f"<system-out>{escape(_clean(check.message))}</system-out>"
        return f"    <testcase {head}>{said}</testcase>"
    detail = "\n".join([check.message, *(f"row {row}" for row in check.rows)])
    return (
        f"    <testcase {head}>\n"
        f'      <failure type="xplain" message={_attribute(check.message)}>'
        f"{escape(_clean(detail))}</failure>\n    </testcase>"
    )


def render_junit(suite: str, checks: Sequence[Check]) -> bytes:
    """
    Return checks as a JUnit document of one suite; equal checks give equal bytes.

    It holds what the schema of the Jenkins xUnit plugin (junit-10.xsd) and its readers in GitLab,
    Azure and Buildkite have in common, and no time of day.
    """
    failures = sum(check.failed for check in checks)
    seconds = sum(check.seconds for check in checks)
    counts = f'tests="{len(checks)}" failures="{failures}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites {counts} time="{seconds:.3f}">',
        f'  <testsuite name={_attribute(suite)} {counts} skipped="0" time="{seconds:.3f}">',
        *(_case(suite, check) for check in checks),
        "  </testsuite>",
        "</testsuites>",
        "",
    ]
    return "\n".join(lines).encode("utf-8")
