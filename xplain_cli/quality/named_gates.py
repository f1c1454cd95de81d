"""The tables that conditions can speak of, and gates that a project gives names."""

from collections.abc import Iterable
from dataclasses import replace

from xplain_cli.errors import UsageError
from xplain_cli.quality.gate_language import STABILITY, Gate, GateTable, parse_gates

DIFF_COLUMNS = (
    *("row_id", "target", "prediction_old", "prediction_new", "first_reason_old"),
    *("first_reason_new", "first_reason_changed", "n_changed", "kendall_tau", "topk_jaccard"),
    *("sign_flips", "verdict", "first_reason_differs", "values_changed"),
)
"""Columns of diff_rows.csv."""
VERDICTS = ("same", "noise", "model", "data", "question", "failed")
"""What moved a row between two runs: nothing, the draws alone, the model, its values or the
background, the question (``--across``); or it failed in one of the runs."""
DIFF_ROWS = GateTable(
    "diff_rows.csv",
    DIFF_COLUMNS,
    dict.fromkeys(("row_id", "target", "first_reason_old", "first_reason_new"), ())
    | {"verdict": VERDICTS},
    frozenset({"first_reason_changed", "first_reason_differs", "values_changed"}),
)
REASON_COLUMNS = ("row_id", "target", "n_reasons", "abstained", "margin", "n_forbidden", "why")
"""What is judged of the reasons of each row on the wrong side."""
REASON_ROWS = GateTable(
    "the reasons of each row",
    REASON_COLUMNS,
    dict.fromkeys(("row_id", "target", "why"), ()),
    frozenset({"abstained"}),
)
_TABLES = (STABILITY, DIFF_ROWS, REASON_ROWS)


def _readable(condition: str, table: GateTable) -> bool:
    try:
        parse_gates(condition, table)
    except UsageError:
        return False
    return True


def gates_of(
    fail_on: str | None,
    named: Iterable[str],
    table: GateTable = STABILITY,
    *,
    of_all: bool = False,
) -> tuple[tuple[Gate, ...], list[str]]:
    """
    Return the gates of a command, and notes on those that are for other commands.

    Parameters
    ----------
    fail_on
        The text of ``--fail-on``, which must be readable here.
    named
        NAME=CONDITION each; a project's gates are for all commands, and each takes those whose
        columns its table has.
    of_all
        Whether *fail_on* was written for all commands too, by a project file.

    Raises
    ------
    UsageError
        A condition can be read by no command.
    """
    asked = [("", fail_on)] if fail_on else []
    asked += [(name, condition) for name, _, condition in (one.partition("=") for one in named)]
    names = [name for name, _ in asked if name]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--gate {twice!r}: stands there twice; names are unique")
    gates: list[Gate] = []
    notes = []
    for name, condition in asked:
        called = f"gate {name!r}" if name else "--fail-on"
        lenient = (bool(name) or of_all) and not _readable(condition, table)
        other = next((t for t in _TABLES if t is not table and _readable(condition, t)), None)
        if lenient and other is not None:
            notes.append(f"{called} is not judged here: it speaks of {other.file}")
            continue
        gates += [replace(gate, name=name) for gate in parse_gates(condition, table, called)]
    return tuple(gates), notes
