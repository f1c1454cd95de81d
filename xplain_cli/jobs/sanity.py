"""Sanity checks of finished runs: curves under one replacement, and randomised models."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from xplain_cli.console import Console
from xplain_cli.jobs.chosen_rows import check_alike, choose_rows
from xplain_cli.jobs.curves import (
    CurveJob,
    Exhibit,
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
from xplain_cli.planning.prepare import Job, prepare
from xplain_cli.quality.sanity_summary import (
    CURVE_MEASURES,
    sum_up_curves,
    sum_up_randomised,
)
from xplain_cli.report import check_page
from xplain_cli.report.sanity import SanityFacts, render_sanity
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
            console.note(f"  {name:<18} {mean}  ({CURVE_MEASURES[name]})")


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
        alike = ", ".join(f"{name} {mean.value:.2f}" for name, mean in line.means.items())
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
    chosen = choose_rows(found, sanity.most_rows, named)
    home = found[0].folder if len(found) == 1 else folder
    guarded, paths = request.result.csv_guard, []
    curves = randomised = None
    exhibits: list[Exhibit] = []
    if sanity.curves:
        job = replacing_job(jobs[0], sanity, console)
        warn_of_seen(jobs[0], job, console)
        work = CurveJob(found, job, region, sanity.grid)
        curves, exhibits = measure_curves(work, chosen)
        _tell_curves(curves, console)
        paths.append(_write(home / CURVES_FILE, curves, found, guarded=guarded))
    if sanity.randomize:
        parts = [
            randomise(RandomisedRun(run, own, at, chosen, sanity.grid), console)
            for at, (run, own) in enumerate(zip(found, jobs, strict=True))
        ]
        randomised = pd.concat(parts, ignore_index=True)
        _tell_randomised(randomised, console)
        paths.append(_write(home / RANDOMISED_FILE, randomised, found, guarded=guarded))
    if sanity.sanity_page is not None:
        page = Path(sanity.sanity_page)
        facts = SanityFacts(
            model=request.sources.model,
            rows=", ".join(request.sources.data),
            method=jobs[0].chosen.target.spec,
            baselines=tuple(map(labelled, found)),
        )
        with parents_of(page):
            write_atomically(page, render_sanity(facts, curves, randomised, exhibits))
        paths.append(page)
    return paths
