"""The figures of a page as files, SVG and PNG, for slides and papers."""

import re
from collections.abc import Iterator
from pathlib import Path

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.report.cards import Card, answers
from xplain_cli.report.dependence import SHOWN, dependence
from xplain_cli.report.figures import FORMS, Box, Figure, Label, Mark, Stroke, content, fitted
from xplain_cli.report.items import number
from xplain_cli.report.ranking import FEWEST
from xplain_cli.report.source import PageSource
from xplain_cli.report.swarm import beeswarm
from xplain_cli.report.waterfall import waterfall
from xplain_cli.runs.paths import parents_of, write_atomically

MOST_WATERFALLS = 100
_FIRST = 3  # waterfalls where no row was asked for
_NAMES, _FIELD, _FIGURES, _LINE, _BAR, _HEAD = 250.0, 400.0, 90.0, 24.0, 14.0, 34.0


def _plain(text: str) -> str:
    """Return what of a text can stand in the name of a file anywhere."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:40]


def importance(source: PageSource) -> Figure:
    """Return the strongest features: mean |weight|, what lowers left and what raises right."""
    lines = source.whole.features
    longest = max((max(f.rising, f.weight - f.rising) for f in lines), default=0.0) or 1.0
    zero, reach = _NAMES + _FIELD / 2, _FIELD / 2 - 10
    marks: list[Mark] = [Label(10, 20, "mean weight: lowers / raises; mean |weight|", size=13)]
    for at, line in enumerate(lines):
        y = _HEAD + _LINE * at
        down, up = (reach * part / longest for part in (line.weight - line.rising, line.rising))
        marks += [
            Label(_NAMES - 10, y + 16, fitted(line.feature, _NAMES - 16), "end"),
            Box(zero - down, y + (_LINE - _BAR) / 2, down, _BAR, "down"),
            Box(zero, y + (_LINE - _BAR) / 2, up, _BAR, "up"),
            Label(_NAMES + _FIELD + 10, y + 16, number(line.weight, 4)),
        ]
    bottom = _HEAD + _LINE * len(lines)
    marks.append(Stroke(((zero, _HEAD), (zero, bottom)), "soft"))
    title = "The strongest features: how much each lowers and raises the target on average"
    return Figure(_NAMES + _FIELD + _FIGURES, bottom + 10, tuple(marks), title)


def _of_card(card: Card) -> Figure:
    return waterfall(card.steps, f"Row {card.item.row_id}: {card.heading}")


def figures(source: PageSource) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of a run, each with the name of its files."""
    cloud = source.cloud
    if cloud is not None:
        yield "importance", importance(source)
    if cloud is not None and len(cloud.weights) >= FEWEST:
        yield "beeswarm", beeswarm(cloud)
        for at in range(min(SHOWN, len(cloud.features))):
            figure = dependence(cloud, at)
            if figure is not None:
                yield f"dependence-{at + 1}-{_plain(cloud.features[at])}", figure
    most = _FIRST if source.choice.wanted.is_open else MOST_WATERFALLS
    for place, card in enumerate(answers(source)[:most], start=1):
        yield f"waterfall-{place}-{_plain(card.item.row_id)}", _of_card(card)


def check_plots(plots: str) -> None:
    """
    Check that figures can go where they are wanted, before anything is written.

    Raises
    ------
    UsageError
        No folder is named.
    RefusedError
        It is a file.
    """
    if not plots.strip():
        raise UsageError("--plots is empty; name a folder, such as figures, or . for this one")
    if Path(plots).exists() and not Path(plots).is_dir():
        raise RefusedError(f"{plots}: is a file, and figures go into a folder; name another")


def write_plots(source: PageSource, folder: Path) -> list[Path]:
    """
    Write the figures of a run into a folder, each as SVG and as PNG; return their paths.

    Raises
    ------
    RefusedError
        The folder cannot be made, or a file not written.
    """
    written = []
    for name, figure in figures(source):
        for form in FORMS:
            path = folder / f"{name}{form}"
            with parents_of(path, "--plots"):
                write_atomically(path, content(figure, path), "--plots")
            written.append(path)
    return written
