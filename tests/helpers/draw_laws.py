"""Laws of drawn rows, and a method run on them."""

import numpy as np
import pandas as pd

from xplain_cli.features import Draw
from xplain_cli.methods import NeedOutputs, NeedPool, Pool, Task
from xplain_cli.modalities.tabular.fit import table_law


def frame(rng, n=3, rows=200):
    return pd.DataFrame(rng.normal(size=(rows, n)), columns=[f"x{j}" for j in range(n)])


def law_of(table, method, discrete=frozenset()):
    kinds = dict.fromkeys(table.columns, "number")
    return table_law(table, kinds, method.discretizer, discrete=discrete)


def explain(method, perturbation, rows, model, *, samples=256, repeats=4, seed=0, counted=None):
    """Answer a method's questions by a plain function of the table, (m, k)."""

    def ask(table):
        if counted is not None:
            counted.append(len(table))
        return np.asarray(model(table), dtype=float).reshape(len(table), -1)

    block = perturbation.split(rows)
    predictions = ask(rows)
    k = predictions.shape[1]
    pairs = np.tile(np.array([[t, -1] for t in range(k)]), (len(rows), 1, 1))
    task = Task(
        perturbation,
        block,
        pairs,
        predictions,
        margin=False,
        seed=seed,
        samples=samples,
        repeats=repeats,
    )
    explaining, answer = method.explain(task), None
    while True:
        try:
            need = explaining.send(answer)
        except StopIteration as finished:
            return finished.value
        if isinstance(need, NeedPool):
            drawn = [perturbation.draw(samples, (seed, r)) for r in range(repeats)]
            draw = Draw(
                np.concatenate([d.codes for d, _ in drawn], axis=1),
                np.concatenate([d.positions for d, _ in drawn], axis=1),
            )
            levels = tuple(len(f) for f in perturbation.frequencies)
            answer = Pool(draw, ask(pd.concat([t for _, t in drawn])), repeats, levels)
        elif isinstance(need, NeedOutputs):
            answer = ask(pd.concat(need.inputs))


def draws(rng, n=5, m=300, t=2):
    z = rng.random((n, m)) < 0.4
    f = rng.normal(size=(t, m)) + z[:t] * 2.0
    return z, f, rng.random(m) + 0.1
