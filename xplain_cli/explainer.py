"""What a worker does with one chunk: predict, choose targets, explain, lay out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xplain_cli.asking import Asked, run_together
from xplain_cli.batches import BATCH_ROWS, count, predict_fixed, take
from xplain_cli.errors import XplainError
from xplain_cli.explanation import Attribution, FloatArray, IntArray, Records
from xplain_cli.features import Law, Split
from xplain_cli.features.tables import TableLaw
from xplain_cli.methods import Method, Pool, Task, UnexplainedError
from xplain_cli.methods.closed_form import see_leaves
from xplain_cli.models import MaskedText, Model, ModelRecipe, Settled, Trees
from xplain_cli.pool import Budget, no_log_odds
from xplain_cli.records import Explained, Labels, Rows, to_records
from xplain_cli.scales import Scale, to_scale
from xplain_cli.stability import assess
from xplain_cli.targets import (
    Target,
    choose,
    is_pair,
    pair_values,
    target_names,
    used_outputs,
)


@dataclass(frozen=True)
class Assignment:
    """
    Everything that a worker needs to explain any chunk of a run; picklable.

    Attributes
    ----------
    identity
        The plan's digest.
    recipe, settled
        How to open the model, and what its probe chose.
    law, method, target, scale, budget, stability_k
        The plan, as objects.
    labels
        What every line repeats.
    pool_folder
        Where the shared pool lies; None for a method that does not ask for it.
    batch_rows
        Rows of every model batch.
    sparse
        Whether masked texts are asked as sparse rows.
    with_values, with_repeats
        What is recorded.
    """

    identity: str
    recipe: ModelRecipe
    settled: Settled
    law: Law
    method: Method
    target: Target
    scale: Scale
    budget: Budget
    stability_k: int
    labels: Labels
    pool_folder: str | None = None
    batch_rows: int = BATCH_ROWS
    sparse: bool = False
    with_values: bool = True
    with_repeats: bool = False


@dataclass(frozen=True)
class _Answers:
    """The model's answers on d distinct rows, and what of them is explained."""

    outputs: FloatArray  # (d, k)
    pairs: IntArray  # (d, t, 2)
    values: FloatArray  # (d, t)
    reasons: dict[int, str]


class Explainer:
    """An opened model with its pool, kept for all chunks that one process explains."""

    def __init__(self, assignment: Assignment, model: Model, pool: Pool | None) -> None:
        self.assignment = assignment
        self.model = model
        self._leaves: Any = None
        self._kept = used_outputs(assignment.target, len(assignment.settled.outputs))
        self._asked = Asked(
            model=model,
            target=assignment.target,
            scale=assignment.scale,
            kept=self._kept,
            batch_rows=assignment.batch_rows,
            sparse=model if assignment.sparse and isinstance(model, MaskedText) else None,
            pool=pool,
        )
        if assignment.method.exact:
            if not isinstance(model, Trees) or not isinstance(assignment.law, TableLaw):
                raise ValueError("a closed form needs trees")
            self._leaves = see_leaves(model.leaf_boxes(), assignment.law, self._kept)

    def explain(self, batch: Any, rows: Rows) -> Records:
        """Explain the rows of a chunk; a row that fails becomes a record with its reason."""
        split = self.assignment.law.split(batch)
        unread = dict(split.reasons) | dict(rows.unread)
        first: dict[bytes, int] = {}
        for i, key in enumerate(split.keys):
            if i not in unread:
                first.setdefault(key, i)
        distinct = split.take(list(first.values()))
        number = {key: d for d, key in enumerate(first)}
        explained, lost = self._explain_rows(distinct) if first else ([], {})
        at = [-1 if i in unread else number[key] for i, key in enumerate(split.keys)]
        errors = unread | {i: lost[d] for i, d in enumerate(at) if d in lost}
        return to_records(
            self.assignment.labels,
            [_placed(found, chosen, at) for found, chosen in explained],
            rows=rows,
            errors=errors,
            with_values=self.assignment.with_values,
            with_repeats=self.assignment.with_repeats,
        )

    def _explain_rows(
        self, rows: Split
    ) -> tuple[list[tuple[Explained, list[int]]], dict[int, str]]:
        """Explain distinct rows, those with equally many features together."""
        answers = self._answer(rows.inputs)
        lost = dict(answers.reasons)
        groups: dict[int, list[int]] = {}
        for d, n in enumerate(rows.counts.tolist()):
            if d not in lost:
                groups.setdefault(n, []).append(d)
        waiting = [groups[n] for n in sorted(groups)]
        explained = []
        while waiting:
            tasks = [self._task(rows.take(chosen), answers, chosen) for chosen in waiting]
            method = self.assignment.method
            running = [(task.block, method.explain(task)) for task in tasks]
            again = []
            for chosen, task, found in zip(
                waiting, tasks, run_together(self._asked, running), strict=True
            ):
                if isinstance(found, UnexplainedError):
                    lost |= {chosen[i]: reason for i, reason in found.reasons.items()}
                    left = [d for d in chosen if d not in lost]
                    again += [left] if left else []
                else:
                    explained.append((self._explained(task, found), chosen))
            waiting = again
        return explained, lost

    def _task(self, block: Any, answers: _Answers, chosen: Sequence[int]) -> Task[Any, Any]:
        asked = self.assignment
        pairs = answers.pairs[list(chosen)]
        return Task(
            law=asked.law,
            block=block,
            pairs=np.where(pairs >= 0, np.searchsorted(self._kept, pairs), -1),
            predictions=answers.values[list(chosen)],
            margin=asked.settled.margin,
            seed=asked.budget.seed,
            samples=asked.budget.samples,
            repeats=asked.budget.repeats,
            leaves=self._leaves,
            probabilities=asked.scale.name == "probability",
        )

    def _explained(self, task: Task[Any, Any], attribution: Attribution) -> Explained:
        asked = self.assignment
        outputs = [asked.settled.outputs[i] for i in self._kept.tolist()]
        return Explained(
            place=np.arange(len(task.block)),
            attribution=attribution,
            stability=assess(attribution, asked.stability_k, asked.budget.seed),
            shown=task.block.shown(),
            targets=[target_names(pair, outputs) for pair in task.pairs],
            predictions=task.predictions,
        )

    def _answer(self, inputs: Any) -> _Answers:
        """Predict distinct rows and choose their targets; a row that cannot be has a reason."""
        asked = self.assignment
        outputs, reasons = self._predict_rows(inputs)
        pairs = choose(asked.target, np.nan_to_num(outputs))
        scaled = to_scale(outputs, asked.scale, paired=is_pair(asked.target))
        values = np.stack([
            pair_values(row[None], pair, margin=asked.settled.margin)[:, 0]
            for row, pair in zip(scaled, pairs, strict=True)
        ])
        for d in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
            if not np.isfinite(outputs[d]).all():
                reasons.setdefault(d, "the model's output is NaN or infinite")
            reasons.setdefault(d, no_log_odds("this row"))
        return _Answers(outputs, pairs, values, reasons)

    def _predict_rows(self, inputs: Any) -> tuple[FloatArray, dict[int, str]]:
        """Predict together; where that fails, row by row, so that one bad row stays one."""
        size = self.assignment.batch_rows
        try:
            return predict_fixed(self.model, inputs, size=size), {}
        except XplainError:
            raise
        except Exception:  # noqa: BLE001 - a model may raise anything; each row's own is kept below
            outputs = np.full((count(inputs), len(self.assignment.settled.outputs)), np.nan)
            reasons = {}
            for d in range(len(outputs)):
                try:
                    outputs[d] = predict_fixed(self.model, take(inputs, [d]), size=size)[0]
                except Exception as error:  # noqa: BLE001 - as above
                    reasons[d] = f"the model raised {type(error).__name__}: {error}".splitlines()[0]
            return outputs, reasons


def _placed(found: Explained, chosen: Sequence[int], at: Sequence[int]) -> Explained:
    """Say for every row of the chunk where its explanation is; ``at`` are distinct rows."""
    slot = {d: i for i, d in enumerate(chosen)}
    return replace(found, place=np.array([slot.get(d, -1) for d in at], dtype=np.int64))
