"""Tells CI systems what was judged: JUnit XML, annotations, the summary of a job."""

import os
from collections.abc import Sequence
from pathlib import Path

from xplain_cli.console import Console
from xplain_cli.errors import RefusedError
from xplain_cli.options import runs
from xplain_cli.quality.checks import Check
from xplain_cli.remote import redact
from xplain_cli.runs.paths import parents_of, write_atomically


def _wants_github(asked: runs.Gates, console: Console) -> bool:
    """Say whether GitHub reads along: as asked, else where its variable is set and no one looks."""
    if asked.github is not None:
        return asked.github
    return bool(os.environ.get("GITHUB_ACTIONS")) and not console.is_watched


def _append(path: str, text: str) -> None:
    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        raise RefusedError(
            f"{path}: the job summary (GITHUB_STEP_SUMMARY) cannot be written: {error.strerror}"
        ) from error


def announce(checks: Sequence[Check], asked: runs.Gates, command: str, console: Console) -> None:
    """
    Write what was judged in the forms of CI that were asked for.

    Raises
    ------
    RefusedError
        A file cannot be written.
    """
    told = [
        Check(
            redact(check.name),
            check.failed,
            redact(check.message),
            tuple(map(redact, check.rows)),
            check.seconds,
        )
        for check in checks
    ]
    if asked.junit:
        from xplain_cli.report.junit import render_junit

        path = Path(asked.junit)
        with parents_of(path, "--junit"):
            write_atomically(path, render_junit(f"xplain {command}", told), "--junit")
    if _wants_github(asked, console) and told:
        from xplain_cli.report.github import annotations, job_summary

        for line in annotations(command, told):
            console.annotate(line)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            _append(summary, job_summary(command, told))
