"""Laws of drawn rows, and a method run on them."""

import numpy as np
import pandas as pd

from xplain_cli.methods import NeedOutputs, NeedPool, Pool, Task
from xplain_cli.modalities.tabular.fit import table_law
from xplain_cli.targets import pair_values


def frame(rng, n=3, rows=200):
    return pd.DataFrame(rng.normal(size=(rows, n)), columns=[f"x{j}" for j in range(n)])


def law_of(table, method, discrete=frozenset()):
    kinds = dict.fromkeys(table.columns, "number")
    return table_law(table, kinds, method.discretizer, discrete=discrete)


def explain(
    method, perturbation, rows, model, *, samples=256, repeats=4, seed=0, counted=None, pairs=None
):
    """Answer a method's questions by a plain function of the table, (m, k)."""

    def ask(table):
        if counted is not None:
            counted.append(len(table))
        return np.asarray(model(table), dtype=float).reshape(len(table), -1)

    block = perturbation.split(rows)
    answers = ask(rows)
    asked = np.array(pairs or [[t, -1] for t in range(answers.shape[1])])
    predictions = pair_values(answers, asked, margin=False).T.copy()
    pairs = np.tile(asked, (len(rows), 1, 1))
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
            draw, inputs = perturbation.draw(samples, [(seed, r) for r in range(repeats)])
            answer = Pool(draw, ask(inputs), repeats, perturbation.frequencies)
        elif isinstance(need, NeedOutputs):
            answer = ask(pd.concat(need.inputs))


def draws(rng, n=5, m=300, t=2):
    z = rng.random((n, m)) < 0.4
    f = rng.normal(size=(t, m)) + z[:t] * 2.0
    return z, f, rng.random(m) + 0.1
