"""Explains one chunk in a worker: predictions, targets, attributions, records."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from xplain_cli.engine.baseline_rows import (
    assign_baselines,
    nothing_moves,
    nothing_there,
    widened,
)
from xplain_cli.engine.mask_cache import MaskCache
from xplain_cli.engine.model_calls import ModelCalls, failure_text, run_together
from xplain_cli.engine.path_calls import PathModel, unit_values
from xplain_cli.engine.records import ExplainedRows, Labels, to_records
from xplain_cli.engine.row_predictions import Answers, answer_rows
from xplain_cli.engine.tasks import by_features, make_task, some_of, split_rows
from xplain_cli.explanation import Attribution, BoolArray, FloatArray, Records, Rows
from xplain_cli.features import FeatureLabels, Perturbation, RoughWeights, Split
from xplain_cli.methods import Method, Pool, Task, UnexplainedError
from xplain_cli.methods.defaults import follows_scores, layer_of
from xplain_cli.models import Model, ModelRecipe, Signature, load_model
from xplain_cli.models.batches import BATCH_ROWS, OWN_ROWS
from xplain_cli.models.gradients import Gradient
from xplain_cli.models.judges import Judge
from xplain_cli.models.scored import ScoredModel
from xplain_cli.quality.fidelity import decision_of
from xplain_cli.quality.precision import Budget
from xplain_cli.quality.stability import assess
from xplain_cli.scales import Scale
from xplain_cli.targets import Target, is_pair, names_of_rows, of_several, used_outputs

_Found: TypeAlias = tuple[list[tuple[ExplainedRows, list[int]]], dict[int, str]]
"""Explained rows, each group with the places of its rows, and why others are not explained."""


@dataclass(frozen=True)
class Assignment:
    """
    Everything that a worker needs to explain any chunk of a run; picklable.

    Attributes
    ----------
    identity
        The plan's digest.
    recipe, signature
        How to open the model, and what its probe chose.
    perturbation, method, target, scale, budget, stability_k
        The plan, as objects.
    labels
        What every line repeats.
    judge
        The model that judges baselines, if any.
    pool_folder
        Where the shared pool lies; None for a method that does not ask for it.
    batch_rows
        Rows of every model batch.
    sparse
        Whether masked texts are asked as sparse rows.
    with_values, with_repeats
        What is recorded.
    layer_mean
        The mean of a layer's value over rows, where paths begin there.
    """

    identity: str
    recipe: ModelRecipe
    signature: Signature
    perturbation: Perturbation
    method: Method
    target: Target
    scale: Scale
    budget: Budget
    stability_k: int
    labels: Labels
    judge: Judge | None = None
    pool_folder: str | None = None
    batch_rows: int = BATCH_ROWS
    sparse: bool = False
    with_values: bool = True
    with_repeats: bool = False
    layer_mean: FloatArray | None = None


def _scored(assignment: Assignment, model: Model, gradient: Gradient | None) -> tuple[Model, Scale]:
    """Return the model that is asked, and the scale of its answers: scores where it has them."""
    if gradient is None or assignment.scale.name != "log-odds":
        return model, assignment.scale
    return ScoredModel(model, gradient, is_pair(assignment.target)), Scale("raw")


def model_calls_of(assignment: Assignment, model: Model) -> ModelCalls:
    """Return how the rows of an assignment ask the model."""
    kept = used_outputs(assignment.target, len(assignment.signature.outputs))
    opened = model.capabilities.gradient if follows_scores(assignment.method) else None
    gradient = None if opened is None else opened()
    layer = layer_of(assignment.method)
    followed = opened(layer) if opened is not None and layer else gradient
    asked, scale = _scored(assignment, model, gradient)
    told = partial(failure_text, shown=assignment.with_values)
    return ModelCalls(
        model=asked,
        target=assignment.target,
        scale=scale,
        kept=kept,
        paths=None
        if followed is None
        else PathModel(followed, assignment.scale.name, kept, told, assignment.layer_mean),
        batch_rows=assignment.batch_rows,
        # rows that share a pool ask nothing else: chunks of them fill whole batches
        own_rows=assignment.batch_rows if assignment.method.pooled else OWN_ROWS,
        sparse=model.capabilities.masked_text if assignment.sparse else None,
        show_values=assignment.with_values,
    )


class Explainer:
    """An opened model with its pool, kept for all chunks that one process explains."""

    def __init__(
        self, assignment: Assignment, model: Model, pools: Iterator[tuple[Pool, ...]]
    ) -> None:
        self.assignment = assignment
        self._longer = pools
        self._pools = {first[0].repeats: first for first in itertools.islice(pools, 1)}
        self.model = model
        self._leaves: Any = None
        self._asked = model_calls_of(assignment, model)
        signature, outputs = assignment.signature, assignment.signature.outputs
        self._decision = decision_of(
            signature.task,
            len(outputs),
            assignment.scale.name,
            margin=signature.margin,
            exclusive=signature.decides and not of_several(outputs),
        )
        judge = assignment.judge
        self._judge = None if judge is None else judge.opened(load_model)
        if "leaves" in assignment.method.needs:
            leaves = model.capabilities.leaves
            if leaves is None:
                raise ValueError("a closed form needs trees")
            method: Any = assignment.method
            self._leaves = method.read_leaves(leaves(), assignment.perturbation, self._asked.kept)

    def explain(self, batch: Any, rows: Rows) -> Records:
        """Explain the rows of a chunk; a row that fails becomes a record with its reason."""
        split = split_rows(self.assignment.perturbation, self.model, batch)
        unread = dict(split.reasons) | dict(rows.unread)
        empty = {i: why for i, why in split.empty.items() if i not in unread}
        full = [i for i in range(len(split)) if i not in unread and i not in empty]
        explained, lost = self._explain_distinct(split, full, self._explain_rows)
        nothing, failed = self._explain_distinct(split, sorted(empty), self._explain_empty)
        return to_records(
            self.assignment.labels,
            [*explained, *nothing],
            rows=rows,
            errors=unread | lost | failed,
            empty=empty,
            with_values=self.assignment.with_values,
            with_repeats=self.assignment.with_repeats,
        )

    def _explain_distinct(
        self, split: Split, due: Sequence[int], explain: Callable[[Split], _Found]
    ) -> tuple[list[ExplainedRows], dict[int, str]]:
        """Explain some rows of the chunk, equal ones once; also return why rows have failed."""
        first: dict[bytes, int] = {}
        for i in due:
            first.setdefault(split.keys[i], i)
        if not first:
            return [], {}
        number = {key: d for d, key in enumerate(first)}
        at = {i: number[split.keys[i]] for i in due}
        explained, lost = explain(some_of(split, list(first.values())))
        places = [at.get(i, -1) for i in range(len(split))]
        placed = [_placed(found, chosen, places) for found, chosen in explained]
        return placed, {i: lost[d] for i, d in at.items() if d in lost}

    def _explain_empty(self, rows: Split) -> _Found:
        """Explain distinct rows in which there is nothing: the model is asked on them alone."""
        answers = answer_rows(self._asked, self.assignment.signature, rows.inputs)
        good = [d for d in range(len(rows)) if d not in answers.reasons]
        explained = []
        for chosen in by_features(rows, good).values():
            task = self._task(rows, answers, chosen, self.assignment.budget)
            explained.append((self._explained(task, nothing_there(task)), chosen))
        return explained, dict(answers.reasons)

    def _explain_rows(self, rows: Split) -> _Found:
        """Explain distinct rows, those with equally many features together."""
        answers = answer_rows(self._asked, self.assignment.signature, rows.inputs)
        rows, found = rows.refined(partial(self._weigh, answers))
        answers.reasons.update(found.lost)
        spent = found.asked
        good = [d for d in range(len(rows)) if d not in answers.reasons]
        if self.assignment.perturbation.traits.has_baselines:
            rows, spent, unmoved = assign_baselines(rows, good, answers, self._asked)
            rows = rows if self._judge is None else rows.judged(self._judge.classes)
            answers.reasons.update(unmoved)
            good = [d for d in good if d not in unmoved]
        lost, explained = dict(answers.reasons), []
        stages = self.assignment.budget.stages
        asked = replace(self._asked, memory=MaskCache() if len(stages) > 1 else None)
        for repeats in stages:
            budget = replace(self.assignment.budget, repeats=repeats)
            attributed, unexplained = self._attribute(rows, answers, sorted(good), budget, asked)
            lost |= unexplained
            good = []
            for task, attribution, chosen in attributed:
                for d, own in zip(chosen, attribution.n_inputs.tolist(), strict=True):
                    spent[d] = spent.get(d, 0) + own
                taken = np.array([spent[d] for d in chosen], dtype=np.int64)
                row = self._explained(task, replace(attribution, n_inputs=taken))
                ready = self._ready(row, repeats)
                explained.append((row, [d if ready[i] else -1 for i, d in enumerate(chosen)]))
                good += [d for i, d in enumerate(chosen) if not ready[i]]
            if not good:
                break
        return explained, lost

    def _ready(self, found: ExplainedRows, repeats: int) -> BoolArray:
        """Say of each row whether it takes no further look: (b,) bool."""
        budget = self.assignment.budget
        if budget.goal is None or repeats == budget.stages[-1]:
            return np.ones(len(found.place), dtype=np.bool_)
        met = budget.goal.reached(found.stability.max_rel_se, repeats)
        return np.asarray(met.all(axis=1), dtype=np.bool_)

    def _shared(self, repeats: int) -> tuple[Pool, ...]:
        """Return the shared pools with so many repeats, made longer if need be."""
        while self._pools and repeats not in self._pools:
            longer = next(self._longer)
            self._pools[longer[0].repeats] = longer
        return self._pools.get(repeats, ())

    def _weigh(self, answers: Answers, rows: Split, due: Sequence[int]) -> RoughWeights:
        """Explain some rows roughly, with one repeat."""
        budget = replace(self.assignment.budget, repeats=1)
        attributed, lost = self._attribute(rows, answers, due, budget, self._asked)
        found = RoughWeights(lost=lost)
        for _, attribution, chosen in attributed:
            sizes = np.abs(attribution.weights).max(axis=1)
            found.sizes |= dict(zip(chosen, sizes, strict=True))
            found.asked |= dict(zip(chosen, attribution.n_inputs.tolist(), strict=True))
        return found

    def _attribute(
        self, rows: Split, answers: Answers, good: Sequence[int], budget: Budget, asked: ModelCalls
    ) -> tuple[list[tuple[Task[Any, Any], Attribution, list[int]]], dict[int, str]]:
        """Run the method on rows, those with equally many features together."""
        groups = by_features(rows, good)
        waiting = [groups[n] for n in sorted(groups)]
        attributed, lost = [], dict[int, str]()
        asked = replace(asked, pools=self._shared(budget.repeats))
        while waiting:
            tasks = [self._task(rows, answers, chosen, budget) for chosen in waiting]
            method = self.assignment.method
            running = [
                (task.block, method.explain(task) if task.n else nothing_moves(task))
                for task in tasks
            ]
            again = []
            for chosen, task, found in zip(
                waiting, tasks, run_together(asked, running), strict=True
            ):
                if isinstance(found, UnexplainedError):
                    lost |= {chosen[i]: reason for i, reason in found.reasons.items()}
                    left = [d for d in chosen if d not in lost]
                    again += [left] if left else []
                else:
                    attributed.append((task, found, chosen))
            waiting = again
        return attributed, lost

    def _task(
        self, rows: Split, answers: Answers, chosen: Sequence[int], budget: Budget
    ) -> Task[Any, Any]:
        task = make_task(
            self._asked,
            self.assignment.signature,
            self.assignment.perturbation,
            rows=rows,
            answers=answers,
            chosen=chosen,
            budget=budget,
        )
        return replace(task, leaves=self._leaves)

    def _explained(self, task: Task[Any, Any], attribution: Attribution) -> ExplainedRows:
        asked = self.assignment
        outputs = [asked.signature.outputs[i] for i in self._asked.kept.tolist()]
        whole = widened(attribution, task.block)
        return ExplainedRows(
            place=np.arange(len(task.block)),
            attribution=whole,
            stability=assess(whole, asked.stability_k, asked.budget.seed),
            shown=self._shown(task.block),
            targets=names_of_rows(task.pairs, outputs),
            predictions=task.predictions,
            same_decision=self._decide(whole, task),
        )

    def _shown(self, block: Split) -> FeatureLabels:
        """Return how rows are named; units of a layer are worth what the model makes of a row."""
        shown, paths = block.shown(), self._asked.paths
        if paths is None or not self.assignment.perturbation.traits.units:
            return shown
        return replace(shown, values=unit_values(paths, block.inputs))

    def _decide(self, whole: Attribution, task: Task[Any, Any]) -> FloatArray:
        """Say of each target whether base and weights decide as the model does."""
        if not whole.sums:
            return np.full(task.predictions.shape, np.nan)
        explained = whole.base + whole.weights.sum(axis=-1)
        return self._decision.same(task.pairs, task.predictions, explained)


def _placed(found: ExplainedRows, chosen: Sequence[int], at: Sequence[int]) -> ExplainedRows:
    """Say for every row of the chunk where its explanation is; ``at`` are distinct rows."""
    slot = {d: i for i, d in enumerate(chosen)}
    return replace(found, place=np.array([slot.get(d, -1) for d in at], dtype=np.int64))
