"""The page of sanity checks: one question under several baselines, and which answers hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray
from xplain_cli.output.cells import cleaned
from xplain_cli.quality.glossary import terms
from xplain_cli.quality.sanity import Average
from xplain_cli.quality.sanity_summary import (
    CONTROL,
    CURVE_MEASURES,
    LIKENESS,
    CurveLine,
    RandomisedLine,
    sum_up_curves,
    sum_up_randomised,
)
from xplain_cli.report.items import number
from xplain_cli.report.page import fill
from xplain_cli.report.pixels import picture_address, weights_address

_FIRST, _SIGNS = 3, ("\u2212", "+")


@dataclass(frozen=True)
class Exhibit:
    """
    One row and what each run says of it.

    Attributes
    ----------
    row_id, target
        Which, and what is explained.
    names
        Of each run, of each feature; a run may name fewer.
    weights
        Of each run (n,).
    picture : (h, w) or None
        The row, where it is a picture that may be shown.
    maps
        Of each run the weights (h, w); empty without a picture.
    """

    row_id: str
    target: str
    names: tuple[tuple[str, ...], ...]
    weights: tuple[FloatArray, ...]
    picture: FloatArray | None = None
    maps: tuple[FloatArray, ...] = ()

    @property
    def question(self) -> str:
        """What is asked, in words."""
        plus, against, minus = self.target.partition(":vs:")
        return cleaned(f"Why {plus} and not {minus}?" if against else f"Why {plus}?")

    @property
    def shown(self) -> list[str]:
        """Of each run its map as an address; empty without a picture."""
        return [weights_address(one) for one in self.maps]

    @property
    def said(self) -> list[str]:
        """Of each run its strongest features in words."""
        return [
            _strongest(names, weights)
            for names, weights in zip(self.names, self.weights, strict=True)
        ]

    @property
    def address(self) -> str:
        """The row as an address; empty where it is not shown."""
        return "" if self.picture is None else picture_address(self.picture)


def _strongest(names: Sequence[str], weights: FloatArray) -> str:
    order = np.argsort(-np.abs(weights[: len(names)]), kind="stable")[:_FIRST]
    said = [
        f"{cleaned(names[at])} ({_SIGNS[int(weights[at] > 0)]})"
        for at in order.tolist()
        if weights[at]
    ]
    return ", ".join(said) or "nothing"


@dataclass(frozen=True)
class SanityFacts:
    """What was checked: model, rows, target, method, and the baseline of each run."""

    model: str
    rows: str
    target: str
    method: str
    baselines: tuple[str, ...]


def _figure(mean: Average | None) -> str:
    if mean is None or not mean.count:
        return "\u2013"
    error = f" \u00b1 {number(mean.error, 2)}" if mean.count > 1 else ""
    return f"{number(mean.value)}{error}"


@dataclass(frozen=True)
class CurveTable:
    """The table of curves.csv, and how it was measured."""

    replaced: int
    replacement: str
    explanations: int
    columns: tuple[tuple[str, str], ...]
    lines: tuple[CurveLine, ...]

    def cells(self, line: CurveLine) -> list[tuple[str, str]]:
        """Return the figures of a line, each with its word."""
        return [
            (_figure(line.means.get(name)), line.words.get(name, "")) for name, _ in self.columns
        ]


def _curve_table(frame: pd.DataFrame) -> CurveTable:
    lines = tuple(sum_up_curves(frame))
    known = [name for name in CURVE_MEASURES if any(name in line.means for line in lines)]
    first = frame.iloc[0]
    return CurveTable(
        int(first["n_replaced"]),
        cleaned(first["replacement"]),
        len(frame.drop_duplicates(["row_id", "target"])),
        tuple((name, CURVE_MEASURES[name]) for name in known),
        lines,
    )


@dataclass(frozen=True)
class RandomisedTable:
    """The table of randomization.csv."""

    columns: tuple[str, ...]
    lines: tuple[RandomisedLine, ...]

    def cells(self, line: RandomisedLine) -> list[str]:
        """Return the figures of a line."""
        return [_figure(line.means.get(name)) for name in self.columns]

    @staticmethod
    def what(line: RandomisedLine) -> str:
        """Return the state of the model in words."""
        if line.state == CONTROL:
            return "nothing: same model, other seed"
        return f"{line.layers}, baseline {line.state}"


def _randomised_table(frame: pd.DataFrame) -> RandomisedTable:
    lines = tuple(sum_up_randomised(frame))
    names = (*LIKENESS, "baseline_in_class")
    return RandomisedTable(
        tuple(name for name in names if any(name in line.means for line in lines)), lines
    )


def _words(names: Sequence[str]) -> list[tuple[str, str]]:
    known: Mapping[str, str] = terms()
    return [(name, known[name]) for name in dict.fromkeys(names) if name in known]


def render_sanity(
    facts: SanityFacts,
    curves: pd.DataFrame | None,
    randomised: pd.DataFrame | None,
    exhibits: Sequence[Exhibit],
) -> bytes:
    """
    Return the page of sanity checks as HTML.

    Parameters
    ----------
    facts
        What was checked.
    curves, randomised
        The lines of curves.csv and randomization.csv; None: not measured.
    exhibits
        The first rows.
    """
    table = None if curves is None else _curve_table(curves)
    drawn = None if randomised is None else _randomised_table(randomised)
    used = [name.partition(":")[0].partition("=")[0] for name in facts.baselines]
    used += ["baseline", *(name for name, _ in table.columns)] if table else []
    used += [*drawn.columns, CONTROL, "refitted", "fixed"] if drawn else []
    many = f"{len(facts.baselines)} baselines" if len(facts.baselines) > 1 else "one baseline"
    return fill(
        "sanity.html",
        {
            "title": f"One question under {many}, and which answers hold",
            "facts": facts,
            "table": table,
            "drawn": drawn,
            "exhibits": exhibits,
            "words": _words(used),
        },
    )
