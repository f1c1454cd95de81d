"""What a worker does with one chunk: predict, choose targets, explain, lay out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import XplainError
from xplain_cli.explanation import Attribution, FloatArray, IntArray, Records
from xplain_cli.features import Block
from xplain_cli.features.tables import TableLaw
from xplain_cli.methods import Method, NeedPool, Pool, Task, UnexplainedError
from xplain_cli.methods.closed_form import see_leaves
from xplain_cli.models import Model, ModelRecipe, Settled, Trees, load_model
from xplain_cli.pool import (
    Budget,
    checked_scale,
    load_pool,
    no_log_odds,
    predict_fixed,
    predict_perturbed,
)
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
        Where the shared pool lies; None for a method that draws around each row.
    with_values, with_repeats
        What is recorded.
    """

    identity: str
    recipe: ModelRecipe
    settled: Settled
    law: TableLaw
    method: Method
    target: Target
    scale: Scale
    budget: Budget
    stability_k: int
    labels: Labels
    pool_folder: str | None = None
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
        self._pool = pool
        self._leaves: Any = None
        self._kept = used_outputs(assignment.target, len(assignment.settled.outputs))
        if assignment.method.exact:
            if not isinstance(model, Trees):
                raise ValueError("a closed form needs trees")
            self._leaves = see_leaves(model.leaf_boxes(), assignment.law, self._kept)

    def explain(self, table: pd.DataFrame, rows: Rows) -> Records:
        """Explain the rows of a chunk; a row that fails becomes a record with its reason."""
        block = self.assignment.law.split(table)
        first: dict[bytes, int] = {}
        for i, key in enumerate(block.keys):
            if i not in rows.unread:
                first.setdefault(key, i)
        distinct = list(first.values())
        number = {key: d for d, key in enumerate(first)}
        if not distinct:
            return to_records(self.assignment.labels, None, rows=rows, errors=rows.unread)
        answers = self._answer(table.iloc[distinct])
        good = [d for d in range(len(distinct)) if d not in answers.reasons]
        found, lost = None, answers.reasons
        while good and found is None:
            own = _take(block, [distinct[d] for d in good])
            try:
                found = self._explain_block(own, answers.pairs[good], answers.values[good])
            except UnexplainedError as error:
                lost |= {good[i]: reason for i, reason in error.reasons.items()}
                good = [d for d in good if d not in lost]
        slot = {d: at for at, d in enumerate(good)}
        at = [number.get(key, -1) for key in block.keys]
        errors = {i: lost[d] for i, d in enumerate(at) if d in lost} | dict(rows.unread)
        if found is not None:
            place = np.array([slot.get(d, -1) for d in at], dtype=np.int64)
            found = replace(found, place=place)
        return to_records(
            self.assignment.labels,
            found,
            rows=rows,
            errors=errors,
            with_values=self.assignment.with_values,
            with_repeats=self.assignment.with_repeats,
        )

    def _explain_block(self, block: Block, pairs: IntArray, values: FloatArray) -> Explained:
        asked = self.assignment
        task = Task(
            law=asked.law,
            block=block,
            pairs=np.where(pairs >= 0, np.searchsorted(self._kept, pairs), -1),
            predictions=values,
            margin=asked.settled.margin,
            seed=asked.budget.seed,
            samples=asked.budget.samples,
            repeats=asked.budget.repeats,
            leaves=self._leaves,
        )
        attribution = self._run(task)
        return Explained(
            place=np.arange(len(block)),
            attribution=attribution,
            stability=assess(attribution, asked.stability_k, asked.budget.seed),
            names=asked.law.names,
            values=block.values,
            targets=[target_names(pair, asked.settled.outputs) for pair in pairs],
            predictions=values,
        )

    def _run(self, task: Task) -> Attribution:
        """Answer the method's questions until it returns the attribution."""
        explaining = self.assignment.method.explain(task)
        answer: Any = None
        while True:
            try:
                need = explaining.send(answer)
            except StopIteration as finished:
                attribution: Attribution = finished.value
                return attribution
            if isinstance(need, NeedPool):
                answer = self._pool
            else:
                inputs = pd.concat(need.inputs, ignore_index=True)
                outputs = predict_perturbed(self.model, inputs, self._kept)
                answer = checked_scale(outputs, self.assignment.target, self.assignment.scale)

    def _answer(self, rows: pd.DataFrame) -> _Answers:
        """Predict distinct rows and choose their targets; a row that cannot be has a reason."""
        asked = self.assignment
        outputs, reasons = self._predict_rows(rows)
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

    def _predict_rows(self, rows: pd.DataFrame) -> tuple[FloatArray, dict[int, str]]:
        """Predict together; where that fails, row by row, so that one bad row stays one."""
        try:
            return predict_fixed(self.model, rows), {}
        except XplainError:
            raise
        except Exception:  # noqa: BLE001 - a model may raise anything; each row's own is kept below
            outputs = np.full((len(rows), len(self.assignment.settled.outputs)), np.nan)
            reasons = {}
            for d in range(len(rows)):
                try:
                    outputs[d] = predict_fixed(self.model, rows.iloc[[d]])[0]
                except Exception as error:  # noqa: BLE001 - as above
                    reasons[d] = f"the model raised {type(error).__name__}: {error}".splitlines()[0]
            return outputs, reasons


def _take(block: Block, rows: list[int]) -> Block:
    return Block(
        codes=block.codes[rows],
        positions=block.positions[rows],
        values=tuple(block.values[i] for i in rows),
        inputs=block.inputs.iloc[rows].reset_index(drop=True),
        keys=tuple(block.keys[i] for i in rows),
    )


def _open_pool(assignment: Assignment) -> Pool | None:
    if assignment.pool_folder is None:
        return None
    levels = tuple(len(f) for f in assignment.law.frequencies)
    draw, outputs = load_pool(Path(assignment.pool_folder))
    scaled = checked_scale(outputs, assignment.target, assignment.scale)
    return Pool(draw, scaled, assignment.budget.repeats, levels)


_OPEN: dict[tuple[str, str], Explainer] = {}


def open_explainer(assignment: Assignment, model: Model | None = None) -> Explainer:
    """Open the model and the pool of an assignment, once in a process."""
    key = (assignment.identity, assignment.pool_folder or "")
    if key not in _OPEN:
        if model is None:
            model = load_model(assignment.recipe).bind(assignment.settled)
        _OPEN.clear()
        _OPEN[key] = Explainer(assignment, model, _open_pool(assignment))
    return _OPEN[key]


def explain_chunk(assignment: Assignment, table: pd.DataFrame, rows: Rows) -> Records:
    """Explain one chunk with threads pinned to 1: their number would change last digits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return open_explainer(assignment).explain(table, rows)
