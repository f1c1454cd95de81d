"""What a run will cost, measured on a small trial: rows, model inputs, seconds, bytes."""

import time
from dataclasses import dataclass, replace

import numpy as np

from xplain_cli.batches import count, padded, predict_fixed, take
from xplain_cli.choosing import Chosen
from xplain_cli.explainer import Assignment, Explainer
from xplain_cli.features.tables import TableLaw
from xplain_cli.methods import Pool
from xplain_cli.opening import Opened
from xplain_cli.output import Rendering, render_piece
from xplain_cli.pool import checked_scale, draw_pool, predict_perturbed
from xplain_cli.targets import used_outputs

_TRIAL_ROWS = 8
_SHOWN_ROWS = 3


@dataclass(frozen=True)
class Estimate:
    """
    The cost of a run, for one worker.

    Attributes
    ----------
    rows, features
        How many.
    model_inputs
        How many rows the model will see, the padding of batches included.
    model_seconds, solve_seconds
        Seconds in the model, and in the surrogates with their stability.
    output_bytes
        Size of weights and stability together.
    """

    rows: int
    features: int
    model_inputs: int
    model_seconds: float
    solve_seconds: float
    output_bytes: float


def _trial_pool(opened: Opened, asked: Assignment, law: TableLaw) -> tuple[Pool, float]:
    """Draw the whole pool but predict one batch of it; return it and seconds per model input."""
    draw, inputs = draw_pool(law, asked.budget)
    began = time.perf_counter()
    kept = used_outputs(asked.target, len(asked.settled.outputs))
    some = predict_perturbed(opened.model, inputs.head(asked.batch_rows), kept)
    seconds = (time.perf_counter() - began) / asked.batch_rows
    outputs = checked_scale(some, asked.target, asked.scale)[np.arange(len(inputs)) % len(some)]
    levels = tuple(len(f) for f in law.frequencies)
    return Pool(draw, outputs, asked.budget.repeats, levels), seconds


def _seconds_per_input(opened: Opened, asked: Assignment) -> float:
    """Ask the model a batch of the first rows; return the seconds that each took."""
    first = opened.modality.probe()
    batch = take(first, np.arange(asked.batch_rows) % count(first))
    began = time.perf_counter()
    predict_fixed(opened.model, batch, size=asked.batch_rows)
    return (time.perf_counter() - began) / asked.batch_rows


def _trial(opened: Opened, asked: Assignment) -> tuple[Explainer, int, float]:
    """Return an explainer, the model inputs of its pool, and seconds per model input."""
    if asked.method.pooled and isinstance(asked.law, TableLaw):
        pool, seconds = _trial_pool(opened, asked, asked.law)
        drawn = asked.budget.samples * asked.budget.repeats
        return (
            Explainer(asked, opened.model, iter([pool])),
            padded(drawn, asked.batch_rows),
            seconds,
        )
    return Explainer(asked, opened.model, iter(())), 0, _seconds_per_input(opened, asked)


def estimate(opened: Opened, asked: Assignment, rendering: Rendering, fmt: str) -> Estimate:
    """
    Explain a few rows with a pool of the run's size, and multiply.

    What ``--max-rel-se`` may add nobody knows before, and it is not in it.
    The trial's pool repeats the outputs of one batch: its numbers mean nothing, its cost does.
    """
    asked = replace(asked, budget=replace(asked.budget, goal=None))
    rows = opened.stop - opened.start
    trial = min(_TRIAL_ROWS, rows)
    piece = next(opened.modality.pieces(trial, opened.start, opened.stop))
    worker, pool_inputs, per_input = _trial(opened, asked)
    worker.explain(piece.batch, piece.rows)  # what is done once for all rows is not multiplied
    began = time.perf_counter()
    records = worker.explain(piece.batch, piece.rows)
    spent = time.perf_counter() - began
    # a row's own prediction is among its inputs, and stands in a batch of rows
    lines = records.stability.drop_duplicates("row")
    own = int(lines["n_model_inputs"].sum() - lines["status"].eq("ok").sum())
    asked_once = padded(trial, asked.batch_rows) + (padded(own, asked.batch_rows) if own else 0)
    inputs = pool_inputs + padded(rows, asked.batch_rows) + own * rows // trial
    shown = render_piece(records, rendering, fmt)
    return Estimate(
        rows=rows,
        features=round(float(records.lines[records.lines > 0].mean())) if len(lines) else 0,
        model_inputs=inputs,
        model_seconds=inputs * per_input,
        solve_seconds=max(0.0, spent - asked_once * per_input) * rows / trial,
        output_bytes=(len(shown.weights) + len(shown.stability)) * rows / trial,
    )


def describe(opened: Opened, chosen: Chosen) -> list[str]:
    """Name inputs and outputs of an opened model, and what it answers on the first rows."""
    head = take(opened.modality.probe(), range(_SHOWN_ROWS))
    answers = opened.model.predict(head)
    return [
        f"inputs          {opened.modality.described()}",
        f"outputs         {', '.join(opened.settled.outputs)}",
        f"response        {opened.settled.response}, {opened.settled.task}",
        f"target          {chosen.target.spec} ({chosen.scale.label})",
        *(
            f"row {i:<11} " + ", ".join(f"{value:.6g}" for value in answer)
            for i, answer in enumerate(answers.tolist())
        ),
    ]


def lines_of(cost: Estimate) -> list[str]:
    """Say an estimate in a few lines."""
    total = cost.model_seconds + cost.solve_seconds
    return [
        f"rows            {cost.rows:,}",
        f"features        {cost.features:,}",
        f"model inputs    {cost.model_inputs:,}",
        f"estimated time  {_spell(total)} on one worker",
        f"  in the model  {_spell(cost.model_seconds)}",
        f"  in surrogates {_spell(cost.solve_seconds)}",
        f"output          {cost.output_bytes / 1e6:.1f} MB",
    ]


def _spell(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
