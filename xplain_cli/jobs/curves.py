"""Compares explanations under several baselines by one replacement that none of them has seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.engine.model_calls import run_together
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray
from xplain_cli.jobs.chosen_rows import ChosenRow, pairs_of, pieces_with
from xplain_cli.jobs.measuring import asked_by, features_of, given_rows, split_again, whole_weights
from xplain_cli.methods.replacements import ReplacementCurves, follow
from xplain_cli.modalities import Pictured, Story, story_of
from xplain_cli.options.audits import Sanity
from xplain_cli.options.request import Request
from xplain_cli.options.tables import Ids
from xplain_cli.planning.prepare import Job, prepare
from xplain_cli.quality.precision import Budget
from xplain_cli.quality.sanity import gini, inside
from xplain_cli.report.sanity import Exhibit
from xplain_cli.runs.finished import FinishedRun

EXHIBITS = 10
_READ = 4096


@dataclass(frozen=True)
class Region:
    """Where the weights belong: features by name, or pixels."""

    names: frozenset[str] = frozenset()
    pixels: Any = None

    def share(self, weights: FloatArray, names: Sequence[str], seen: Pictured | None) -> float:
        """
        Return the share of |weights| inside.

        Raises
        ------
        UsageError
            The region is of pixels, and rows are no pictures of its size.
        """
        if self.pixels is None:
            named = [name in self.names for name in names]
            named += [False] * (len(weights) - len(named))
            return inside(weights, np.array(named, dtype=np.bool_))
        if seen is None or seen.owners.shape != self.pixels.shape:
            shape = "no pictures (--grid HxW)" if seen is None else seen.owners.shape
            raise UsageError(f"--region: is of {self.pixels.shape} pixels, and rows are {shape}")
        return inside(seen.shared_out(np.abs(weights)), self.pixels)


def read_region(path: str | None) -> Region | None:
    """
    Return the region that a file names: .npy pixels that are not 0, else a feature a line.

    Raises
    ------
    RefusedError
        It cannot be read, or names nothing.
    """
    if path is None:
        return None
    try:
        if Path(path).suffix == ".npy":
            pixels = np.load(path, allow_pickle=False) != 0
            if pixels.ndim != 2 or not pixels.any():
                raise RefusedError(f"{path}: a region is a mask (height, width) that is not empty")
            return Region(pixels=pixels)
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise RefusedError(f"{path}: the region cannot be read: {error}") from error
    names = frozenset(line.strip() for line in lines if line.strip())
    if not names:
        raise RefusedError(f"{path}: names no feature; write one a line")
    return Region(names)


def _check_names(region: Region | None, chosen: Mapping[int, ChosenRow]) -> None:
    """Refuse names that no row has as a feature."""
    if region is None or not region.names:
        return
    known = {
        name for row in chosen.values() for said in row.said for one in said for name in one.names
    }
    strange = sorted(region.names - known)
    if strange:
        raise UsageError(f"--region: no row has a feature {strange[0]!r}")


def _default_replacement(request: Request, background: str | None, story: Story) -> str:
    """Return the baseline that gives replacements where the user names none."""
    if not story.any_baseline:
        raise UsageError(
            f"--curves: of {story.rows} name what replaces features, and none of the baselines has"
            " seen: --replace-by nearest:class=NAME,from=FOLDER, or --replace-by blur"
        )
    if background is None and request.references.background is None:
        raise UsageError(
            "--curves: replacements must be rows that no baseline has seen, and DATA is the"
            " background of these runs: name others by --replacements FILE"
        )
    return "nearest"


def replacing_job(own: Job, sanity: Sanity, console: Console) -> Job:
    """
    Return the job whose baselines are the common replacements.

    Raises
    ------
    UsageError
        Explanations of these rows have no features in common, or what replaces them has been seen.
    """
    request, story, rows = own.request, story_of(own.request.modality), sanity.replacements
    if own.chosen.perturbation.traits.units:
        raise UsageError("--curves: features are units of a layer, and no row of DATA lacks one")
    if not story.several_baselines:
        raise UsageError(
            f"--curves: {story.rows} are explained under one baseline, from which their features"
            " follow: there is nothing to compare; xplain evaluate without it measures them"
        )
    if rows is not None and not story.any_baseline:
        raise UsageError(f"--replacements: is for tables; of {story.rows} --replace-by says all")
    named = sanity.replace_by or _default_replacement(request, rows, story)
    references = replace(request.references, baseline=(named,), background=rows, judge=None)
    explanation = replace(
        request.explanation, method=("occlusion",), output_scale=own.chosen.scale.label
    )
    sampling = replace(
        request.sampling, samples=None, repeats=None, budget=None, max_rel_se=None, max_samples=None
    )
    job = prepare(
        replace(request, explanation=explanation, references=references, sampling=sampling), console
    )
    seen = own.plan.numbers.get("background")
    if story.any_baseline and job.plan.numbers.get("background") == seen:
        raise UsageError(
            f"--replacements {rows or 'DATA'}: is the background of the runs; name rows that no"
            " baseline has seen"
        )
    return job


def _keys(job: Job, path: str, console: Console) -> list[bytes]:
    """Return the digest of each row of another table."""
    request = replace(
        job.request, sources=replace(job.request.sources, data=(path,)), ids=Ids(),
        slices=replace(job.request.slices, rows=None, shard=None),
    )  # fmt: skip
    held = prepare(request, console)
    split, found = job.chosen.perturbation.split, list[bytes]()
    for piece in held.opened.modality.pieces(_READ, held.opened.start, held.opened.stop):
        found += split(piece.batch).keys
    return found


def warn_of_seen(own: Job, job: Job, console: Console) -> None:
    """Say how many of the replacements stand in the background of the runs as well."""
    seen = own.request.references.background
    fresh = job.request.references.background or own.request.sources.data[0]
    if seen is None or not story_of(own.request.modality).any_baseline:
        return
    before = {*_keys(job, seen, console)}
    keys = _keys(job, fresh, console)
    both = sum(key in before for key in keys)
    if both:
        console.warn(
            f"{fresh}: {both} of {len(keys)} rows also stand in {seen}, which baselines have seen"
        )


@dataclass(frozen=True)
class CurveJob:
    """What the curves of several runs are measured with."""

    runs: Sequence[FinishedRun]
    job: Job
    region: Region | None
    grid: tuple[int, int] | None


def _weights(rows: Sequence[ChosenRow], run: int, n: int) -> FloatArray:
    return whole_weights([row.said[run] for row in rows], n)


def _measured(
    work: CurveJob, batch: Any, places: list[int], rows: list[ChosenRow]
) -> Iterator[tuple[int, int, dict[str, Any], Pictured | None]]:
    """Yield (row, run, line, picture) of some rows of a batch."""
    job, runs = work.job, range(len(work.runs))
    asked = asked_by(job)
    pairs = pairs_of(rows, job.opened.signature.outputs)
    given = given_rows(job, asked, split_again(job, batch, places), pairs)
    pictured = story_of(job.request.modality).pictured
    grouped = list(given.tasks(job, asked, Budget(job.request.sampling.seed, 1, 1)))
    said, running = [], []
    for task, own in grouped:
        n = features_of(task.block)
        said.append(np.stack([_weights([rows[d] for d in own], run, n) for run in runs]))
        running.append((task.block, follow(task, said[-1])))
    found: list[Any] = run_together(asked, running)
    for (_, own), weights, curves in zip(grouped, said, found, strict=True):
        for i, d in enumerate(own if isinstance(curves, ReplacementCurves) else ()):
            seen = pictured(given.rows, d, work.grid)
            for run in runs:
                for j, line in enumerate(rows[d].said[run]):
                    mine = weights[run, i, j]
                    region = work.region
                    yield d, run, {
                        "target": line.target,
                        "n_features": weights.shape[-1],
                        "n_replaced": curves.replaced,
                        "share_of_drop": curves.shares[run, i, j],
                        "share_random": curves.random[i, j],
                        "turned": curves.turned[run, i, j],
                        "gini": gini(mine),
                        "mass_in_region": np.nan
                        if region is None
                        else region.share(mine, line.names, seen),
                        **rows[d].facts[run],
                    }, seen  # fmt: skip


def measure_curves(
    work: CurveJob, chosen: Mapping[int, ChosenRow]
) -> tuple[pd.DataFrame, list[Exhibit]]:
    """
    Measure the explanations of several runs under one replacement.

    Returns
    -------
    the lines of curves.csv, and some rows as the page shows them, evenly spread
    """
    _check_names(work.region, chosen)
    lines: list[dict[str, Any]] = []
    exhibits: dict[int, Exhibit] = {}
    names, due = [labelled(run) for run in work.runs], list(chosen)
    due = [
        due[i] for i in np.linspace(0, len(due) - 1, min(EXHIBITS, len(due))).round().astype(int)
    ]
    shows = work.job.request.shows_values
    for piece, places, numbers in pieces_with(work.job, chosen):
        rows = [chosen[number] for number in numbers]
        for d, run, line, seen in _measured(work, piece.batch, places, rows):
            row_id = piece.rows.ids[places[d]]
            identity = {"run_id": work.runs[run].marker.run_id, "row_id": row_id}
            replacement = work.job.chosen.neighbourhood.baseline
            lines.append(identity | {"baseline": names[run], "replacement": replacement} | line)
            if numbers[d] in due and numbers[d] not in exhibits:
                shown = _exhibit(str(row_id), rows[d], seen if shows else None)
                exhibits[numbers[d]] = shown
    if not lines:
        raise RefusedError("--curves: no row differs from what would replace its features")
    return pd.DataFrame(lines), [exhibits[number] for number in sorted(exhibits)]


def _exhibit(row_id: str, row: ChosenRow, seen: Pictured | None) -> Exhibit:
    """Return a row as the page shows it."""
    lines = [said[0] for said in row.said]
    n = max(len(line.weights) for line in lines)
    n = n if seen is None else max(n, int(seen.owners.max()) + 1)
    weights = tuple(whole_weights([[line]], n)[0, 0] for line in lines)
    return Exhibit(
        row_id,
        lines[0].target,
        tuple(line.names for line in lines),
        weights,
        None if seen is None else seen.values,
        () if seen is None else tuple(map(seen.spread, weights)),
    )


def labelled(run: FinishedRun) -> str:
    """Return how a run names its baseline."""
    return str(run.marker.plan.get("numbers", {}).get("baseline", run.folder.name))
