"""Weights drawn anew: what a model is without what it has learned, for sanity checks.

Layers are drawn from the top down, each by a stream of its own, so that a layer has the same
weights however many are drawn with it. Weights keep their size, and nothing else: they are normal
with mean 0 and the root mean square of those that they replace. Shifts and scales keep mean and
spread of theirs.
"""

from dataclasses import dataclass

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.seeds import REDRAWN, stream


@dataclass(frozen=True)
class Redraw:
    """
    Which layers of a model are drawn anew; picklable.

    Attributes
    ----------
    layers
        How many, from the top.
    seed
        Of the run.
    """

    layers: int
    seed: int

    def source(self, layer: int) -> np.random.Generator:
        """Return the stream of a layer, counted from the top."""
        return stream(REDRAWN, self.seed, layer)


def redrawn_weights(source: np.random.Generator, learned: FloatArray) -> FloatArray:
    """Return weights in place of those that were learned."""
    wide = np.asarray(learned, dtype=np.float64)
    size = float(np.sqrt((wide**2).mean())) if wide.size else 0.0
    return size * source.standard_normal(wide.shape)


def redrawn_shifts(source: np.random.Generator, learned: FloatArray) -> FloatArray:
    """Return shifts, or scales, in place of those that were learned."""
    wide = np.asarray(learned, dtype=np.float64)
    if not wide.size:
        return wide
    drawn: FloatArray = wide.mean() + wide.std() * source.standard_normal(wide.shape)
    return drawn
