"""Checks that the leaves of a model add up to its answers, before a closed form uses them."""

import numpy as np
import pandas as pd

from xplain_cli.errors import UsageError
from xplain_cli.models import Model, Trees
from xplain_cli.models.batches import predict_perturbed
from xplain_cli.models.leaves import sum_of_leaves

_ROWS = 128
_ROUNDING = 1e-5  # XGBoost adds its leaves up in float32


def check_leaves(model: Model, background: pd.DataFrame) -> None:
    """
    Compare the sum of a model's leaves with its answers, on rows across the background.

    Raises
    ------
    UsageError
        The model is no sum of trees, or its answers are another number than the sum.
    """
    if not isinstance(model, Trees):
        raise UsageError("lime:exact=yes needs a tree model; take lime:exact=no")
    boxes = model.leaf_boxes()
    places = np.linspace(0, len(background) - 1, min(_ROWS, len(background))).astype(np.int64)
    rows = background.iloc[places].reset_index(drop=True)
    answers = predict_perturbed(model, rows)
    sums = sum_of_leaves(boxes, rows.to_numpy(dtype=np.float64))
    missed = np.abs(answers - sums).max(axis=1)
    if missed.max() > _ROUNDING * max(np.abs(answers).max(), np.abs(boxes.base).max()):
        worst = int(missed.argmax())
        raw = model.settled.response == "decision_function"
        raise UsageError(
            f"lime:exact=yes: the trees add up to {sums[worst, -1]:.6g} where"
            f" {model.settled.response} answers {answers[worst, -1]:.6g};"
            f" take {'' if raw else '--response decision_function, or '}lime:exact=no"
        )
