"""What a command that judges has found, one line a check: gates, hashes, closed forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """
    One thing that was judged.

    Attributes
    ----------
    name
        What it is called; unique in a command.
    failed
        Whether it does not hold.
    message
        What was seen, in a line.
    rows
        The ids of the rows that speak most for failing, the worst first.
    seconds
        How long it took; 0 where nobody measured it.
    """

    name: str
    failed: bool
    message: str
    rows: tuple[str, ...] = ()
    seconds: float = 0.0


def gate_message(gate: Mapping[str, Any]) -> str:
    """Return a gate, given as plain values, with what was observed."""
    seen = "no value" if gate["observed"] is None else f"{gate['observed']:.6g}"
    worst = f", worst row {gate['worst']}" if gate["worst"] is not None else ""
    return f"{gate['text']} (observed {seen}{worst})"


def gate_checks(gates: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Return judged gates as checks."""
    return [
        Check(
            gate.get("name") or gate["text"],
            bool(gate["missed"]),
            gate_message(gate),
            tuple(gate.get("rows", ())) if gate["missed"] else (),
        )
        for gate in gates
    ]
