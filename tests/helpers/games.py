"""Rows of which the value of every coalition on every baseline is known, and methods run on them.

So the exact Shapley values are known too, and however often a method runs, no model is asked.
"""

import numpy as np

from xplain_cli.features import Traits
from xplain_cli.methods import MaskOutputs, Task


def every_coalition(n):
    """Return all coalitions of n features, (2^n, n); number i has the features of its bits."""
    return ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(bool)


def exact_values(game):
    """Return the Shapley values (n,) of a game (2^n,), by the mean over sizes of mean gains."""
    n = len(game).bit_length() - 1
    masks = every_coalition(n)
    sizes = masks.sum(axis=1)
    found = np.empty(n)
    for j in range(n):
        without = np.flatnonzero(~masks[:, j])
        gains = game[without | 1 << j] - game[without]
        found[j] = np.mean([gains[sizes[without] == size].mean() for size in range(n)])
    return found


class Law:
    """What a method asks of a perturbation."""

    inclusion, distance_unit = "bernoulli", 1.0

    def __init__(self, copies):
        self.traits = Traits(copies=copies)


class Games:
    """
    Rows with k baselines each.

    values: (b, 2^n, k), of which the last coalition is the row itself; numbers: (k, q), the cells
    of the baselines; owners: (q,), the feature of each column.
    """

    def __init__(self, values, numbers=None, owners=None):
        self.values, self.copies = values, values.shape[2]
        self.n = values.shape[1].bit_length() - 1
        self.numbers = np.zeros((self.copies, self.n)) if numbers is None else numbers
        self.owners = np.arange(self.n) if owners is None else owners

    def __len__(self):
        return len(self.values)

    @property
    def counts(self):
        return np.full(len(self), self.n)

    @property
    def exact(self):
        """The Shapley values, (b, n)."""
        return np.stack([exact_values(part.mean(axis=1)) for part in self.values])

    def baseline_numbers(self, _row):
        return self.numbers, self.owners

    def look_up(self, row, masks, dealt):
        numbers = masks @ (1 << np.arange(self.n))
        if dealt is None:
            return self.values[row, numbers].mean(axis=1)[:, None]
        return self.values[row, numbers, dealt][:, None]


def play(method, games, budget, seed=0):
    """Return the attribution of a method with a budget (samples, repeats)."""
    task = Task(
        Law(games.copies),
        games,
        np.tile([[0, -1]], (len(games), 1, 1)),
        games.values[:, -1].mean(axis=1)[:, None],
        margin=False,
        seed=seed,
        samples=budget[0],
        repeats=budget[1],
    )
    running, answer = method.explain(task), None
    while True:
        try:
            need = running.send(answer)
        except StopIteration as finished:
            return finished.value
        dealt = need.baselines or [None] * len(need.masks)
        lines = zip(need.rows, need.masks, dealt, strict=True)
        outputs = [games.look_up(*line) for line in lines]
        answer = MaskOutputs(outputs, np.array([len(masks) for masks in need.masks]))
