"""Judges a run by its gates and its failed rows, and tells the exit code."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from xplain_cli.console import Console
from xplain_cli.explanation import Records
from xplain_cli.output import prune
from xplain_cli.quality.gates import Gate, GateResult, exit_code, judge, parse_gates
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
    for gate in judged:
        seen = "no value" if gate.observed is None else f"{gate.observed:.6g}"
        worst = f", worst row {gate.worst}" if gate.worst is not None else ""
        text = f"{gate.text} (observed {seen}{worst})"
        if gate.missed:
            console.warn(f"gate FAILED: {text}")
        else:
            console.note(f"gate ok: {text}")
    return [asdict(gate) for gate in judged]


def conclude(gates: Sequence[dict[str, Any]], failed: int, allowed: int, console: Console) -> int:
    """Tell of failed rows that are too many, and return the exit code of a run."""
    if failed > allowed:
        console.warn(
            f"{failed} rows failed, more than the {allowed} that --max-failed tolerates; their"
            " reasons stand in column error of the stability report"
        )
    missed = any(gate["missed"] for gate in gates)
    return exit_code(missed=missed, failed=failed, allowed=allowed)


def judge_run(run: str, fail_on: str, console: Console) -> int:
    """
    Judge a finished run by conditions and return the exit code: 0, or 1 for a missed gate.

    Raises
    ------
    XplainError
        There is no finished run, or a condition cannot be read.
    """
    gates = parse_gates(fail_on)
    with brought_here(run) as folder:
        found = find_run(folder)
        lines = (written(records, found.marker.top_k) for records in found.records())
        return conclude(judge_gates(gates, lines, console), 0, 0, console)
