"""Rows that several runs explained, evenly spread: what each run says of them, and where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import IntArray
from xplain_cli.planning.prepare import Job
from xplain_cli.runs.finished import FinishedRun, TargetLine, said_of
from xplain_cli.targets import named_pair

_FACTS = ("baseline_distance", "baseline_in_class", "n_changed")
_TOGETHER = 64
_ALIKE = ("modality", "model", "data", "outputs", "target", "output_scale")


@dataclass(frozen=True)
class ChosenRow:
    """
    What runs say of one row.

    Attributes
    ----------
    said
        Of each run a line for each target.
    facts
        Of each run what it knows of the row's baseline.
    """

    said: tuple[list[TargetLine], ...]
    facts: tuple[Mapping[str, float], ...]


def check_alike(runs: Sequence[FinishedRun], named: str) -> None:
    """
    Check that runs explain the same numbers of one model.

    Raises
    ------
    UsageError
        They differ in more than how.
    """
    first = runs[0].marker.plan.get("numbers", {})
    for run in runs[1:]:
        own = run.marker.plan.get("numbers", {})
        differing = [name for name in _ALIKE if own.get(name) != first.get(name)]
        if differing:
            raise UsageError(
                f"{named}: {runs[0].folder.name} and {run.folder.name} differ in"
                f" {', '.join(differing)}; what is compared explains the same number of one model"
            )


def _explained(run: FinishedRun) -> set[int]:
    """Return the numbers in DATA of the rows that a run explained."""
    found: set[int] = set()
    for records in run.records():
        told = records.stability
        found |= set(told.loc[told["status"].eq("ok"), "row"].astype(int).tolist())
    return found


def _said(run: FinishedRun, wanted: set[int]) -> dict[int, tuple[list[TargetLine], dict[str, Any]]]:
    found = {}
    for records in run.records():
        lines, told = said_of(records), records.stability
        known = [name for name in _FACTS if name in told]
        first = told.drop_duplicates("row")
        places = {int(row): at for at, row in enumerate(first["row"])}
        for row in wanted & lines.keys():
            at = places[row]
            facts = {name: float(first[name].to_numpy(dtype=np.float64)[at]) for name in known}
            found[row] = (lines[row], facts)
    return found


def choose_rows(runs: Sequence[FinishedRun], most: int, named: str) -> dict[int, ChosenRow]:
    """
    Choose at most so many of the rows that all runs explained, evenly spread over DATA.

    Raises
    ------
    RefusedError
        There is none.
    """
    common = sorted(set.intersection(*(_explained(run) for run in runs)))
    if not common:
        raise RefusedError(f"{named}: no row was explained{' by all runs' * (len(runs) > 1)}")
    places = np.unique(np.linspace(0, len(common) - 1, min(most, len(common))).round())
    wanted = {common[int(place)] for place in places}
    held = [_said(run, wanted) for run in runs]
    return {
        row: ChosenRow(tuple(one[row][0] for one in held), tuple(one[row][1] for one in held))
        for row in sorted(wanted)
    }


def pieces_with(
    job: Job, chosen: Mapping[int, ChosenRow]
) -> Iterator[tuple[Any, list[int], list[int]]]:
    """Yield the pieces of DATA that hold chosen rows, their places there and their numbers."""
    opened = job.opened
    for piece in opened.modality.pieces(_TOGETHER, opened.start, opened.stop):
        rows = [row for row in range(piece.start, piece.stop) if row in chosen]
        if rows:
            yield piece, [row - piece.start for row in rows], rows


def pairs_of(rows: Sequence[ChosenRow], outputs: Sequence[str]) -> IntArray:
    """
    Return the outputs (b, t, 2) that the runs explained of some rows.

    Raises
    ------
    RefusedError
        The model has no such output any more.
    """
    found = []
    for row in rows:
        own = [named_pair(line.target, outputs) for line in row.said[0]]
        lost = [line.target for line, pair in zip(row.said[0], own, strict=True) if pair is None]
        if lost:
            raise RefusedError(f"the model has no output {lost[0]!r}, which the run explained")
        found.append(own)
    return np.array(found, dtype=np.int64)
