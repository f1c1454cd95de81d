"""The only file that prints: results on stdout, talk, progress and the closing table on stderr."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, Protocol, TextIO, TypeAlias

from xplain_cli.errors import RefusedError
from xplain_cli.plan import finite
from xplain_cli.quality.closing_table import BLUE, RED, RESET, drawn, printable, table_lines
from xplain_cli.quality.summary import Summary
from xplain_cli.remote import redact, redact_all

EVERY = 10.0  # seconds between lines of progress
_STYLES = {
    "bold": "\x1b[1m",
    "up": RED,
    "down": BLUE,
    "raises": "\x1b[31;4m",  # underlined as well: colour must not carry it alone
    "lowers": "\x1b[34;3m",
}


@dataclass(frozen=True)
class Span:
    """
    A piece of a line.

    ``style`` is "", a name of ``_STYLES``, or two colours of a half block, "#rrggbb#rrggbb".
    """

    text: str
    style: str = ""


Line = tuple[Span, ...]


@dataclass(frozen=True)
class Canvas:
    """What stdout can show: how many columns, whether colours, whether blocks."""

    columns: int
    colour: bool
    blocks: bool

    @property
    def block(self) -> str:
        """A cell of a bar."""
        return "\u2588" if self.blocks else "#"

    @property
    def shade(self) -> str:
        """A cell of a bar within its interval."""
        return "\u2592" if self.blocks else "~"

    @property
    def mark(self) -> str:
        """A place on the scale of a bar."""
        return "\u258f" if self.blocks else "|"


def _ansi(style: str) -> str:
    """Return the control sequence of a style."""
    if not style.startswith("#"):
        return _STYLES.get(style, "")
    codes = []
    for ground, colour in ((38, style[1:7]), (48, style[8:])):
        red, green, blue = (int(colour[at : at + 2], 16) for at in (0, 2, 4))
        if os.environ.get("COLORTERM") in {"truecolor", "24bit"}:
            codes.append(f"{ground};2;{red};{green};{blue}")
        else:  # the cube of 256 colours
            level = [round(part / 51) for part in (red, green, blue)]
            codes.append(f"{ground};5;{16 + 36 * level[0] + 6 * level[1] + level[2]}")
    return f"\x1b[{';'.join(codes)}m"


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


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


class NoProgress:
    """Tells nothing."""

    def advance(self, rows: int, inputs: int = 0) -> None:
        """Count nothing."""

    def skip(self, rows: int) -> None:
        """Count nothing."""


class PeriodicProgress:
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


class ProgressBar:
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
        self._step(rows, spoken_speed(self._counter.pace(time.monotonic())))


def spoken_speed(pace: Pace) -> str:
    """Return rate and model inputs in words."""
    rate = pace.rows_per_second or 0.0
    shown = f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"
    return f"{shown} rows/s, {pace.model_inputs:,} model inputs"


def pace_line(pace: Pace) -> str:
    """Return the pace as a line."""
    if pace.total is None:
        return f"{pace.rows} rows done, {spoken_speed(pace)}"
    left = "" if pace.seconds_left is None else f", about {duration(pace.seconds_left)} left"
    return f"{pace.rows} of {pace.total} rows done, {spoken_speed(pace)}{left}"


def pace_event(pace: Pace) -> Mapping[str, Any]:
    """Return the pace as plain values."""
    return {
        "rows": pace.rows,
        "total": pace.total,
        "rows_per_second": pace.rows_per_second,
        "model_inputs": pace.model_inputs,
        "seconds_left": pace.seconds_left,
    }


Measures: TypeAlias = Callable[[int, Mapping[str, float]], None]
"""Is told the number of a step, and what was measured in it."""


class StepsTold:
    """Steps of known number, whose values are told now and then."""

    def __init__(self, noun: str, total: int, done: int) -> None:
        self._noun, self._total, self._done = noun, total, done
        self._start = self._last = time.monotonic()

    def is_time(self) -> bool:
        """Say whether about ten seconds have passed since it was so."""
        now = time.monotonic()
        if now - self._last < EVERY:
            return False
        self._last = now
        return True

    def _left(self, number: int) -> float:
        spent = time.monotonic() - self._start
        return spent / max(1, number - self._done) * (self._total - number)

    def text(self, number: int, values: Mapping[str, float], *, left: bool = True) -> str:
        """Return values in a line, and at most how long is left."""
        said = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
        if not left:
            return said
        rest = duration(self._left(number))
        return f"{number} of {self._total} {self._noun}: {said}, at most {rest} left"

    def event(self, number: int, values: Mapping[str, float]) -> Mapping[str, Any]:
        """Return the same as plain values."""
        known = {"step": number, "total": self._total, "seconds_left": self._left(number)}
        return known | {name: float(value) for name, value in values.items()}


def duration(seconds: float) -> str:
    """Return a time in the units that fit it."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"


class Console:
    """
    Where a command speaks.

    Parameters
    ----------
    quiet : bool
        Only results, warnings and errors.
    verbose : bool
        Details too.
    color : bool
        Colours where stderr is a terminal that has them and NO_COLOR is not set.
    progress : bool
        Progress: a bar on a terminal, else a line about every ten seconds.
    log_json : bool
        Talk as JSON lines, an object with an "event" each, for machines.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        color: bool = True,
        progress: bool = True,
        log_json: bool = False,
    ) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._color = color and not os.environ.get("NO_COLOR")
        self._progress = progress and not quiet
        self._log_json = log_json
        if verbose:
            logging.basicConfig(format="%(name)s: %(message)s")
            logging.getLogger("xplain_cli").setLevel(logging.DEBUG)

    @property
    def _terminal(self) -> bool:
        return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def _say(self, text: str) -> None:
        if sys.stderr is not None:  # closed by the caller
            with suppress(OSError):  # talk that cannot be told must not change what is done
                print(text, file=sys.stderr, flush=True)

    def _tell(self, kind: str, text: str, values: Mapping[str, Any] | None = None) -> None:
        """Say a line, or the event of that kind with its text or its *values*."""
        text, values = redact(text), redact_all(values)
        if self._log_json:
            self._say(json.dumps({"event": kind, **(values or {"text": text})}, allow_nan=False))
        else:
            self._say(text)

    def line(self, text: str) -> None:
        """Print a line of the result on stdout."""
        if sys.stdout is not None:
            print(printable(redact(text)), flush=True)

    def canvas(self) -> Canvas:
        """Return what stdout can show."""
        import shutil

        stdout = sys.stdout
        terminal = stdout is not None and stdout.isatty() and os.environ.get("TERM") != "dumb"
        return Canvas(
            columns=max(40, shutil.get_terminal_size((80, 24)).columns),
            colour=self._color and terminal,
            blocks=stdout is not None and _can_show(stdout, "\u2588\u2592\u258f\u2580"),
        )

    def draw(self, lines: Iterable[Line]) -> None:
        """Print lines of a result on stdout, in colour where it can be seen."""
        colour = self.canvas().colour
        watched = sys.stdout is not None and sys.stdout.isatty()
        for line in lines:
            pieces = [
                f"{_ansi(one.style)}{text}{RESET}" if colour and one.style else text
                for one in line
                for text in [drawn(redact(one.text), watched=watched)]
            ]
            if sys.stdout is not None:
                print("".join(pieces).rstrip(" "))

    def stream(self) -> BinaryIO:
        """
        Return stdout for the bytes of a result.

        Raises
        ------
        RefusedError
            The caller closed it.
        """
        if sys.stdout is None:
            raise RefusedError("stdout is closed; name a file or folder with --output")
        return sys.stdout.buffer

    def note(self, text: str) -> None:
        """Say what was decided, unless quiet."""
        if not self._quiet:
            self._tell("note", f"note: {printable(text)}", {"text": text})

    def detail(self, text: str) -> None:
        """Say what only ``--verbose`` wants to know."""
        if self._verbose:
            self._tell("detail", printable(text), {"text": text})

    def warn(self, text: str) -> None:
        """Say what endangers the result."""
        self._tell("warning", f"warning: {printable(text)}", {"text": text})

    def error(self, text: str) -> None:
        """Say why the command ends here, in one line."""
        text = " ".join(text.split())
        self._tell("error", f"error: {printable(text)}", {"text": text})

    @property
    def is_watched(self) -> bool:
        """Whether talk goes to a terminal."""
        return sys.stderr is not None and sys.stderr.isatty()

    def annotate(self, command: str) -> None:
        """Say a line that a CI system reads, in no form but its own."""
        self._say(printable(command))

    def trace(self, text: str) -> None:
        """Print the trace of an error as it is."""
        self._tell("trace", text.rstrip("\n"))

    @contextmanager
    def progress(self, total: int | None) -> Iterator[Progress]:
        """Show how many of *total* rows are done (None: unknown) while the block runs."""
        if not self._progress:
            yield NoProgress()
        elif self._terminal and not self._log_json and not os.environ.get("CI"):
            with self._rich_step(total, "rows") as step:
                yield ProgressBar(total, step)
        else:
            yield PeriodicProgress(
                total, lambda now: self._tell("progress", pace_line(now), pace_event(now))
            )

    @contextmanager
    def _rich_step(self, total: int | None, noun: str) -> Iterator[Callable[[int, str], None]]:
        from rich.console import Console as Screen
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        speed = TextColumn("{task.fields[speed]}")
        bar = (TextColumn(noun), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        screen = Screen(stderr=True, no_color=not self._color)
        # stdout carries results: rich must not send it to the screen of stderr
        with RichProgress(
            *bar, speed, console=screen, transient=True, redirect_stdout=False
        ) as rich:
            task = rich.add_task(noun, total=total, speed="")
            yield lambda rows, text: rich.update(task, advance=rows, speed=text, refresh=False)

    @contextmanager
    def measures(self, noun: str, total: int, done: int) -> Iterator[Measures]:
        """
        Show numbers that change from step to step while the block runs, and the time left.

        Parameters
        ----------
        noun
            What a step is called, in the plural.
        total, done
            Steps in all, and those that an earlier process has done.
        """
        told = StepsTold(noun, total, done)
        if not self._progress:
            yield lambda _number, _values: None
        elif self._terminal and not self._log_json and not os.environ.get("CI"):
            with self._rich_step(total, noun) as step:
                step(done, "")
                yield lambda number, values: step(1, told.text(number, values, left=False))
        else:

            def tell(number: int, values: Mapping[str, float]) -> None:
                if told.is_time():
                    text, event = told.text(number, values), told.event(number, values)
                    self._tell("progress", text, event)

            yield tell

    def event(self, kind: str, text: str, values: Mapping[str, Any]) -> None:
        """Say a line, unless quiet; with JSON lines an event of that kind with its values."""
        if not self._quiet:
            self._tell(kind, text, values)

    def summary(self, summary: Summary) -> None:
        """Print the strongest features and how far to trust them, unless quiet."""
        if self._quiet or sys.stderr is None:
            return
        if self._log_json:
            self._tell("summary", "", finite(asdict(summary)))
            return
        self._say("\n".join(["", *self._table(summary, sys.stderr)]))

    def table(self, summary: Summary) -> None:
        """Print the same on stdout, as the result of a command."""
        if sys.stdout is not None:
            for line in self._table(summary, sys.stdout):
                print(line)

    def _table(self, summary: Summary, stream: TextIO) -> list[str]:
        """Return the closing table of a run."""
        block = "\u2588" if _can_show(stream, "\u2588") else "#"
        color = self._color and stream.isatty() and os.environ.get("TERM") != "dumb"
        told = tuple(replace(one, reason=redact(one.reason)) for one in summary.failures)
        return table_lines(replace(summary, failures=told), block, color=color)


def open_console(values: Mapping[str, Any], notes: Iterable[str]) -> Console:
    """Return the console that a command's options ask for, having said the notes."""
    console = Console(
        quiet=values["quiet"],
        verbose=values.get("verbose", False),
        color=not values.get("no_color", False),
        progress=not values.get("no_progress", False),
        log_json=values.get("log_json", False),
    )
    for note in notes:
        console.note(note)
    return console
