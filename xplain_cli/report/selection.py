"""Selects the explanations that the page of a run shows, and their lines."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import Records
from xplain_cli.modalities import Story
from xplain_cli.output.cells import cleaned
from xplain_cli.quality.row_filter import ALL_ROWS, RowFilter
from xplain_cli.quality.words import UNSTEADY
from xplain_cli.report.album import Album
from xplain_cli.report.items import (
    Fragment,
    Item,
    Reason,
    cell,
    joined_units,
    marked_text,
    number,
)

FIRST, LEAST_STABLE = 80, 20
"""Explanations of the first rows, and those with the largest errors of all others."""
MOST_REASONS = 8
"""Features in the table of one explanation."""


@dataclass(frozen=True)
class PageScope:
    """
    What of a run may be shown.

    Attributes
    ----------
    story
        What features are called.
    values
        Whether values, and names that are values too, may be shown.
    top_k
        How many weights the run's own files keep; None: all.
    """

    story: Story
    values: bool
    top_k: int | None

    @property
    def most_reasons(self) -> int:
        """How many features the table of one explanation has."""
        return min(MOST_REASONS, self.top_k or MOST_REASONS)

    def name(self, line: Mapping[str, Any]) -> str:
        """Return what a feature is called, or its number where its name is a value as well."""
        if self.hides_names:
            return f"{self.story.feature} {line['feature_index'] + 1}"
        return cleaned(line["feature"])

    @property
    def hides_names(self) -> bool:
        """Whether features may not be named."""
        return self.story.named_by_value and not self.values

    @property
    def joins_texts(self) -> bool:
        """Whether texts are put together from their features."""
        return self.story.in_spans and self.values

    @property
    def unranked(self) -> str:
        """Why features are not ranked over all rows; empty where they are."""
        if self.hides_names:
            return (
                f"The {self.story.feature}s of the {self.story.rows} are not shown (--no-values)."
            )
        return self.story.unranked


@dataclass
class Choice:
    """
    The first explanations of a run and the least stable of the others, part by part.

    ``wanted`` says of which rows; those that are named are all shown.
    """

    wanted: RowFilter = ALL_ROWS
    count: int = 0
    first: list[tuple[int, int]] = field(default_factory=list)
    others: list[tuple[float, int, int]] = field(default_factory=list)
    found: set[str] = field(default_factory=set)

    def add(self, part: int, stability: pd.DataFrame) -> None:
        """Look at the explanations of the part with this number."""
        met = self.wanted.mask(stability)
        explained = stability["status"].eq("ok").to_numpy() & met
        lines = np.flatnonzero(explained)
        self.count += len(lines)
        self.found |= set(stability["row_id"].astype(str)[met])
        room = len(lines) if self.wanted.rows else FIRST - len(self.first)
        self.first += [(part, int(line)) for line in lines[:room]]
        lines = lines[max(room, 0) :]
        errors = stability["max_rel_se"].to_numpy(dtype=float)[lines]
        errors = np.where(np.isnan(errors), -1.0, errors)
        best = np.argsort(-errors, kind="stable")[:LEAST_STABLE]
        found = [(-float(errors[i]), part, int(lines[i])) for i in best]
        self.others = sorted([*self.others, *found])[:LEAST_STABLE]

    @property
    def is_whole(self) -> bool:
        """Whether every explanation is shown."""
        return self.count <= FIRST + LEAST_STABLE or bool(self.wanted.rows)

    @property
    def _unstable(self) -> set[tuple[int, int]]:
        """The explanations that are shown for their errors."""
        if self.is_whole:
            return set()
        return {(part, line) for error, part, line in self.others if error < 0}

    def by_part(self) -> dict[int, list[tuple[int, str]]]:
        """Return the lines that are shown of each part, in order, and why if for their errors."""
        chosen = sorted([*self.first, *(pair for _, *pair in self.others)], key=tuple)
        found: dict[int, list[tuple[int, str]]] = {}
        for part, line in chosen:
            why = "Among the least stable." if (part, line) in self._unstable else ""
            found.setdefault(part, []).append((line, why))
        return found

    def numbered(self) -> dict[int, dict[int, int]]:
        """Return the place of each explanation that is shown, from 1, by part and line."""
        places = itertools.count(1)
        return {
            part: {line: next(places) for line, _ in lines}
            for part, lines in self.by_part().items()
        }

    def said(self) -> str:
        """Return which explanations are shown, and why these."""
        of = "" if self.wanted.is_open else f" of {cleaned(self.wanted.said, 400)}"
        if not self.count:
            return f"No explanation{of} is there to be shown." if of else "No row was explained."
        if self.is_whole:
            return f"All {self.count} explanations{of} are shown, in the order of the rows."
        unstable = len(self._unstable)
        first = FIRST + LEAST_STABLE - unstable
        text = (
            f"{FIRST + LEAST_STABLE} of {self.count} explanations{of} are shown: the first {first}"
        )
        if not unstable:
            return f"{text}, in the order of the rows; none has a sampling error."
        return (
            f"{text} in the order of the rows, and of the others the {unstable} with the largest"
            " sampling error (max_rel_se), which say so."
        )


def _has_baseline(lines: pd.DataFrame, shown: PageScope) -> bool:
    """Say whether a row has one baseline, whose values may be shown: of many, none is written."""
    if not shown.values or "baseline_value" not in lines:
        return False
    return bool(lines["baseline_value"].notna().any())


def _word(value: Any) -> str | None:
    return cleaned(value) if isinstance(value, str) else None


def reason_of(line: Mapping[str, Any], shown: PageScope, *, has_baseline: bool) -> Reason:
    """Return a line of weights as a reason, with what of it may be shown."""
    return Reason(
        name=shown.name(line),
        value=cell(line["feature_value"]) if shown.values else None,
        baseline=cell(line["baseline_value"]) if has_baseline else None,
        weight=float(line["weight"]),
        std_error=float(line["std_error"]),
        ci_low=float(line["ci_low"]),
        ci_high=float(line["ci_high"]),
        condition=_word(line.get("condition")) if shown.values else None,
    )


def _tags(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Return precision, fidelity and how well it adds up, in words and figures."""
    tags = []
    if isinstance(said["precision"], str):
        error = said["max_rel_se"]
        far = f" (largest error {error:.1%} of the largest weight)" if error > 0 else ""
        tags.append(f"Precision {said['precision']}{far}")
    if isinstance(said["fidelity"], str):
        fit = said["local_r2"]
        fit = f" (R\u00b2 {number(fit, 2)})" if math.isfinite(fit) else ""
        tags.append(f"fidelity {said['fidelity']}{fit}")
    elif math.isfinite(said["attribution_error"]):
        tags.append(f"attribution error {number(said['attribution_error'], 2)}")
    return tuple(tags)


def _rest(reasons: Sequence[Reason], n_features: int, shown: int) -> str:
    """Return what the table leaves out."""
    more, zero = len(reasons) - shown, n_features - len(reasons)
    words = []
    if more > 0:
        weight = sum(abs(reason.weight) for reason in reasons[shown:])
        words.append(f"{more} smaller weight{'s' * (more > 1)}, {number(weight)} in all")
    if zero > 0:
        words.append(f"{zero} of weight 0")
    return f"Not in the table: {' and '.join(words)}." if words else ""


def _count(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _fragments(
    units: Sequence[Mapping[str, Any]], lost: int, text: str | None
) -> tuple[Fragment, ...]:
    return joined_units(units, lost) if text is None else marked_text(text, units, lost)


def _exhibit(
    said: Mapping[str, Any], weights: pd.DataFrame, shown: PageScope, text: str | None
) -> tuple[Item, list[Reason]]:
    """Return an explanation and all its reasons of weight other than 0."""
    lines = weights.to_dict("records")
    own = [{str(key): value for key, value in line.items()} for line in lines]
    if said["precision"] == UNSTEADY:  # an error of 0 would read as a measured one
        own = [line | {"std_error": line["std_error"] or math.nan} for line in own]
    has_baseline = _has_baseline(weights, shown)
    moving = [line for line in own if line["weight"] != 0]
    reasons = [reason_of(line, shown, has_baseline=has_baseline) for line in moving]
    exhibit = Item(
        row_id=cleaned(said["row_id"]),
        target=str(said["target"]),
        prediction=float(said["prediction"]),
        base_value=float(said["base_value"]),
        total=float(weights["weight"].sum()),
        tags=_tags(said),
        reasons=tuple(reasons[: shown.most_reasons]),
        n_features=len(own),
        n_changed=_count(said.get("n_changed")),
        origin=_word(said.get("baseline_origin")),
        fragments=_fragments(own, _count(said.get("n_truncated")) or 0, text)
        if shown.joins_texts
        else (),
        rest=_rest(reasons, len(own), shown.most_reasons),
        words=tuple(
            said[name] for name in ("precision", "fidelity") if isinstance(said[name], str)
        ),
    )
    return exhibit, reasons


def read_exhibits(
    records: Records,
    chosen: Sequence[tuple[int, str]],
    shown: PageScope,
    album: Album | None = None,
    texts: Mapping[int, str] | None = None,
) -> Iterator[tuple[Item, list[Reason]]]:
    """
    Yield the chosen explanations of a part, each with all its reasons.

    Parameters
    ----------
    chosen
        The numbers of their lines of stability, and why they are shown.
    album
        The pictures of the run, if it has some.
    texts
        The texts of DATA, by the numbers of their rows; without one it is made of its units.
    """
    ends = np.cumsum(records.lines)
    rows = records.stability["row"].to_numpy()
    for line, why in chosen:
        said = {str(key): value for key, value in records.stability.iloc[line].items()}
        own = records.weights.iloc[ends[line] - records.lines[line] : ends[line]]
        text = (texts or {}).get(int(rows[line]))
        exhibit, reasons = _exhibit(said, own, shown, text)
        place = int((rows[:line] == rows[line]).sum())
        images = album.of(str(said["row_id"]), place) if album is not None else ()
        yield replace(exhibit, why=why, images=images), reasons
