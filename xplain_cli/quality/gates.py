"""Gates: the conditions of --fail-on, the rows that may fail, the exit code."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray
from xplain_cli.quality.gate_language import (
    COMPARE,
    STABILITY,
    Condition,
    Gate,
    GateTable,
    parse_gates,
    percent,
)

__all__ = [
    "STABILITY",
    "Gate",
    "GateResult",
    "GateTable",
    "exit_code",
    "judge",
    "parse_gates",
    "tolerated",
]

_MOST_ROWS, _MOST_LINES = 10, 100  # of several targets a row has several lines
_DIRECTION = {">": 1, ">=": 1, "<": -1, "<=": -1}


@dataclass(frozen=True)
class GateResult:
    """
    How one gate was judged.

    Attributes
    ----------
    text
        The gate as written.
    observed
        The function's value, or for a bare gate the number of offending lines; ``None`` where no
        line has a value (such a gate is not missed).
    missed
        The failing condition holds.
    worst
        ``row_id`` of the line that speaks most for failing, ``None`` where there is none.
    rows
        ``row_id`` of the lines that speak most for failing, at most ten, the worst first.
    name
        What the user calls the gate; empty: by its text.
    """

    text: str
    observed: float | None
    missed: bool
    worst: str | None
    rows: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class _Lines:
    """The stability lines of a run, by column."""

    columns: dict[str, NDArray[Any]]
    row_ids: NDArray[Any]
    failed: BoolArray
    empty: BoolArray


def _gather(gates: Iterable[Gate], frames: Iterable[pd.DataFrame]) -> _Lines:
    names = {gate.inner.column for gate in gates} - {"failed"}
    texts = {gate.inner.column for gate in gates if gate.inner.is_text}
    kinds = {name: object if name in texts else np.float64 for name in names}
    pieces: dict[str, list[NDArray[Any]]] = {name: [] for name in (*names, "row_id", "status")}
    for frame in frames:
        for name, found in pieces.items():
            found.append(frame[name].to_numpy(kinds.get(name, object), na_value=np.nan))
    joined = {
        name: np.concatenate(found) if found else np.array([], kinds.get(name, object))
        for name, found in pieces.items()
    }
    failed, empty = (np.asarray(joined["status"] == word, bool) for word in ("failed", "empty"))
    return _Lines(joined, joined["row_id"], failed, empty)


def _read(lines: _Lines, inner: Condition) -> tuple[NDArray[Any], BoolArray, BoolArray]:
    """Return a column's values, where they are missing, and which lines failed for its sake."""
    if inner.column == "failed":
        return lines.failed, np.zeros_like(lines.failed), np.zeros_like(lines.failed)
    values = lines.columns[inner.column]
    values = np.abs(values) if inner.is_absolute else values
    # That a row failed is known of it; all else it was asked for is not.
    failed = lines.failed & (inner.column != "status")
    # In an empty row there is nothing that could be wrong.
    unknown = pd.isna(values) | (lines.empty & (inner.column != "status"))
    return values, np.asarray(unknown, bool) & ~failed, failed


def _percentile(values: FloatArray, at: float) -> float:
    """Return the linearly interpolated percentile, with infinities where failed rows reach."""
    ordered = np.sort(values)
    place = (len(ordered) - 1) * at / 100
    low, high = float(ordered[math.floor(place)]), float(ordered[math.ceil(place)])
    if low == high or math.isinf(low):
        return low
    return high if math.isinf(high) else low + (place - math.floor(place)) * (high - low)


def _aggregate(function: str, values: FloatArray) -> float:
    simple: dict[str, Callable[[FloatArray], Any]] = {"min": np.min, "max": np.max, "mean": np.mean}
    if function in simple:
        return float(simple[function](values))
    return _percentile(values, percent(function) or 0.0)


def _worst(lines: _Lines, candidates: BoolArray, score: FloatArray) -> tuple[str, ...]:
    """Return the ids of the candidates of highest score, each once, the worst first."""
    chosen = np.flatnonzero(candidates)
    order = chosen[np.argsort(-score[chosen], kind="stable")]
    return tuple(dict.fromkeys(str(row) for row in lines.row_ids[order[:_MOST_LINES]]))[:_MOST_ROWS]


def _result(
    gate: Gate, observed: float | None, rows: tuple[str, ...], *, missed: bool
) -> GateResult:
    worst = rows[0] if rows else None
    return GateResult(gate.text, observed, missed, worst, rows, gate.name)


def _offending(lines: _Lines, gate: Gate) -> tuple[BoolArray, BoolArray, BoolArray, FloatArray]:
    """
    Return which lines meet a gate's condition, which have a value, which failed, and by how much.

    The last is a score: the higher, the more a line speaks for failing.
    """
    inner = gate.inner
    values, missing, failed = _read(lines, inner)
    if inner.column == "failed":
        return values, ~missing, failed, np.zeros(len(values))
    # Compared only where there is a value: text columns hold NaN among words.
    meets = np.zeros(len(values), bool)
    known = ~missing & ~failed
    compared = values[known].astype(str) if inner.is_text else values[known]
    meets[known] = COMPARE[inner.operator](compared, inner.value)
    # A failed row counts on the side that misses the gate.
    meets |= failed & (_DIRECTION.get(gate.operator, 1) > 0)
    score = np.zeros(len(values))
    if not inner.is_text:
        score = np.where(known, values, 0.0) * _DIRECTION.get(inner.operator, 0)
    return meets, ~missing, failed, np.where(failed, np.inf, score)


def _judge_lines(lines: _Lines, gate: Gate) -> GateResult:
    """Judge a bare condition, a share or a count."""
    meets, valued, failed, score = _offending(lines, gate)
    count, total = int(meets.sum()), int(valued.sum())
    if not gate.function:
        return _result(gate, count, _worst(lines, meets, score), missed=count > 0)
    if gate.function == "share" and total == 0:
        return _result(gate, None, (), missed=False)
    observed: float = count / total if gate.function == "share" else count
    missed = bool(COMPARE[gate.operator](observed, gate.limit))
    if gate.operator not in _DIRECTION:
        missed = missed or bool(failed.any())
    wants_more = _DIRECTION.get(gate.operator, 1) < 0
    candidates = valued & ~meets if wants_more else meets
    worst = _worst(lines, candidates, np.where(failed, np.inf, -score) if wants_more else score)
    return _result(gate, observed, worst, missed=missed)


def _judge_aggregate(lines: _Lines, gate: Gate) -> GateResult:
    """Judge a minimum, maximum, mean or percentile."""
    values, missing, failed = _read(lines, gate.inner)
    direction = _DIRECTION.get(gate.operator, 0)
    # Where no infinity stands for failing (== and !=, or a low |value|), any failed row misses.
    is_forced = bool(failed.any()) and (direction == 0 or (gate.is_absolute and direction < 0))
    filled = np.where(failed, np.inf * (direction or 1), values)
    used = ~missing & ~failed if is_forced else ~missing
    score = np.where(failed, np.inf, np.where(missing, 0.0, values) * (direction or 1))
    worst = _worst(lines, ~missing, score)
    if not used.any():
        return _result(gate, None, worst, missed=is_forced)
    observed = _aggregate(gate.function, filled[used])
    observed = abs(observed) if gate.is_absolute else observed
    missed = bool(COMPARE[gate.operator](observed, gate.limit)) or is_forced
    return _result(gate, observed, worst, missed=missed)


def judge(
    gates: Sequence[Gate], stability: pd.DataFrame | Iterable[pd.DataFrame]
) -> list[GateResult]:
    """
    Judge a run; a gate is missed when its condition holds.

    A line whose ``status`` is "failed" violates every gate on its values: it offends a bare gate,
    counts on the missing side of a share or count, is plus or minus infinity in the failing
    direction of an aggregate, and with ``==`` or ``!=`` misses it. An "empty" line violates none:
    only gates on ``status`` look at it. Of an explained line a missing value offends nothing and is
    left out, also of a share's total.

    Parameters
    ----------
    stability
        The lines of ``stability.csv``, one frame or several; only the named columns are kept.
    """
    frames = [stability] if isinstance(stability, pd.DataFrame) else stability
    lines = _gather(gates, frames)
    kinds = {"": _judge_lines, "share": _judge_lines, "count": _judge_lines}
    return [kinds.get(gate.function, _judge_aggregate)(lines, gate) for gate in gates]


def tolerated(text: str, rows: int) -> int:
    """
    Read ``--max-failed N|P%`` for a number of rows.

    Raises
    ------
    UsageError
        Neither a number of rows nor a share.
    """
    number = text.removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if value < 0 or (text.endswith("%") and value > 100):
        raise UsageError(f"--max-failed {text!r}: expected a number of rows, or a share like 5%")
    return int(value * rows / 100) if text.endswith("%") else int(value)


def exit_code(*, missed: bool, failed: int, allowed: int) -> int:
    """Return 1 for a missed gate, which beats 4 for more failed rows than are allowed; else 0."""
    if missed:
        return 1
    return 4 if failed > allowed else 0
