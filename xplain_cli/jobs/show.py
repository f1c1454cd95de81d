"""``xplain show``: single rows of a finished run in the terminal, and as a figure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xplain_cli.console import Canvas, Console, Line, Span
from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import Records
from xplain_cli.modalities import story_of
from xplain_cli.output.cells import cleaned
from xplain_cli.quality.row_filter import RowFilter
from xplain_cli.report import screen
from xplain_cli.report.album import Album
from xplain_cli.report.figures import check_form, content
from xplain_cli.report.items import Item, Reason
from xplain_cli.report.running_texts import running_texts
from xplain_cli.report.selection import PageScope, read_exhibits
from xplain_cli.report.sentences import Wording, heading, sentences
from xplain_cli.report.waterfall import steps, waterfall
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import FinishedRun, find_run
from xplain_cli.runs.paths import parents_of, write_atomically

_KNOWN = 1000  # ids that a hint may come from


@dataclass(frozen=True)
class _Shown:
    """An explanation that is shown, with the pictures that were drawn of it."""

    item: Item
    reasons: list[Reason]
    pictures: tuple[Path, ...]


@dataclass(frozen=True)
class _Failed:
    """A row that could not be explained, and why."""

    row_id: str
    error: str


@dataclass(frozen=True)
class _Chosen:
    """The lines of a part that are shown."""

    records: Records
    lines: Sequence[int]

    @property
    def rows(self) -> set[int]:
        """The numbers of their rows in DATA."""
        return set(self.records.stability["row"].iloc[list(self.lines)].astype(int).tolist())


def _chosen(found: FinishedRun, rows: Sequence[str], target: str | None) -> Iterator[_Chosen]:
    """Yield the lines of the rows that are named, or of the first row."""
    wanted = RowFilter.of(rows, None)
    seen: set[str] = set()
    known: list[str] = []
    targets: set[str] = set()
    for records in found.records():
        told = records.stability
        ids = told["row_id"].astype(str)
        met = wanted.mask(told) if rows else (told["row"] == told["row"].iloc[0]).to_numpy()
        seen |= set(ids[met])
        known += ids.tolist()[: _KNOWN - len(known)]
        names = told["target"].astype(str)
        targets |= set(names[met])
        if target is not None:
            met = met & ((names == target) | told["status"].eq("failed")).to_numpy()
        if met.any():
            yield _Chosen(records, np.flatnonzero(met).tolist())
        if not rows:
            break
    wanted.check_found(seen, known)
    if target is not None and target not in targets:
        there = ", ".join(sorted(targets))
        raise UsageError(
            f"--target {target!r}: no such target of these rows{nearest(target, targets)}; they"
            f" have {there}"
        )


def _shown(
    chosen: Sequence[_Chosen], scope: PageScope, album: Album, texts: Mapping[int, str]
) -> Iterator[_Shown | _Failed]:
    """Yield the explanations of the chosen lines."""
    for records, line in ((part.records, line) for part in chosen for line in part.lines):
        told = records.stability
        said = told.iloc[line]
        if said["status"] == "failed":
            yield _Failed(cleaned(said["row_id"]), cleaned(said["error"], 400))
            continue
        place = int((told["row"].to_numpy()[:line] == said["row"]).sum())
        pictures = tuple(album.paths(str(said["row_id"]), place))
        for item, reasons in read_exhibits(records, [(int(line), "")], scope, texts=texts):
            yield _Shown(item, reasons, pictures)


def _lines(one: _Shown, manner: Wording, canvas: Canvas) -> Iterator[Line]:
    """Yield what the terminal shows of an explanation."""
    item = one.item
    yield (Span(f"Row {item.row_id}: {heading(item, manner)}", "bold"),)
    yield from screen.words(sentences(item, one.reasons, manner), canvas)
    yield ()
    if item.fragments:
        yield from screen.text_lines(item.fragments, canvas)
        yield ()
    for path in one.pictures[:1]:
        blocks = screen.picture(path, canvas)
        yield from (*blocks, ()) if blocks else ()
    yield from screen.bars(steps(item, one.reasons, manner.story), canvas)
    yield ()
    yield from screen.words([f"{'; '.join(item.tags)}."], canvas)
    for path in one.pictures:
        yield (Span(f"picture: {path}"),)


def _print(shown: Sequence[_Shown | _Failed], manner: Wording, console: Console) -> None:
    """Print explanations one after the other."""
    for at, one in enumerate(shown):
        if at:
            console.draw([()])
        if isinstance(one, _Failed):
            console.draw([(Span(f"Row {one.row_id} failed: {one.error}", "bold"),)])
        else:
            console.draw(_lines(one, manner, console.canvas()))


def _draw(shown: Sequence[_Shown], plot: str, manner: Wording) -> Path:
    """Write the waterfall of the one explanation that is shown."""
    path = Path(plot)
    if len(shown) != 1:
        raise UsageError(
            f"--plot {plot}: {len(shown)} explanations are shown, and a figure is of one; name it"
            " by --row and --target"
        )
    (one,) = shown
    title = f"Row {one.item.row_id}: {heading(one.item, manner)}"
    figure = waterfall(steps(one.item, one.reasons, manner.story), title)
    with parents_of(path, "--plot"):
        write_atomically(path, content(figure, path), "--plot")
    return path


def show_rows(
    run: str, rows: Sequence[str], target: str | None, plot: str | None, console: Console
) -> int:
    """
    Show rows of a finished run, and return the exit code 0.

    Parameters
    ----------
    rows
        Their ids; none: the first row.
    target
        Only this one.
    plot
        Where the waterfall goes; its suffix is the form.

    Raises
    ------
    XplainError
        There is no finished run, no such row or target, or the figure cannot be written.
    """
    if plot is not None:
        check_form(Path(plot))
    with brought_here(run) as folder:
        found = find_run(folder)
        facts = found.facts()
        story = story_of(facts["plan"]["numbers"]["modality"])
        manner = Wording.of(facts, story)
        scope = PageScope(story, facts["plan"]["selection"]["values"], None)
        chosen = list(_chosen(found, rows, target))
        numbers = set().union(*(part.rows for part in chosen))
        texts = running_texts(found, facts["plan"]["numbers"], scope, numbers)
        shown = list(_shown(chosen, scope, Album(found.place, Path()), texts.by_row))
        if not shown:
            raise RefusedError(f"{run}: holds no row")
        _print(shown, manner, console)
        if not texts.is_whole:
            console.note(texts.note)
        if not rows:
            console.note("the first row; --row ID shows another")
        if plot is not None:
            drawn = [one for one in shown if isinstance(one, _Shown)]
            console.note(f"figure: {_draw(drawn, plot, manner)}")
    return 0
