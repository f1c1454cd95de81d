"""Rows of a finished run as they are measured: split, answered and given baselines once more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xplain_cli.engine.baseline_rows import assign_baselines, widened
from xplain_cli.engine.explainer import model_calls_of
from xplain_cli.engine.model_calls import ModelCalls, run_together
from xplain_cli.engine.pool import draw_pool, share_draws
from xplain_cli.engine.row_predictions import Answers, answer_rows
from xplain_cli.engine.tasks import by_features, make_task, split_rows
from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.features import RoughWeights, Split
from xplain_cli.methods import UnexplainedError
from xplain_cli.models.batches import OWN_ROWS, predict_perturbed
from xplain_cli.planning.prepare import Job, assign
from xplain_cli.quality.precision import Budget
from xplain_cli.runs.finished import TargetLine
from xplain_cli.scales import checked_scale


def asked_by(job: Job) -> ModelCalls:
    """Return how the model of a job is asked on single rows."""
    return replace(model_calls_of(assign(job, None), job.opened.model), own_rows=OWN_ROWS)


def _refuse_to_weigh(_rows: Any, _due: Sequence[int]) -> RoughWeights:
    """Refuse rows whose features would have to be found anew."""
    raise UsageError("evaluate: a run with lime:refine has other features in every text")


@dataclass(frozen=True)
class GivenRows:
    """
    Rows with their baselines, and what a model answers on them.

    Attributes
    ----------
    rows
        Split into features.
    answers
        The model's, with the targets.
    spent
        Model inputs that finding each row's baseline took.
    lost
        Why rows have none.
    """

    rows: Split
    answers: Answers
    spent: Mapping[int, int]
    lost: Mapping[int, str]

    @property
    def good(self) -> list[int]:
        """The rows in which something can be explained."""
        counts = self.rows.counts.tolist()
        lost = {*self.lost, *self.answers.reasons}
        return [d for d, n in enumerate(counts) if n and d not in lost]

    def tasks(self, job: Job, asked: ModelCalls, budget: Budget) -> Iterator[tuple[Any, list[int]]]:
        """Yield the task of rows with equally many features, and which rows these are."""
        for chosen in by_features(self.rows, self.good).values():
            task = make_task(
                asked,
                job.opened.signature,
                job.chosen.perturbation,
                rows=self.rows,
                answers=self.answers,
                chosen=chosen,
                budget=budget,
            )
            yield task, chosen


def split_again(job: Job, batch: Any, places: Sequence[int]) -> Split:
    """Split some rows of a batch into the features that a job gives them."""
    split, _ = split_rows(job.chosen.perturbation, job.opened.model, batch).refined(
        _refuse_to_weigh
    )
    return split.take(places)


def given_rows(
    job: Job, asked: ModelCalls, rows: Split, pairs: IntArray | None = None
) -> GivenRows:
    """
    Ask the model on some rows, and give them their baselines.

    Parameters
    ----------
    pairs : (d, t, 2), optional
        What is explained of them; None: what the job's target chooses.
    """
    answers = answer_rows(asked, job.opened.signature, rows.inputs, pairs)
    spent: dict[int, int] = {}
    lost: dict[int, str] = {}
    if job.chosen.perturbation.traits.has_baselines:
        good = [d for d in range(len(rows)) if d not in answers.reasons]
        rows, spent, lost = assign_baselines(rows, good, answers, asked)
    return GivenRows(rows, answers, spent, lost)


def whole_weights(said: Sequence[Sequence[TargetLine]], n: int) -> FloatArray:
    """Return what was said of some rows as weights (b, t, n) of all their features."""
    whole = np.zeros((len(said), len(said[0]), n))
    for i, lines in enumerate(said):
        for j, line in enumerate(lines):
            whole[i, j, : len(line.weights)] = line.weights
    return whole


def features_of(block: Split) -> int:
    """Return how many features rows have, those that equal the baseline among them."""
    return int(block.counts[0]) if block.subset is None else block.subset.of


@dataclass(frozen=True)
class Asker:
    """A job with what its rows are asked by, opened once."""

    job: Job
    asked: ModelCalls
    budget: Budget

    @classmethod
    def of(cls, job: Job) -> "Asker":
        """Open the gradient, and draw the shared pool, if the method asks for them."""
        chosen, asked = job.chosen, asked_by(job)
        budget = replace(chosen.budget, repeats=chosen.budget.stages[0], goal=None)
        drawing = chosen.perturbation.draws
        if chosen.method.pooled and drawing is not None:
            draw, inputs = draw_pool(drawing, budget)
            outputs = predict_perturbed(job.opened.model, inputs, asked.kept)
            scaled = checked_scale(outputs, chosen.target, chosen.scale)
            asked = replace(asked, pools=share_draws(draw, scaled, budget.repeats, drawing))
        return cls(job, asked, budget)

    def answered(self, given: GivenRows, pairs: IntArray) -> GivenRows:
        """Return rows that another model was asked on as this one answers them."""
        answers = answer_rows(self.asked, self.job.opened.signature, given.rows.inputs, pairs)
        return replace(given, answers=answers)

    def explain(self, given: GivenRows) -> Iterator[tuple[int, FloatArray, Mapping[str, Any]]]:
        """Yield of each row that has an explanation its weights (t, n), and facts of it."""
        method: Any = self.job.chosen.method
        waiting = list(given.tasks(self.job, self.asked, self.budget))
        running = [(task.block, method.explain(task)) for task, _ in waiting]
        for (task, chosen), found in zip(waiting, run_together(self.asked, running), strict=True):
            if isinstance(found, UnexplainedError):
                continue
            weights = widened(found, task.block).weights
            known = task.block.shown().row_columns
            for i, d in enumerate(chosen):
                yield d, weights[i], {name: column[i] for name, column in known.items()}
