"""Gives rows their baselines; features equal to them are left out, and come back as zeros."""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np

from xplain_cli.baselines.assignment import Ask
from xplain_cli.engine.model_calls import ModelCalls, failure_text
from xplain_cli.engine.row_predictions import Answers
from xplain_cli.explanation import Attribution, exact_attribution
from xplain_cli.features import Split, Subset
from xplain_cli.methods import Explaining, Task
from xplain_cli.models.batches import predict_fixed
from xplain_cli.models.one_by_one import together_or_each

_LAST_AXIS_IS_FEATURES = ("weights", "error_factors", "own_error", "repeats", "selected")
_PERHAPS = ("quadrature_error",)


def assign_baselines(
    rows: Split, good: Sequence[int], answers: Answers, asked: ModelCalls
) -> tuple[Split, dict[int, int], dict[int, str]]:
    """
    Give rows their baselines.

    Parameters
    ----------
    rows, answers
        Distinct rows, and what the model says of them.
    good
        Those that can be explained; the others stay without a baseline of their own.
    asked
        How the model is asked.

    Returns
    -------
    the rows, the model inputs that each baseline took, and why a row has none
    """
    size = asked.batch_rows if rows.most_asked > 0 else min(asked.own_rows, asked.batch_rows)
    ask = partial(predict_fixed, asked.model, size=size)

    def assign_some(chosen: Sequence[int]) -> tuple[Split, dict[int, int]]:
        return _assign_some(rows, chosen, answers, ask)

    found, errors = together_or_each(assign_some, list(good))
    where = "a candidate for this row's baseline"
    lost = {d: failure_text(error, where, shown=asked.show_values) for d, error in errors.items()}
    if len(found) == 1 and not lost:
        return *found[0][1], lost
    return *assign_some([d for d in good if d not in lost]), lost


def _assign_some(
    rows: Split, chosen: Sequence[int], answers: Answers, ask: Ask
) -> tuple[Split, dict[int, int]]:
    own = list(chosen)
    if not own:
        return rows, {}
    found, asked = rows.take(own).with_baselines(answers.pairs[own], answers.outputs[own], ask)
    # rows that have no explanation borrow the place of one that has
    slot = {d: i for i, d in enumerate(own)}
    whole = found.take([slot.get(d, 0) for d in range(len(rows))])
    return whole, dict(zip(own, asked.tolist(), strict=True))


def nothing_moves(task: Task[Any, Any]) -> Explaining:
    """Explain rows that are their own baseline: nothing is asked, the base is the prediction."""
    yield from ()
    weights = np.empty((*task.predictions.shape, 0))
    asked = np.zeros(len(weights), dtype=np.int64)
    return exact_attribution(weights, task.predictions.copy(), samples=0, asked=asked)


def nothing_there(task: Task[Any, Any]) -> Attribution:
    """Explain rows in which there is nothing: all weights are 0, the base is the prediction."""
    weights = np.zeros((*task.predictions.shape, task.n))
    asked = np.zeros(len(weights), dtype=np.int64)
    return exact_attribution(weights, task.predictions.copy(), samples=0, asked=asked)


def widened(attribution: Attribution, block: Split) -> Attribution:
    """Return the attribution with all features: those that are equal to the baseline weigh 0."""
    subset = block.subset
    if subset is None:
        return attribution
    wide: dict[str, Any] = {}
    for part in fields(Attribution):
        value = getattr(attribution, part.name)
        if part.name in _LAST_AXIS_IS_FEATURES or (part.name in _PERHAPS and value is not None):
            wide[part.name] = _widen(value, subset, fill=part.name == "selected")
        elif isinstance(value, Attribution):
            wide[part.name] = widened(value, block)
    return replace(attribution, **wide)


def _widen(values: Any, subset: Subset, *, fill: bool) -> Any:
    """Spread (..., b, t, n) over all features."""
    made = np.full((*values.shape[:-1], subset.of), fill, dtype=values.dtype)
    where = np.broadcast_to(subset.places[:, None, :], values.shape)
    np.put_along_axis(made, where, values, axis=-1)
    return made
