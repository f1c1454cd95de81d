"""One chunk in one process: the model and the pool are opened once, and the time is taken."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xplain_cli.engine.explainer import Assignment, Explainer
from xplain_cli.engine.pool import longer_pools, share_draws
from xplain_cli.errors import quoting
from xplain_cli.explanation import Records, Rows
from xplain_cli.methods import Pool
from xplain_cli.models import Model, load_model
from xplain_cli.models.batches import METER
from xplain_cli.scales import checked_scale
from xplain_cli.targets import used_outputs


def _pools(assignment: Assignment, model: Model) -> Iterator[tuple[Pool, ...]]:
    """Yield the shared pools as the run begins with them, then ever longer ones."""
    perturbation = assignment.perturbation.draws
    if assignment.pool_folder is None or perturbation is None:
        return
    kept = used_outputs(assignment.target, len(assignment.signature.outputs))
    found = longer_pools(Path(assignment.pool_folder), perturbation, model, assignment.budget, kept)
    while True:
        inputs = METER.inputs
        longer = next(found, None)
        METER.inputs = inputs  # the facts of the pool count what it took, whichever row was first
        if longer is None:
            return
        repeats, draw, outputs = longer
        scaled = checked_scale(outputs, assignment.target, assignment.scale)
        yield share_draws(draw, scaled, repeats, perturbation)


_OPEN: dict[tuple[str, str], Explainer] = {}


def open_explainer(assignment: Assignment, model: Model | None = None) -> Explainer:
    """Open the model and the pool of an assignment, once in a process."""
    key = (assignment.identity, assignment.pool_folder or "")
    if key not in _OPEN:
        if model is None:
            model = load_model(assignment.recipe).bind(assignment.signature)
        _OPEN.clear()
        _OPEN[key] = Explainer(assignment, model, _pools(assignment, model))
    return _OPEN[key]


@dataclass(frozen=True)
class Effort:
    """
    What a chunk took.

    Attributes
    ----------
    predict, solve
        Seconds in the model, and in all else.
    model_inputs
        Rows that the model was asked, padding included.
    """

    predict: float = 0.0
    solve: float = 0.0
    model_inputs: int = 0

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(
            self.predict + other.predict,
            self.solve + other.solve,
            self.model_inputs + other.model_inputs,
        )


def explain_chunk(assignment: Assignment, batch: Any, rows: Rows) -> tuple[Records, Effort]:
    """Explain one chunk with threads pinned to 1: their number would change last digits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), quoting(shown=assignment.with_values):
        explainer = open_explainer(assignment)
        seconds, inputs, began = METER.seconds, METER.inputs, time.perf_counter()
        records = explainer.explain(batch, rows)
        spent, predict = time.perf_counter() - began, METER.seconds - seconds
        return records, Effort(predict, spent - predict, METER.inputs - inputs)
