"""Learned baselines that nobody trained: files with random weights, made without torch."""

import itertools

import numpy as np

from xplain_cli.baselines.generators import Generator, Rates, SamplePairs
from xplain_cli.baselines.learned_file import LearnedFile
from xplain_cli.baselines.learned_judges import KernelJudge

RATES = Rates(0.99, 0.97, 0.25, 100, 0.98)


def random_weights(form, outputs, seed=0, hidden=8):
    rng = np.random.default_rng(seed)
    if form.shape is not None and max(form.shape[:2]) > 16:
        through = [form.shape[2] + outputs, 4, 6, 6, 6, 4, form.shape[2]]
        shapes = [(out, into, 3, 3) for into, out in itertools.pairwise(through)]
        parts = [(rng.normal(0, 0.2, shape), rng.normal(0, 0.1, shape[0])) for shape in shapes]
    else:
        widths = [form.width + outputs, hidden, hidden, hidden, form.width]
        shapes = list(itertools.pairwise(widths))
        parts = [(rng.normal(0, 0.5, shape), rng.normal(0, 0.1, shape[1])) for shape in shapes]
    return tuple(part.astype(np.float32).astype(np.float64) for pair in parts for part in pair)


def random_learned(space, outputs, model="", *, seed=0, known=None, rates=RATES):
    rng = np.random.default_rng(seed + 1)
    width, count = space.form.width, len(outputs)
    waves, phases = rng.normal(size=(width, 16)), rng.uniform(0, 6, 16)
    judge = KernelJudge(
        *(a.astype(np.float32).astype(float) for a in (waves, phases, rng.normal(size=(16, count))))
    )
    weights = random_weights(space.form, count, seed)
    generator = Generator(space.form, count, weights, judge, known or (5,) * count)
    facts = {
        "model": model,
        "data": "d" * 64,
        "rows": 5 * count,
        "noun": "row" if space.form.shape is None else "picture",
        "seed": seed,
        "step": 2,
        "history": [
            {"step": 2.0, "target_rate": 0.9, "judge_rate": 0.8, "distance": 0.3, "class": 0.1}
        ],
        "recipe": {"steps": 2, "noise": 0.5},
        "versions": {"torch": "none"},
    }
    vectors = space.form.settled(rng.uniform(-1, 1, (10, width))).astype(np.float32).astype(float)
    own = np.arange(10) % count
    samples = SamplePairs(vectors, own, (own + 1) % count)
    return LearnedFile(generator, space, tuple(outputs), rates, facts, samples)
