"""The page of several runs that differ in their baseline: links to each, and how far they agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xplain_cli.output.cells import MOST_LETTERS, cleaned
from xplain_cli.report.items import number
from xplain_cli.report.page import fill

MOST_LINES = 100
_MEASURES = {
    "topk_jaccard": "Overlap of the sets of the strongest features, 0 to 1.",
    "kendall_tau": "How alike the features are ordered, -1 to 1.",
    "sign_agreement": "Share of the strongest features that keep their sign.",
}


@dataclass(frozen=True)
class ComparisonLine:
    """One explanation under all baselines: its first reason under each, and how far they agree."""

    row_id: str
    target: str
    firsts: str
    changes: bool
    figures: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """
    What the page of several runs says.

    Attributes
    ----------
    runs
        (baseline, link to its page).
    figures
        (name, figure, meaning).
    selection, lines
        The explanations that agree least, and how they were chosen.
    """

    runs: tuple[tuple[str, str], ...]
    figures: tuple[tuple[str, str, str], ...]
    selection: str
    lines: tuple[ComparisonLine, ...]


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


def _lines(frame: pd.DataFrame) -> tuple[ComparisonLine, ...]:
    order = ["same_first_reason", "sign_agreement", "kendall_tau"]
    least = frame.sort_values(order, kind="stable").head(MOST_LINES)
    return tuple(
        ComparisonLine(
            cleaned(line["row_id"]),
            cleaned(line["target"]),
            cleaned(line["first_reasons"], 4 * MOST_LETTERS),
            not line["same_first_reason"],
            tuple(float(line[name]) for name in _MEASURES),
        )
        for line in frame.loc[least.index].to_dict("records")
    )


def render_comparison(baselines: Sequence[str], links: Sequence[str], frame: pd.DataFrame) -> bytes:
    """
    Return the page of several runs as HTML.

    Parameters
    ----------
    baselines, links
        What each run was compared with, and where its page is.
    frame
        The lines of agreement.csv.
    """
    lines = _lines(frame)
    many = f"The {len(lines)} of {len(frame)}" if len(lines) < len(frame) else f"All {len(lines)}"
    page = Comparison(
        runs=tuple(zip(map(cleaned, baselines), links, strict=True)),
        figures=_figures(frame),
        selection=f"{many} explanations, those whose first reason changes before the others;"
        " first reasons stand in the order of the baselines.",
        lines=lines,
    )
    title = f"Explanations under {len(baselines)} baselines"
    return fill("comparison.html", {"title": title, "page": page})
