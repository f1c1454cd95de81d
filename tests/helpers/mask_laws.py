"""Rows whose features are masks and nothing else, and a method run on them."""

import numpy as np

from xplain_cli.features import Traits
from xplain_cli.methods import MaskOutputs, NeedMasks, Task


class Perturbation:
    """A law of masks without any modality."""

    traits = Traits()

    def __init__(self, inclusion, unit=100.0):
        self.inclusion = inclusion
        self.distance_unit = unit


class Rows:
    """Rows of n features that are masks and nothing else."""

    copies = 1

    def __init__(self, rows, n):
        self.rows, self.n = rows, n

    def __len__(self):
        return self.rows

    @property
    def counts(self):
        return np.full(self.rows, self.n)


def explain(method, sizes, n, model, *, rows=1, samples=512, repeats=4, seed=0, bounded=False):
    """Answer a method's masks by ``model(row, masks)``, (m, k)."""
    full = np.ones((1, n), dtype=bool)
    predictions = np.concatenate([model(i, full) for i in range(rows)])
    k = predictions.shape[1]
    pairs = np.tile(np.array([[t, -1] for t in range(k)]), (rows, 1, 1))
    task = Task(
        Perturbation(sizes),
        Rows(rows, n),
        pairs,
        predictions,
        margin=False,
        seed=seed,
        samples=samples,
        repeats=repeats,
        probabilities=bounded,
    )
    explaining, answer = method.explain(task), None
    while True:
        try:
            need = explaining.send(answer)
        except StopIteration as finished:
            return finished.value
        assert isinstance(need, NeedMasks)
        outputs = [model(i, masks) for i, masks in zip(need.rows, need.masks, strict=True)]
        answer = MaskOutputs(outputs, np.array([len(masks) for masks in need.masks]))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def index(n, seed=0):
    """Return a bounded model with main effects and one interaction."""
    weights = np.random.default_rng(seed).normal(size=n)

    def model(row, masks):
        pair = masks[:, 0] & masks[:, -1]
        return sigmoid(masks @ weights * (1 + row / 10) + pair - 0.5)[:, None]

    return model
