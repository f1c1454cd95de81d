"""Checks that the leaves of a model add up to its answers, before a closed form uses them."""

import numpy as np
import pandas as pd

from xplain_cli.models import Model, UnableError
from xplain_cli.models.batches import predict_perturbed
from xplain_cli.models.leaves import sum_of_leaves

_ROWS = 128
_ROUNDING = 1e-5  # XGBoost adds its leaves up in float32


def check_leaves(model: Model, background: pd.DataFrame) -> None:
    """
    Compare the sum of a model's leaves with its answers, on rows across the background.

    Raises
    ------
    UnableError
        Its trees cannot be followed, or its answers are another number than their sum.
    ValueError
        The model has no leaves.
    """
    if model.capabilities.leaves is None:
        raise ValueError("check_leaves needs leaves")
    boxes = model.capabilities.leaves()
    places = np.linspace(0, len(background) - 1, min(_ROWS, len(background))).astype(np.int64)
    rows = background.iloc[places].reset_index(drop=True)
    answers = predict_perturbed(model, rows)
    sums = sum_of_leaves(boxes, rows.to_numpy(dtype=np.float64))
    missed = np.abs(answers - sums).max(axis=1)
    if missed.max() > _ROUNDING * max(np.abs(answers).max(), np.abs(boxes.base).max()):
        worst = int(missed.argmax())
        response = model.signature.response
        raise UnableError(
            f"needs trees that add up to the answer: they add up to {sums[worst, -1]:.6g} where"
            f" {response} answers {answers[worst, -1]:.6g}",
            "" if response == "decision_function" else "--response decision_function",
        )
