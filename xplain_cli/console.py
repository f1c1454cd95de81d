"""The only file that prints: results on stdout, talk, progress and the closing table on stderr."""

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, BinaryIO, TextIO

from xplain_cli import progress as pace
from xplain_cli.errors import RefusedError
from xplain_cli.plan import finite
from xplain_cli.progress import Progress
from xplain_cli.quality.summary import FeatureLine, Summary
from xplain_cli.remote import all_told, told

_HALF_BAR = 12  # characters
_NAME = 32  # characters of a feature name
_RED, _BLUE, _RESET = "\x1b[31m", "\x1b[34m", "\x1b[0m"
# the bad end of a column, in the words of --fail-on
_PRECISION = (("max_rel_se", "p95"), ("topk_jaccard", "p5"), ("sign_probability", "p5"))
_FIDELITY = (("local_r2", "p5"),)
_LOCALITY = (("locality", "p95"),)


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
        text, values = told(text), all_told(values)
        if self._log_json:
            self._say(json.dumps({"event": kind, **(values or {"text": text})}, allow_nan=False))
        else:
            self._say(text)

    def line(self, text: str) -> None:
        """Print a line of the result on stdout."""
        if sys.stdout is not None:
            print(_printable(told(text)), flush=True)

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
            self._tell("note", f"note: {_printable(text)}", {"text": text})

    def detail(self, text: str) -> None:
        """Say what only ``--verbose`` wants to know."""
        if self._verbose:
            self._tell("detail", _printable(text), {"text": text})

    def warn(self, text: str) -> None:
        """Say what endangers the result."""
        self._tell("warning", f"warning: {_printable(text)}", {"text": text})

    def error(self, text: str) -> None:
        """Say why the command ends here, in one line."""
        text = " ".join(text.split())
        self._tell("error", f"error: {_printable(text)}", {"text": text})

    def trace(self, text: str) -> None:
        """Print the trace of an error as it is."""
        self._tell("trace", text.rstrip("\n"))

    @contextmanager
    def progress(self, total: int | None) -> Iterator[Progress]:
        """Show how many of *total* rows are done (None: unknown) while the block runs."""
        if not self._progress:
            yield pace.Silent()
        elif self._terminal and not self._log_json and not os.environ.get("CI"):
            with self._rich_bar(total) as bar:
                yield bar
        else:
            yield pace.Periodic(
                total, lambda now: self._tell("progress", pace.line(now), pace.event(now))
            )

    @contextmanager
    def _rich_bar(self, total: int | None) -> Iterator[Progress]:
        from rich.console import Console as Screen
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        speed = TextColumn("{task.fields[speed]}")
        bar = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        screen = Screen(stderr=True, no_color=not self._color)
        # stdout carries results: rich must not send it to the screen of stderr
        with RichProgress(
            *bar, speed, console=screen, transient=True, redirect_stdout=False
        ) as rich:
            task = rich.add_task("rows", total=total, speed="")
            yield pace.Bar(
                total, lambda rows, text: rich.update(task, advance=rows, speed=text, refresh=False)
            )

    def summary(self, summary: Summary) -> None:
        """Print the strongest features and how far to trust them, unless quiet."""
        if self._quiet or sys.stderr is None:
            return
        if self._log_json:
            self._tell("summary", "", finite(asdict(summary)))
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
        log_json=values.get("log_json", False),
    )
    for note in notes:
        console.note(note)
    return console
