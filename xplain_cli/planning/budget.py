"""Turns --budget, seconds or model inputs, into samples, once; a begun run keeps its own."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from xplain_cli.errors import RefusedError, UsageError, counted
from xplain_cli.output import render_piece
from xplain_cli.planning.choices import with_draws
from xplain_cli.planning.cost_model import ENDLESS, CostModel, Speed
from xplain_cli.planning.estimate import seconds_per_input, spell, trial_rows, try_rows
from xplain_cli.planning.lengths import features_of, lengths_of, piece_of, pieces_of
from xplain_cli.planning.prepare import Job, assign, chunk_rows, make_plan
from xplain_cli.runs.paths import RunPlace, read_marker

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_TRIED = (64, 256)
_TRIAL_SHARE = 0.05


def _features(job: Job) -> Mapping[int, int]:
    """Count the features of all rows, shards together; rows that cannot be read ask nothing."""
    start, stop = job.opened.whole
    most = job.chosen.neighbourhood.features
    if most is not None:
        return {most: stop - start}
    found: Counter[int] = Counter()
    for piece in pieces_of(job.opened, job.chosen, start, stop):
        split = job.chosen.perturbation.split(piece.batch)
        found.update(features_of(job.chosen, split).tolist())
    return found


def _demand(job: Job) -> CostModel:
    chosen = job.chosen
    return CostModel(chosen.method, chosen.perturbation, chosen.budget.repeats, _features(job))


def _workers(job: Job, chunks: int) -> int:
    import joblib

    if job.request.workers.backend == "serial":
        return 1
    return max(1, min(job.request.workers.jobs or joblib.cpu_count(), chunks))


def _pace(job: Job, demand: CostModel, left: float) -> Speed:
    """
    Measure the model on a batch, then what is outside it on a few rows under few and more samples.

    Where a few rows would take more than a small share of the time, the model is all that counts.
    """
    opened, asked = job.opened, assign(job, None)
    size = job.request.workers.chunk_rows or chunk_rows(job)
    chunks = -(-(opened.stop - opened.start) // size)
    pace = Speed(
        per_input=seconds_per_input(opened, asked),
        per_draw=0.0,
        solve=0.0,
        solve_per_sample=0.0,
        write=0.0,
        chunks=chunks,
        batch_rows=asked.batch_rows,
        workers=_workers(job, chunks),
        opening=job.opening_seconds,
        patient=job.request.workers.backend == "auto",
    )
    sizes = sorted({max(demand.choices()[0], tried) for tried in _TRIED})
    each = 2 * sum(demand.one(max(demand.features), samples) for samples in sizes)
    afford = _TRIAL_SHARE * left / (each * pace.per_input)
    rows = int(min(trial_rows(asked), demand.rows, afford))
    if rows < 1:
        return pace
    lengths, fair = lengths_of(opened, job.chosen, size), None
    if lengths is not None:
        fair = piece_of(opened, job.chosen, lengths.typical(rows) * lengths.step)
    budgets = [replace(asked.budget, samples=samples) for samples in sizes]
    tried = [
        try_rows(opened, replace(asked, budget=budget), rows, size, fair) for budget in budgets
    ]
    solve = [trial.solve_seconds / trial.rows for trial in tried]
    slope = max(0.0, (solve[-1] - solve[0]) / max(1, sizes[-1] - sizes[0]))
    began = time.perf_counter()
    render_piece(tried[-1].records, job.rendering, job.request.result.output_format)
    return replace(
        pace,
        per_input=tried[-1].per_input or pace.per_input,
        per_draw=tried[-1].drawing_seconds / sizes[-1],
        solve=max(0.0, solve[0] - slope * sizes[0]),
        solve_per_sample=slope,
        write=(time.perf_counter() - began) / rows,
    )


def _within_inputs(demand: CostModel, choices: Sequence[int], most: float, text: str) -> int:
    able = [samples for samples in choices if demand.total(samples) <= most]
    if not able:
        raise UsageError(
            f"--budget {text}: to explain {counted(demand.rows)} takes at least"
            f" {demand.total(choices[0]):,} model inputs; give more, or explain fewer rows (--rows)"
        )
    return able[-1]


def _within_time(job: Job, demand: CostModel, choices: Sequence[int], seconds: float) -> int:
    began = time.perf_counter()
    pace = _pace(job, demand, seconds)
    left = seconds - job.opening_seconds - (time.perf_counter() - began)
    able = [samples for samples in choices if pace.seconds(demand, samples) <= left]
    if not able:
        least = seconds - left + pace.seconds(demand, choices[0])
        raise UsageError(
            f"--budget {job.request.sampling.budget}: to explain {counted(demand.rows)} takes about"
            f" {spell(least)} here with the fewest samples; give more time, or explain"
            " fewer rows (--rows)"
        )
    return able[-1]


def _chosen_anew(job: Job) -> int:
    """Turn a budget into samples, and tell where it holds more than is taken."""
    text = job.request.sampling.budget or ""
    demand = _demand(job)
    choices = demand.choices()
    if text[-1] in _UNITS:
        samples = _within_time(job, demand, choices, float(text[:-1]) * _UNITS[text[-1]])
    else:
        samples = _within_inputs(demand, choices, float(text), text)
    if samples == choices[-1]:
        full = demand.total(samples) == demand.total(ENDLESS)
        why = "every mask of every row is asked" if full else "more would not fit into memory"
        job.console.note(f"budget {text}: holds more than {samples} samples; {why}")
    return samples


def _with_samples(job: Job, samples: int) -> Job:
    request = replace(job.request, sampling=replace(job.request.sampling, samples=samples))
    chosen = with_draws(request, job.chosen)
    note = (
        f"budget {request.sampling.budget}: {samples} samples in each of {chosen.budget.repeats}"
        f" repeats (--samples {samples} gives the same numbers anywhere)"
    )
    chosen = replace(chosen, notes=(*chosen.notes, note))
    plan = make_plan(request, job.opened, chosen)
    return replace(job, request=request, chosen=chosen, plan=plan)


def _begun(job: Job) -> Job | None:
    """Return the job with the samples of the run that the same command began, if there is one."""
    request = job.request
    place = RunPlace.from_output(request.result.output, request.result.output_format)
    if place.folder is None or request.safety.force:
        return None
    try:
        found = read_marker(place.folder)
    except RefusedError:  # what stands there is told when the run opens
        return None
    if found is None or found.budget != request.sampling.budget:
        return None
    same = _with_samples(job, found.plan["numbers"]["samples"])
    return same if same.plan.identity == found.identity else None


def shared_budget(text: str, count: int) -> str:
    """Return the part of a budget that each of several runs gets."""
    unit = text[-1] if text[-1] in _UNITS else ""
    return f"{float(text.removesuffix(unit)) / count:g}{unit}"


def within_budget(job: Job) -> Job:
    """
    Return the job with the samples that its budget becomes; without a budget, as it is.

    A run that the same command began keeps the samples that it began with, whatever the clock says
    today.

    Raises
    ------
    UsageError
        The method samples nothing, or the budget is too small for the fewest samples.
    """
    if job.request.sampling.budget is None:
        return job
    if not job.chosen.method.sampled:
        name = job.request.method.partition(":")[0]
        raise UsageError(f"--budget: {name} samples nothing; leave it out")
    return _begun(job) or _with_samples(job, _chosen_anew(job))
