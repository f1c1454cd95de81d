"""Occlusion: what the target loses when one feature alone is taken away."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xplain_cli.explanation import exact_attribution
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.defaults import no_constants, nothing_sampled
from xplain_cli.methods.requests import Explaining, MaskOutputs, MaskTask, NeedMasks
from xplain_cli.targets import pair_values


@dataclass(frozen=True)
class Occlusion:
    """
    Leave one out (Zeiler and Fergus 2014, arXiv:1311.2901), feature by feature.

    The weight of a feature is f(row) - f(row without it); the base value is f with all features
    taken away, so the residual says how far the features act together. Nothing is sampled: n + 1
    model inputs a row.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    instead: ClassVar[str] = ""
    exact: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants()
    sampled: ClassVar[bool] = False

    default_budget = nothing_sampled
    facts = no_constants

    def row_inputs(self, _law: Masker, n: int, _budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row with n features takes."""
        return n + 1

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        n, b = task.n, len(task.block)
        masks = np.concatenate([~np.eye(n, dtype=bool), np.zeros((1, n), dtype=bool)])
        answer: MaskOutputs = yield NeedMasks(range(b), [masks] * b)
        values = np.stack([
            pair_values(outputs, task.pairs[i], margin=task.margin)
            for i, outputs in enumerate(answer.outputs)
        ])  # (b, t, n + 1)
        weights = task.predictions[:, :, None] - values[:, :, :n]
        base = np.ascontiguousarray(values[:, :, n])
        return exact_attribution(weights, base, samples=n + 1, asked=answer.asked, sums=False)
