"""How far a run is: rows, rate, model inputs and time left; for people, logs and machines."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

EVERY = 10.0  # seconds between lines


class Progress(Protocol):
    """What a running job tells of itself."""

    def advance(self, rows: int, inputs: int = 0) -> None:
        """Count rows that are done now, and the model inputs that they took."""

    def skip(self, rows: int) -> None:
        """Count rows that an earlier run has done."""


@dataclass(frozen=True)
class Pace:
    """
    How far a run is.

    Attributes
    ----------
    rows, total
        Rows done, of how many (None: unknown).
    model_inputs
        What the model was asked for them, the shared pool aside.
    rows_per_second
        Since this process began; None before the first row.
    seconds_left
        At this rate; None where it is not known.
    """

    rows: int
    total: int | None
    model_inputs: int
    rows_per_second: float | None
    seconds_left: float | None


class Counter:
    """Counts rows, and knows the pace."""

    def __init__(self, total: int | None, start: float) -> None:
        self._total = total
        self._start = start
        self._rows = self._skipped = self._inputs = 0

    def skip(self, rows: int) -> None:
        """Count rows that took no time now."""
        self._skipped += rows

    def advance(self, rows: int, inputs: int) -> None:
        """Count rows that are done."""
        self._rows += rows
        self._inputs += inputs

    def pace(self, now: float) -> Pace:
        """Return how far the run is at a time of the clock ``time.monotonic``."""
        spent = max(now - self._start, 1e-9)
        rate = self._rows / spent if self._rows else None
        done = self._rows + self._skipped
        left = None if rate is None or self._total is None else (self._total - done) / rate
        return Pace(done, self._total, self._inputs, rate, left)


class Silent:
    """Tells nothing."""

    def advance(self, rows: int, inputs: int = 0) -> None:
        """Count nothing."""

    def skip(self, rows: int) -> None:
        """Count nothing."""


class Periodic:
    """Tells the pace about every ten seconds, for logs and machines."""

    def __init__(self, total: int | None, tell: Callable[[Pace], None]) -> None:
        self._last = time.monotonic()
        self._counter = Counter(total, self._last)
        self._tell = tell

    def skip(self, rows: int) -> None:
        """Count rows that an earlier run has done."""
        self._counter.skip(rows)

    def advance(self, rows: int, inputs: int = 0) -> None:
        """Count rows that are done now, and tell of them if it is time."""
        self._counter.advance(rows, inputs)
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self._tell(self._counter.pace(now))


class Bar:
    """Moves a bar, which shows a text beside it."""

    def __init__(self, total: int | None, step: Callable[[int, str], None]) -> None:
        self._counter = Counter(total, time.monotonic())
        self._step = step

    def skip(self, rows: int) -> None:
        """Count rows that an earlier run has done."""
        self._counter.skip(rows)
        self._step(rows, "")

    def advance(self, rows: int, inputs: int = 0) -> None:
        """Count rows that are done now."""
        self._counter.advance(rows, inputs)
        self._step(rows, speed(self._counter.pace(time.monotonic())))


def speed(pace: Pace) -> str:
    """Return rate and model inputs in words."""
    rate = pace.rows_per_second or 0.0
    shown = f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"
    return f"{shown} rows/s, {pace.model_inputs:,} model inputs"


def line(pace: Pace) -> str:
    """Return the pace as a line."""
    if pace.total is None:
        return f"{pace.rows} rows done, {speed(pace)}"
    left = "" if pace.seconds_left is None else f", about {duration(pace.seconds_left)} left"
    return f"{pace.rows} of {pace.total} rows done, {speed(pace)}{left}"


def event(pace: Pace) -> Mapping[str, Any]:
    """Return the pace as plain values."""
    return {
        "rows": pace.rows,
        "total": pace.total,
        "rows_per_second": pace.rows_per_second,
        "model_inputs": pace.model_inputs,
        "seconds_left": pace.seconds_left,
    }


def duration(seconds: float) -> str:
    """Return a time in the units that fit it."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"
