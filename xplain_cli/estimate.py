"""What a run will cost, measured on a small trial: rows, model inputs, seconds, bytes."""

import time
from dataclasses import dataclass

import numpy as np

from xplain_cli import datasets
from xplain_cli.choosing import Chosen
from xplain_cli.explainer import Assignment, Explainer
from xplain_cli.methods import Pool
from xplain_cli.opening import Opened
from xplain_cli.output import Rendering, render_piece
from xplain_cli.pool import BATCH_ROWS, batches, checked_scale, draw_pool, predict_perturbed
from xplain_cli.reading import read_rows
from xplain_cli.records import Rows
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


def _trial_pool(opened: Opened, asked: Assignment) -> tuple[Pool, float]:
    """Draw the whole pool but predict one batch of it; return it and seconds per model input."""
    draw, inputs = draw_pool(asked.law, asked.budget)
    began = time.perf_counter()
    kept = used_outputs(asked.target, len(asked.settled.outputs))
    some = predict_perturbed(opened.model, inputs.head(BATCH_ROWS), kept)
    seconds = (time.perf_counter() - began) / BATCH_ROWS
    outputs = checked_scale(some, asked.target, asked.scale)[np.arange(len(inputs)) % len(some)]
    levels = tuple(len(f) for f in asked.law.frequencies)
    return Pool(draw, outputs, asked.budget.repeats, levels), seconds


def estimate(opened: Opened, asked: Assignment, rendering: Rendering, fmt: str) -> Estimate:
    """
    Explain a few rows with a pool of the run's size, and multiply.

    The trial's pool repeats the outputs of one batch: its numbers mean nothing, its cost does.
    """
    rows = opened.stop - opened.start
    count = min(_TRIAL_ROWS, rows)
    span = (opened.start, opened.stop)
    pieces = read_rows(opened.table, opened.kinds, opened.loaded, count, span=span)
    table = datasets.first_readable(pieces)
    count = len(table)
    pool, per_input = _trial_pool(opened, asked)
    worker = Explainer(asked, opened.model, None if asked.method.around else pool)
    lines = Rows(opened.start, list(range(count)), table[[]])
    worker.explain(table, lines)  # what is done once for all rows is not multiplied
    began = time.perf_counter()
    records = worker.explain(table, lines)
    spent = time.perf_counter() - began
    drawn = asked.budget.samples * asked.budget.repeats
    trial = batches(count) + (batches(count * drawn) if asked.method.around else 0)
    inputs = batches(rows) + (rows * drawn if asked.method.around else batches(drawn))
    piece = render_piece(records, rendering, fmt)
    return Estimate(
        rows=rows,
        features=len(asked.law.names),
        model_inputs=inputs,
        model_seconds=inputs * per_input,
        solve_seconds=max(0.0, spent - trial * per_input) * rows / count,
        output_bytes=(len(piece.weights) + len(piece.stability)) * rows / count,
    )


def describe(opened: Opened, chosen: Chosen) -> list[str]:
    """Name inputs and outputs of an opened model, and what it answers on the first rows."""
    shown = [
        f"{column} ({'category' if column in opened.discrete else kind})"
        for column, kind in opened.kinds.items()
    ]
    head = datasets.first_readable(
        read_rows(opened.table, opened.kinds, opened.loaded, _SHOWN_ROWS)
    )
    answers = opened.model.predict(head)
    return [
        f"inputs          {', '.join(shown)}",
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
