"""The page of runs that differ in baseline or method: links to each, and how far they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from xplain_cli.output.cells import MOST_LETTERS, cleaned
from xplain_cli.report.album import Album
from xplain_cli.report.items import Image, number
from xplain_cli.report.page import fill
from xplain_cli.runs.paths import RunPlace

MOST_LINES = 100
_MEASURES = {
    "topk_jaccard": "Overlap of the sets of the strongest features, 0 to 1.",
    "kendall_tau": "How alike the features are ordered, -1 to 1.",
    "sign_agreement": "Share of the strongest features that keep their sign.",
}


@dataclass(frozen=True)
class ComparisonLine:
    """One explanation in all runs: its first reason in each, and how far they agree."""

    row_id: str
    target: str
    firsts: str
    changes: bool
    figures: tuple[float, ...]
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """
    What the page of several runs says.

    Attributes
    ----------
    noun
        What the runs differ in: ``baseline`` or ``method``.
    runs
        (what of it each run has, link to its page).
    figures
        (name, figure, meaning).
    selection, lines
        The explanations that agree least, and how they were chosen.
    """

    noun: str
    runs: tuple[tuple[str, str], ...]
    figures: tuple[tuple[str, str, str], ...]
    selection: str
    lines: tuple[ComparisonLine, ...]

    @property
    def pictured(self) -> bool:
        """Whether runs drew pictures."""
        return any(line.images for line in self.lines)


def _figures(frame: pd.DataFrame) -> tuple[tuple[str, str, str], ...]:
    found = []
    for name, meaning in _MEASURES.items():
        known = frame[name].to_numpy(dtype=float)
        known = known[np.isfinite(known)]
        middle = f"median {number(float(np.median(known)))}" if len(known) else "unknown"
        found.append((name, middle, meaning))
    changed = int((~frame["same_first_reason"].astype(bool)).sum())
    said = f"changes in {changed} of {len(frame)} explanations"
    return (("first reason", said, "The feature of greatest weight differs."), *found)


def _images(row_id: str, number: int, albums: Mapping[str, Album]) -> tuple[Image, ...]:
    """Return what each run drew of a row's target with this number."""
    found = (album.panel(row_id, number, text) for text, album in albums.items())
    return tuple(image for image in found if image is not None)


def _lines(frame: pd.DataFrame, albums: Mapping[str, Album]) -> tuple[ComparisonLine, ...]:
    order = ["same_first_reason", "sign_agreement", "kendall_tau"]
    least = frame.sort_values(order, kind="stable").head(MOST_LINES)
    numbers = frame.groupby("row_id").cumcount()
    return tuple(
        ComparisonLine(
            cleaned(line["row_id"]),
            cleaned(line["target"]),
            cleaned(line["first_reasons"], 4 * MOST_LETTERS),
            not line["same_first_reason"],
            tuple(float(line[name]) for name in _MEASURES),
            _images(str(line["row_id"]), int(numbers[at]), albums),
        )
        for at, line in zip(least.index, frame.loc[least.index].to_dict("records"), strict=True)
    )


def render_comparison(
    noun: str,
    texts: Sequence[str],
    links: Sequence[str],
    frame: pd.DataFrame,
    places: Sequence[tuple[RunPlace, Path]] = (),
) -> bytes:
    """
    Return the page of several runs as HTML.

    Parameters
    ----------
    noun, texts, links
        What the runs differ in, ``baseline`` or ``method``; what each has of it; where its page is.
    frame
        The lines of agreement.csv.
    places
        Where each run stands, and where this page will: for the pictures that runs drew.
    """
    count = len(places) * min(len(frame), MOST_LINES)
    albums = {
        cleaned(text): Album(place, page, count)
        for text, (place, page) in zip(texts, places, strict=False)
    }
    lines = _lines(frame, albums)
    many = f"The {len(lines)} of {len(frame)}" if len(lines) < len(frame) else f"All {len(lines)}"
    page = Comparison(
        noun=noun,
        runs=tuple(zip(map(cleaned, texts), links, strict=True)),
        figures=_figures(frame),
        selection=f"{many} explanations, those whose first reason changes before the others;"
        f" first reasons stand in the order of the {noun}s.",
        lines=lines,
    )
    title = f"Explanations under {len(texts)} {noun}s"
    return fill("comparison.html", {"title": title, "page": page})
