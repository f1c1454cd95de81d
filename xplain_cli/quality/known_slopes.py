"""Explanations of networks by their derivatives, from the weights that scikit-learn fitted.

Nothing here is shared with how models are followed: a network is computed layer by layer, and a
path is cut where a unit changes its sign.
"""

import itertools
import math
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray


@dataclass(frozen=True)
class RectifiedNet:
    """A network of rectified units with one score: the matrices and the offsets of its layers."""

    matrices: tuple[FloatArray, ...]
    offsets: tuple[FloatArray, ...]

    def units(self, point: FloatArray) -> list[FloatArray]:
        """Return what every layer makes of a point, before it is rectified; the score at last."""
        found: list[FloatArray] = []
        value = point
        for matrix, offset in zip(self.matrices, self.offsets, strict=True):
            found.append(value @ matrix + offset)
            value = np.maximum(found[-1], 0)
        return found

    def score(self, point: FloatArray) -> float:
        """Return the score of a point."""
        return float(self.units(point)[-1][0])

    def slopes(self, point: FloatArray) -> FloatArray:
        """Return the derivatives of the score at a point."""
        back = self.matrices[-1][:, 0]
        layers = zip(self.matrices[-2::-1], self.units(point)[-2::-1], strict=True)
        for matrix, units in layers:
            back = matrix @ np.where(units > 0, back, 0.0)
        return back


def store_networks(folder: Path, table: Any, answers: FloatArray) -> None:
    """
    Fit networks of one and of two hidden layers, and a linear model of two classes.

    They lie in the folder as ``shallow.pkl``, ``network.pkl`` and ``logistic.pkl``.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models: dict[str, Any] = {
        "network": MLPRegressor(hidden_layer_sizes=(8, 6), max_iter=40, random_state=0),
        "shallow": MLPRegressor(hidden_layer_sizes=(12,), max_iter=40, random_state=0),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # any network does
        models["network"].fit(table, answers)
        models["shallow"].fit(table, answers)
    models["logistic"].fit(table, np.where(answers > 0, "above", "below"))
    for name, model in models.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(model))


def net_of(fitted: Any) -> RectifiedNet:
    """Return the network of a fitted ``MLPRegressor``."""
    return RectifiedNet(tuple(fitted.coefs_), tuple(fitted.intercepts_))


def _cuts(net: RectifiedNet, start: FloatArray, row: FloatArray) -> FloatArray:
    """Return where along a path some unit changes its sign, with both ends."""
    cuts = np.array([0.0, 1.0])
    for layer in range(len(net.matrices) - 1):  # between the cuts so far this layer is linear
        units = np.array([net.units(start + at * (row - start))[layer] for at in cuts])
        left, right = units[:-1], units[1:]
        piece, _ = crossed = np.nonzero(left * right < 0)
        share = left[crossed] / (left[crossed] - right[crossed])
        cuts = np.union1d(cuts, cuts[piece] + share * (cuts[piece + 1] - cuts[piece]))
    return cuts


def path_integral(net: RectifiedNet, start: FloatArray, row: FloatArray) -> FloatArray:
    """Return Integrated Gradients: the derivatives of each piece by its length."""
    cuts = _cuts(net, start, row)
    middles = (cuts[1:] + cuts[:-1]) / 2
    slopes = np.array([net.slopes(start + at * (row - start)) for at in middles])
    return np.asarray((row - start) * (np.diff(cuts) @ slopes))


def important_directions(net: RectifiedNet, start: FloatArray, row: FloatArray) -> FloatArray:
    """Return IDGI in the limit: the change of each piece, shared by squared derivatives."""
    cuts, found = _cuts(net, start, row), np.zeros(len(row))
    for low, high in itertools.pairwise(cuts):
        squares = net.slopes(start + (low + high) / 2 * (row - start)) ** 2
        squares[row == start] = 0
        if squares.any():
            ends = [net.score(start + at * (row - start)) for at in (low, high)]
            found += (ends[1] - ends[0]) * squares / squares.sum()
    return found


def noisy_slopes(net: RectifiedNet, row: FloatArray, spread: FloatArray) -> FloatArray:
    """
    Return the expected derivatives under normal noise, of a network with one hidden layer.

    Each unit is on with the probability that a normal number is positive.

    Parameters
    ----------
    spread
        The standard deviation of the noise on each number.
    """
    first, last = net.matrices
    sizes = np.sqrt((spread[:, None] ** 2 * first**2).sum(axis=0))
    places = net.units(row)[0] / sizes / math.sqrt(2)
    on = [0.5 * math.erfc(-place) for place in places]
    return np.asarray(first @ (last[:, 0] * np.array(on)))
