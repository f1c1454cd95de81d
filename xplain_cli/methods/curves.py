"""Measures of an explanation on the model: deletion, insertion, sufficiency, infidelity.

RISE (Petsiuk et al. 2018) for the curves, ERASER (DeYoung et al. 2020) for sufficiency and
comprehensiveness, Yeh et al. 2019 for infidelity. All of it takes features away as masks do, and so
as the explanation may have done itself.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.requests import MaskOutputs, MaskTask, NeedMasks
from xplain_cli.seeds import CURVES, stream
from xplain_cli.targets import pair_values

_STEPS = 32
_ORDERS = 4


@dataclass(frozen=True)
class Curves:
    """
    Of b rows with t targets.

    Attributes
    ----------
    measures : dict of (b, t)
        ``deletion_auc``, ``insertion_auc``: mean of the explained number while the features of
        greatest weight are taken away, or put in, first. ``random_auc``: the same in random order,
        which is the same both ways. ``comprehensiveness``, ``sufficiency``: what the number loses
        without the k greatest, and with these alone. ``infidelity``: squared miss of the weights
        over random masks, as a share of the squared change.
    asked : (b,)
        Model inputs.
    """

    measures: dict[str, FloatArray]
    asked: IntArray


def _path(order: IntArray, sizes: IntArray) -> BoolArray:
    """Return masks (s, n) in which the first 0 ... n features of an order are left out."""
    places = order.argsort()
    return np.asarray(places[None, :] >= sizes[:, None])


def measure(
    task: MaskTask, weights: FloatArray, k: int
) -> Generator[NeedMasks, MaskOutputs, Curves]:
    """
    Measure weights (b, t, n) of a block of rows on the model.

    Parameters
    ----------
    task, weights
        The rows, all with equally many features, and what was said of them.
    k
        The k of sufficiency and comprehensiveness.
    """
    b, t, n = weights.shape
    sizes = np.unique(np.linspace(0, n, min(n, _STEPS) + 1).round().astype(np.int64))
    source = stream(CURVES, task.seed, n)
    free = np.concatenate([_path(source.permutation(n), sizes) for _ in range(_ORDERS)])
    masks = [np.concatenate([free, *_own(weights[i], sizes, k)]) for i in range(b)]
    answer = yield NeedMasks(range(b), masks)
    found: dict[str, list[FloatArray]] = {}
    for i in range(b):
        values = pair_values(answer.outputs[i], task.pairs[i], margin=task.margin)
        for j in range(t):
            measures = _measures(values[j], weights[i, j], free, sizes, j)
            measures |= {
                "comprehensiveness": task.predictions[i, j] - measures.pop("without"),
                "sufficiency": task.predictions[i, j] - measures.pop("alone"),
                "infidelity": _infidelity(
                    values[j, : len(free)], weights[i, j], free, task.predictions[i, j]
                ),
            }
            for name, value in measures.items():
                found.setdefault(name, []).append(value)
    shaped = {name: np.array(parts).reshape(b, t) for name, parts in found.items()}
    return Curves(shaped, answer.asked)


def _own(weights: FloatArray, sizes: IntArray, k: int) -> list[BoolArray]:
    """Return the masks of each target (t, n): deletion, insertion, without and with k alone."""
    parts = []
    for own in weights:
        order = np.argsort(-own, kind="stable")
        taken = _path(order, sizes)
        best = _path(order, np.array([min(k, len(own))]))
        parts.append(np.concatenate([taken, ~taken, best, ~best]))
    return parts


def _measures(
    values: FloatArray, weights: FloatArray, free: BoolArray, sizes: IntArray, target: int
) -> dict[str, Any]:
    """Read the values of one row and target off its masks."""
    s = len(sizes)
    share = sizes / max(len(weights), 1)
    random = values[: len(free)].reshape(_ORDERS, s)
    at = len(free) + target * (2 * s + 2)
    own = values[at : at + 2 * s + 2]
    return {
        "deletion_auc": np.trapezoid(own[:s], share),
        "insertion_auc": np.trapezoid(own[s : 2 * s], share),
        "random_auc": np.trapezoid(random, share).mean(),
        "without": own[2 * s],
        "alone": own[2 * s + 1],
    }


def _infidelity(
    values: FloatArray, weights: FloatArray, masks: BoolArray, prediction: float
) -> float:
    """Return the mean squared miss over the mean squared change; NaN where nothing changes."""
    change = prediction - values
    missed = ~masks @ weights - change
    due = float((change**2).mean())
    return float((missed**2).mean() / due) if due > 0 else np.nan
