"""Rows of numbers with baselines, and methods that follow paths run on them without any file."""

import hashlib
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from xplain_cli.engine.model_calls import ModelCalls, run_together
from xplain_cli.engine.path_calls import PathModel
from xplain_cli.features import Traits, uncharted
from xplain_cli.methods import Task
from xplain_cli.models.estimators.chains import Affine, Chain, Relu
from xplain_cli.models.gradients import Gradient, Readout
from xplain_cli.scales import Scale
from xplain_cli.targets import Target


class Rows:
    """b rows of numbers (b, d), each with k baselines (b * k, d); a feature is a number."""

    def __init__(self, rows, baselines):
        self.rows, self.baselines = np.asarray(rows, float), np.asarray(baselines, float)
        self.copies = len(self.baselines) // len(self.rows)

    def __len__(self):
        return len(self.rows)

    @property
    def counts(self):
        return np.full(len(self), self.rows.shape[1])

    def take(self, rows):
        k = self.copies
        own = np.concatenate([np.arange(i * k, (i + 1) * k) for i in rows])
        return type(self)(self.rows[list(rows)], self.baselines[own])

    def ends(self):
        return self.baselines, np.repeat(self.rows, self.copies, axis=0)

    @property
    def keys(self):
        return [hashlib.sha256(row.tobytes()).digest() for row in self.rows]

    def shifted(self):
        return self.rows + 2.0

    def pooled(self, rows, parts, _grid=None):
        assert len(rows) == len(parts)
        return parts

    charted = uncharted


def plain(chain, link="identity", **more):
    """Return the gradient of a chain whose coordinates are its columns."""
    kinks = chain.kinks if chain.pieces else None
    return Gradient(
        enter=lambda batch: np.asarray(batch, float),
        leave=lambda parts: parts,
        scores=chain.scores,
        derive=chain.derive,
        link=link,
        **({"kinks": kinks, "smooth": chain.smooth} | more),
    )


def relu_net(sizes, seed=0, scale=1.0):
    """Return a random ReLU network."""
    rng, stages = np.random.default_rng(seed), []
    for d, e in pairwise(sizes):
        stages += [Relu()] if stages else []
        stages.append(Affine(scale * rng.normal(size=(d, e)) / np.sqrt(d), rng.normal(size=e)))
    return Chain(tuple(stages))


def explain(
    method,
    gradient,
    rows,
    baselines,
    *,
    pairs=((0, -1),),
    scale="raw",
    drawn=False,
    budget=(1, 1),
    block=Rows,
    own=False,
):
    """Run a method on rows; every row has the same targets *pairs*, or one of its *own*."""
    block, pairs = block(rows, baselines), np.array(pairs)
    b = len(block)
    every = pairs[:, None] if own else np.tile(pairs, (b, 1, 1))
    t = every.shape[1]
    scores = gradient.scores(gradient.enter(rows))
    values = [Readout(every[:, j], gradient.link, scale).read(scores)[0] for j in range(t)]
    law = SimpleNamespace(traits=Traits(drawn=drawn))
    stacked = np.stack(values, axis=1)
    task = Task(
        law, block, every, stacked, margin=False, seed=0, samples=budget[0], repeats=budget[1]
    )
    kept = np.arange(scores.shape[1])
    told = lambda error, where: f"{error} on {where}"  # noqa: E731
    calls = ModelCalls(
        None,
        Target("t", "fixed"),
        Scale(scale),
        kept,
        512,
        paths=PathModel(gradient, scale, kept, told),
    )
    return run_together(calls, [(block, method.explain(task))])[0]


def midpoints(gradient, row, baseline, *, pair=(0, -1), scale="raw", nodes=4096):
    """Return Integrated Gradients of one row by the midpoint rule."""
    readout = Readout(np.tile(pair, (nodes, 1)), gradient.link, scale)
    share = (np.arange(nodes) + 0.5) / nodes
    points = baseline + share.reshape(-1, *[1] * row.ndim) * (row - baseline)
    return gradient.derive(points, readout.slopes)[0].mean(axis=0) * (row - baseline)
