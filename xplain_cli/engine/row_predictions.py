"""The model's answers on the rows themselves, and what of them is explained."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.engine.model_calls import Asked, raised
from xplain_cli.errors import XplainError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models import Settled
from xplain_cli.models.batches import count, predict_fixed, take
from xplain_cli.scales import no_log_odds, to_scale
from xplain_cli.targets import choose, is_pair, pair_values


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


def answer_rows(asked: Asked, settled: Settled, inputs: Any) -> Answers:
    """Predict distinct rows and choose their targets; a row that cannot be has a reason."""
    outputs, reasons = _predict_rows(asked, settled, inputs)
    pairs = choose(asked.target, np.nan_to_num(outputs))
    scaled = to_scale(outputs, asked.scale, paired=is_pair(asked.target))
    values = np.stack([
        pair_values(row[None], pair, margin=settled.margin)[:, 0]
        for row, pair in zip(scaled, pairs, strict=True)
    ])
    for d in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        if not np.isfinite(outputs[d]).all():
            reasons.setdefault(d, "the model's output is NaN or infinite")
        reasons.setdefault(d, no_log_odds("this row"))
    return Answers(outputs, pairs, values, reasons)


def _predict_rows(asked: Asked, settled: Settled, inputs: Any) -> tuple[FloatArray, dict[int, str]]:
    """Predict together; where that fails, row by row, so that one bad row stays one."""
    size = min(asked.own_rows, asked.batch_rows)
    try:
        return predict_fixed(asked.model, inputs, size=size), {}
    except XplainError:
        raise
    except Exception:  # noqa: BLE001 - a model may raise anything; each row's own is kept below
        outputs = np.full((count(inputs), len(settled.outputs)), np.nan)
        reasons = {}
        for d in range(len(outputs)):
            try:
                outputs[d] = predict_fixed(asked.model, take(inputs, [d]), size=size)[0]
            except Exception as error:  # noqa: BLE001 - as above
                reasons[d] = raised(error, "this row", shown=asked.show_values)
        return outputs, reasons
