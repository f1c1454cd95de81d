"""One-vs-one curves: what explanations find, while their strongest features are replaced alike.

Explanations under several baselines are compared by one replacement, the values of a row that none
of them has seen; else the baseline that lies farthest off would win (AOPC, Samek et al. 2017).
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.requests import MaskOutputs, MaskTask, NeedMasks
from xplain_cli.seeds import CURVES, stream
from xplain_cli.targets import pair_values

_SHARE, _STEPS, _ORDERS = 4, 32, 4


@dataclass(frozen=True)
class ReplacementCurves:
    """
    Of a explanations of b rows with t targets each.

    Attributes
    ----------
    shares : (a, b, t)
        What part of the way to the replacement the explained number goes, on average while the
        first quarter of the features is replaced one by one, those that speak for it first. NaN
        where the whole replacement changes nothing.
    random : (b, t)
        The same in random orders.
    turned : (a, b, t)
        1 where the sign of a difference of two outputs has turned at the end of it, 0 where not;
        NaN of single outputs.
    replaced
        How many features that quarter has.
    asked : (b,)
        Model inputs.
    """

    shares: FloatArray
    random: FloatArray
    turned: FloatArray
    replaced: int
    asked: IntArray


def replaced_count(features: int) -> int:
    """Return how many features a curve replaces."""
    return max(1, -(-features // _SHARE))


def _kept(order: IntArray, sizes: IntArray, places: IntArray) -> BoolArray:
    """Return masks (s, n) of the features at some places, without the first ones of an order."""
    return np.asarray(order.argsort()[places][None, :] >= sizes[:, None])


def _ranked(weights: FloatArray, drop: FloatArray) -> list[IntArray]:
    """Return the order of the features in each of some weights (a, t, n): first what drops most."""
    return [
        np.argsort(-own[j] * (np.sign(drop[j]) or 1.0), kind="stable")
        for own in weights
        for j in range(len(drop))
    ]


def follow(
    task: MaskTask, weights: FloatArray
) -> Generator[NeedMasks, MaskOutputs, ReplacementCurves]:
    """
    Replace features in the order of weights (a, b, t, n); n counts those equal to the replacement.

    Parameters
    ----------
    task
        The rows, whose baseline is the replacement.
    weights
        What each explanation says of all their features.
    """
    a, b, t, n = weights.shape
    count, subset = replaced_count(n), task.block.subset
    sizes = np.unique(np.linspace(1, count, min(count, _STEPS)).round().astype(np.int64))
    places = [np.arange(n) if subset is None else subset.places[i] for i in range(b)]
    gone = yield NeedMasks(range(b), [np.zeros((1, len(own)), dtype=bool) for own in places])
    drop = task.predictions - np.stack([
        pair_values(gone.outputs[i], task.pairs[i], margin=task.margin)[:, 0] for i in range(b)
    ])
    source = stream(CURVES, task.seed, n)
    orders = [source.permutation(n) for _ in range(_ORDERS)]
    masks = []
    for i in range(b):
        ranked = _ranked(weights[:, i], drop[i])
        masks.append(np.concatenate([_kept(one, sizes, places[i]) for one in [*orders, *ranked]]))
    answer = yield NeedMasks(range(b), masks)
    shares, turned = np.full((a, b, t), np.nan), np.full((a, b, t), np.nan)
    random = np.full((b, t), np.nan)
    for i in range(b):
        values = pair_values(answer.outputs[i], task.pairs[i], margin=task.margin)
        values = values.reshape(t, _ORDERS + a * t, len(sizes))
        for j in np.flatnonzero(drop[i]).tolist():
            way = (task.predictions[i, j] - values[j]) / drop[i, j]
            random[i, j] = way[:_ORDERS].mean()
            shares[:, i, j] = way[_ORDERS:].reshape(a, t, -1)[:, j].mean(axis=1)
            if task.pairs[i, j, 1] >= 0:
                last = values[j, _ORDERS:, -1].reshape(a, t)[:, j]
                turned[:, i, j] = np.sign(last) != np.sign(task.predictions[i, j])
    return ReplacementCurves(shares, random, turned, count, gone.asked + answer.asked)
