"""The only file that prints: results on stdout, talk, progress and the closing table on stderr."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TextIO

from xplain_cli.errors import RefusedError
from xplain_cli.summary import FeatureLine, Summary

_EVERY = 10.0  # seconds between plain progress lines
_HALF_BAR = 12  # characters
_NAME = 32  # characters of a feature name
_RED, _BLUE, _RESET = "\x1b[31m", "\x1b[34m", "\x1b[0m"
# the bad end of a column, in the words of --fail-on
_PRECISION = (("max_rel_se", "p95"), ("topk_jaccard", "p5"), ("sign_probability", "p5"))
_FIDELITY = (("local_r2", "p5"),)
_LOCALITY = (("locality", "p95"),)


class Progress(Protocol):
    """What a running job tells of itself."""

    def advance(self, rows: int) -> None:
        """Count rows that are done."""


class _Silent:
    def advance(self, rows: int) -> None:
        pass


class _Lines:
    """A plain line about every ten seconds, for logs."""

    def __init__(self, total: int | None, say: Callable[[str], None]) -> None:
        self._total = total
        self._say = say
        self._done = 0
        self._start = self._last = time.monotonic()

    def advance(self, rows: int) -> None:
        self._done += rows
        now = time.monotonic()
        if now - self._last < _EVERY:
            return
        self._last = now
        if self._total is None:
            self._say(f"{self._done} rows done")
            return
        left = (now - self._start) / max(self._done, 1) * (self._total - self._done)
        self._say(f"{self._done} of {self._total} rows done, about {_duration(left)} left")


@dataclass(frozen=True)
class _Bar:
    step: Callable[[int], None]

    def advance(self, rows: int) -> None:
        self.step(rows)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"


def _printable(text: str) -> str:
    """Return the text with control characters spelled out: names in a file may hold ANSI codes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _bar(line: FeatureLine, longest: float, block: str, *, color: bool) -> str:
    """Return the two halves of a bar: what pushes the target down, left, and up, right."""
    scale = _HALF_BAR / longest if longest > 0 else 0.0
    down = block * round((line.weight - line.rising) * scale)
    up = block * round(line.rising * scale)
    left, right = " " * (_HALF_BAR - len(down)), " " * (_HALF_BAR - len(up))
    if color:
        down, up = f"{_BLUE}{down}{_RESET}", f"{_RED}{up}{_RESET}"
    return f"{left}{down}|{up}{right}"


def _feature_table(summary: Summary, block: str, *, color: bool) -> list[str]:
    from rich.cells import cell_len, set_cell_size  # a Chinese character is two cells wide

    lines = summary.features
    names = [_printable(line.feature) for line in lines]
    names = [n if cell_len(n) <= _NAME else set_cell_size(n, _NAME - 3) + "..." for n in names]
    width = max(len("feature"), *map(cell_len, names))
    longest = max(max(line.rising, line.weight - line.rising) for line in lines)
    head = f"{'feature':<{width}}  {'mean |weight|':>13}  {'std_error':>9}"
    table = [f"{head}  {f'in top {summary.top_k}':>9}  {'- down':>{_HALF_BAR}}|up +"]
    for name, line in zip(names, lines, strict=True):
        error = "-" if line.std_error != line.std_error else f"{line.std_error:.2g}"
        bar = _bar(line, longest, block, color=color).rstrip()
        figures = f"{line.weight:>13.4g}  {error:>9}  {line.top_share:>9.0%}"
        table.append(f"{set_cell_size(name, width)}  {figures}  {bar}")
    return table


def _verdict(
    name: str, words: dict[str, int], columns: tuple[tuple[str, str], ...], summary: Summary
) -> str:
    counts = ", ".join(f"{count} {word}" for word, count in words.items() if count)
    figures = [
        f"{column:<16} median {middle:.3g}, {tail} {end:.3g}"
        for column, tail in columns
        if column in summary.quantiles
        for middle, end in [summary.quantiles[column]]
    ]
    parts = [counts, *figures] if counts else figures
    return f"{name:<31} " + f"\n{'':<32}".join(parts or ["unknown"])


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
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        color: bool = True,
        progress: bool = True,
    ) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._color = color and not os.environ.get("NO_COLOR")
        self._progress = progress and not quiet
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

    def line(self, text: str) -> None:
        """Print a line of the result on stdout."""
        if sys.stdout is not None:
            print(_printable(text), flush=True)

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
            self._say(f"note: {_printable(text)}")

    def detail(self, text: str) -> None:
        """Say what only ``--verbose`` wants to know."""
        if self._verbose:
            self._say(_printable(text))

    def warn(self, text: str) -> None:
        """Say what endangers the result."""
        self._say(f"warning: {_printable(text)}")

    def error(self, text: str) -> None:
        """Say why the command ends here, in one line."""
        self._say(f"error: {_printable(' '.join(text.split()))}")

    def trace(self, text: str) -> None:
        """Print the trace of an error as it is."""
        self._say(text.rstrip("\n"))

    @contextmanager
    def progress(self, total: int | None) -> Iterator[Progress]:
        """Show how many of *total* rows are done (None: unknown) while the block runs."""
        if not self._progress:
            yield _Silent()
        elif self._terminal and not os.environ.get("CI"):
            with self._rich_bar(total) as bar:
                yield bar
        else:
            yield _Lines(total, self._say)

    @contextmanager
    def _rich_bar(self, total: int | None) -> Iterator[Progress]:
        from rich.console import Console as Screen
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        screen = Screen(stderr=True, no_color=not self._color)
        # stdout carries results: rich must not send it to the screen of stderr
        with RichProgress(*columns, console=screen, transient=True, redirect_stdout=False) as rich:
            task = rich.add_task("rows", total=total)
            yield _Bar(lambda rows: rich.advance(task, rows))

    def summary(self, summary: Summary) -> None:
        """Print the strongest features and how far to trust them, unless quiet."""
        if self._quiet or sys.stderr is None:
            return
        block = "\u2588" if _can_show(sys.stderr, "\u2588") else "#"
        lines = [""]
        if summary.features:
            color = self._color and self._terminal
            lines += [*_feature_table(summary, block, color=color), ""]
        lines += [
            _verdict("Precision (sampling error)", summary.precision, _PRECISION, summary),
            _verdict("Fidelity (is it linear there)", summary.fidelity, _FIDELITY, summary),
        ]
        if "locality" in summary.quantiles:
            lines.append(_verdict("Locality (1: own bins alone)", {}, _LOCALITY, summary))
        failed = f", {summary.failed} failed" if summary.failed else ""
        lines += [f"{'Rows':<31} {summary.rows} explained{failed}", *summary.notes]
        self._say("\n".join(lines))


def open_console(values: Mapping[str, Any], notes: Iterable[str]) -> Console:
    """Return the console that a command's options ask for, having said the notes."""
    console = Console(
        quiet=values["quiet"],
        verbose=values.get("verbose", False),
        color=not values.get("no_color", False),
        progress=not values.get("no_progress", False),
    )
    for note in notes:
        console.note(note)
    return console
