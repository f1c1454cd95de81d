"""Predictions on the rows themselves, and the targets that are chosen from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.engine.model_calls import ModelCalls, failure_text
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models import Signature
from xplain_cli.models.batches import count, gaps, predict_fixed, take
from xplain_cli.models.one_by_one import together_or_each
from xplain_cli.scales import no_log_odds, to_scale
from xplain_cli.targets import choose, is_pair, own_values


@dataclass(frozen=True)
class Answers:
    """
    The model's answers on d distinct rows.

    Attributes
    ----------
    outputs : (d, k)
        Untransformed.
    pairs : (d, t, 2)
        The outputs that are explained.
    values : (d, t)
        The explained numbers.
    reasons
        Why a row cannot be explained.
    """

    outputs: FloatArray
    pairs: IntArray
    values: FloatArray
    reasons: dict[int, str]


def answer_rows(
    asked: ModelCalls, signature: Signature, inputs: Any, pairs: IntArray | None = None
) -> Answers:
    """
    Predict distinct rows and choose their targets; a row that cannot be has a reason.

    Parameters
    ----------
    pairs : (d, t, 2) int, optional
        The outputs that are explained, where something else than these answers chose them.
    """
    outputs, reasons = _predict_rows(asked, signature, inputs)
    pairs = choose(asked.target, np.nan_to_num(outputs)) if pairs is None else pairs
    scaled = to_scale(outputs, asked.scale, paired=is_pair(asked.target))
    values = own_values(scaled, pairs, margin=signature.margin)
    for d in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        if not np.isfinite(outputs[d]).all():
            reasons.setdefault(d, _no_number(gaps(inputs, d)))
        reasons.setdefault(d, no_log_odds("this row"))
    return Answers(outputs, pairs, values, reasons)


def _no_number(columns: Sequence[str]) -> str:
    """Return why a row has no output, where *columns* are those in which it has no value."""
    if not columns:
        return "the model's output is NaN or infinite"
    named = ", ".join(map(repr, columns[:5])) + (", ..." if len(columns) > 5 else "")
    return (
        f"the model's output is NaN: the row has no value in {named}, and nothing in the model"
        " fills it; fill it in DATA, or store the model with its imputer"
    )


def _predict_rows(
    asked: ModelCalls, signature: Signature, inputs: Any
) -> tuple[FloatArray, dict[int, str]]:
    """Return the outputs (d, k), NaN of rows on which the model fails, and why it does."""
    rows, size = count(inputs), min(asked.own_rows, asked.batch_rows)

    def ask(chosen: Sequence[int]) -> FloatArray:
        some = inputs if len(chosen) == rows else take(inputs, chosen)
        return predict_fixed(asked.model, some, size=size)

    answers, errors = together_or_each(ask, range(rows))
    if not errors and len(answers) == 1:
        return answers[0][1], {}
    outputs = np.full((rows, len(signature.outputs)), np.nan)
    for chosen, found in answers:
        outputs[list(chosen)] = found
    return outputs, {
        d: failure_text(error, "this row", shown=asked.show_values) for d, error in errors.items()
    }
