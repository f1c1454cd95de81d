"""Judges a run by its gates and its failed rows, and tells the exit code."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from xplain_cli.console import Console
from xplain_cli.errors import counted
from xplain_cli.explanation import Records
from xplain_cli.jobs.announce import announce
from xplain_cli.options import runs
from xplain_cli.output import prune
from xplain_cli.quality.checks import Check, gate_checks, gate_message
from xplain_cli.quality.gates import Gate, GateResult, exit_code, judge
from xplain_cli.quality.named_gates import gates_of
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import find_run


def written(records: Records, top_k: int | None) -> pd.DataFrame:
    """Return stability lines as they are written: with what ``--top-k`` leaves out."""
    return prune(records, top_k).stability


def judge_gates(
    gates: Sequence[Gate], stability: Iterable[pd.DataFrame], console: Console
) -> list[dict[str, Any]]:
    """Judge a run and tell each gate; return the results as plain values."""
    judged: list[GateResult] = judge(tuple(gates), stability) if gates else []
    found = [asdict(gate) for gate in judged]
    for gate in found:
        text = gate_message(gate)
        named = f" {gate['name']}" if gate["name"] else ""
        if gate["missed"]:
            console.warn(f"gate{named} FAILED: {text}")
        else:
            console.note(f"gate{named} ok: {text}")
    return found


@dataclass(frozen=True)
class Lost:
    """How many rows failed, and how many may."""

    failed: int = 0
    allowed: int = 0


def conclude(
    gates: Sequence[dict[str, Any]], lost: Lost, asked: runs.Gates, command: str, console: Console
) -> int:
    """
    Tell of failed rows that are too many, tell CI systems, and return the exit code of a run.

    Parameters
    ----------
    asked
        How CI systems are told.
    command
        What judges.
    """
    failed, allowed = lost.failed, lost.allowed
    checks = gate_checks(gates)
    if failed > allowed:
        text = (
            f"{counted(failed)} failed, more than the {allowed} that --max-failed tolerates; their"
            " reasons stand in column error of the stability report"
        )
        console.warn(text)
        checks.append(Check("failed rows", failed=True, message=text))
    announce(checks, asked, command, console)
    missed = any(gate["missed"] for gate in gates)
    return exit_code(missed=missed, failed=failed, allowed=allowed)


def judge_run(run: str, asked: runs.Gates, console: Console) -> int:
    """
    Judge a finished run by conditions and return the exit code: 0, or 1 for a missed gate.

    Parameters
    ----------
    asked
        The conditions, and how CI systems are told.

    Raises
    ------
    XplainError
        There is no finished run, or a condition cannot be read.
    """
    gates, notes = gates_of(asked.fail_on, asked.gate)
    for note in notes:
        console.note(note)
    with brought_here(run) as folder:
        found = find_run(folder)
        lines = (written(records, found.marker.top_k) for records in found.records())
        judged = judge_gates(gates, lines, console)
        return conclude(judged, Lost(), asked, "gate", console)
