"""Sanity checks of finished runs: curves under one replacement, and randomised models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from xplain_cli.console import Console
from xplain_cli.jobs.chosen_rows import ChosenRow, check_alike, choose_rows
from xplain_cli.jobs.curves import (
    CurveJob,
    Region,
    labelled,
    measure_curves,
    read_region,
    replacing_job,
    warn_of_seen,
)
from xplain_cli.jobs.randomize import RandomisedRun, layers_of, randomise
from xplain_cli.jobs.rerun import asked_again, check_same
from xplain_cli.options.audits import Sanity
from xplain_cli.options.request import Request
from xplain_cli.output import csv_bytes
from xplain_cli.planning.prepare import Job, method_label, prepare
from xplain_cli.quality.sanity_summary import (
    CURVE_MEASURES,
    sum_up_curves,
    sum_up_randomised,
)
from xplain_cli.report import check_page
from xplain_cli.report.sanity import Exhibit, SanityFacts, render_sanity
from xplain_cli.runs.finished import FinishedRun
from xplain_cli.runs.paths import parents_of, write_atomically

CURVES_FILE, RANDOMISED_FILE = "curves.csv", "randomization.csv"


def _tell_curves(frame: pd.DataFrame, console: Console) -> None:
    rows = len(frame.drop_duplicates(["row_id", "target"]))
    first = frame.iloc[0]
    console.note(
        f"curves: {rows} explanations; the {first['n_replaced']} features that speak most for the"
        f" target become those of one replacement ({first['replacement']})"
    )
    for line in sum_up_curves(frame):
        console.note(f"{line.baseline}: {line.verdict}")
        for name, mean in line.means.items():
            word = f": {line.words[name]}" if name in line.words else ""
            console.note(f"  {name:<18} {mean}  ({CURVE_MEASURES[name]}{word})")


def _tell_randomised(frame: pd.DataFrame, console: Console) -> None:
    console.note(
        "randomization: how alike explanations are to those of the model as it was learned"
    )
    baseline = ""
    for line in sum_up_randomised(frame):
        if line.baseline != baseline:
            baseline = line.baseline
            console.note(f"{baseline}:")
        what = "same model, other seed" if not line.layers else f"{line.layers} ({line.state})"
        alike = ", ".join(f"{name} {mean.value:.3f}" for name, mean in line.means.items())
        some = "" if line.explained == line.asked else f"; {line.explained} of {line.asked} rows"
        console.note(f"  {what}: {alike}{some}: {line.verdict}")


def _write(path: Path, frame: pd.DataFrame, found: Sequence[FinishedRun], *, guarded: bool) -> Path:
    write_atomically(path, csv_bytes(frame, guarded=guarded))
    for run in found:
        if path.parent == run.folder:
            run.hold(path)
    return path


def _jobs(
    found: Sequence[FinishedRun], request: Request, named: str, console: Console
) -> list[Job]:
    """Prepare each run once more, with the trust that was given now."""
    jobs = []
    for run in found:
        again = asked_again(run, named, request.sources.model, request.sources.data)
        own = replace(again, trust=request.trust, sandbox=request.sandbox)
        jobs.append(prepare(own, console))
        check_same(run, jobs[-1], named)
    return jobs


@dataclass(frozen=True)
class _Checked:
    """What is checked: runs with their jobs, and which rows."""

    found: Sequence[FinishedRun]
    jobs: Sequence[Job]
    sanity: Sanity
    chosen: Mapping[int, ChosenRow]


def _curves(
    work: _Checked, region: Region | None, console: Console
) -> tuple[pd.DataFrame, list[Exhibit]]:
    job = replacing_job(work.jobs[0], work.sanity, console)
    warn_of_seen(work.jobs[0], job, console)
    curves, exhibits = measure_curves(
        CurveJob(work.found, job, region, work.sanity.grid), work.chosen
    )
    _tell_curves(curves, console)
    return curves, exhibits


def _randomised(work: _Checked, console: Console) -> pd.DataFrame:
    parts = [
        randomise(RandomisedRun(run, own, at, work.chosen, work.sanity), console)
        for at, (run, own) in enumerate(zip(work.found, work.jobs, strict=True))
    ]
    randomised = pd.concat(parts, ignore_index=True)
    _tell_randomised(randomised, console)
    return randomised


def _facts(work: _Checked) -> SanityFacts:
    """Return what the page says was checked."""
    job = work.jobs[0]
    return SanityFacts(
        model=Path(job.request.sources.model).name,
        rows=", ".join(Path(name).name for name in job.request.sources.data),
        target=job.chosen.target.spec,
        method=method_label(job.request, job.chosen),
        baselines=tuple(map(labelled, work.found)),
    )


def check_sanity(
    found: Sequence[FinishedRun],
    request: Request,
    sanity: Sanity,
    folder: Path,
    named: str,
    console: Console,
) -> list[Path]:
    """
    Make the checks that are wanted, and return the files that say what came out.

    Parameters
    ----------
    found, request
        The runs, and what the first of them was asked, with model, data and trust named anew.
    folder, named
        Where the runs lie, and how the user named that.

    Raises
    ------
    XplainError
        A check cannot be made of these runs, with the reason.
    """
    if sanity.sanity_page is not None:
        check_page(sanity.sanity_page)
    check_alike(found, named)
    region = read_region(sanity.region)
    jobs = _jobs(found, request, named, console)
    if sanity.randomize:
        layers_of(jobs[0])
    work = _Checked(found, jobs, sanity, choose_rows(found, sanity.most_rows, named))
    home = found[0].folder if len(found) == 1 else folder
    guarded, paths = request.result.csv_guard, []
    curves = randomised = None
    exhibits: list[Exhibit] = []
    if sanity.curves:
        curves, exhibits = _curves(work, region, console)
        paths.append(_write(home / CURVES_FILE, curves, found, guarded=guarded))
    if sanity.randomize:
        randomised = _randomised(work, console)
        paths.append(_write(home / RANDOMISED_FILE, randomised, found, guarded=guarded))
    if sanity.sanity_page is not None:
        page = Path(sanity.sanity_page)
        with parents_of(page):
            write_atomically(page, render_sanity(_facts(work), curves, randomised, exhibits))
        paths.append(page)
    return paths
