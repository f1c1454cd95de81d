"""Occlusion: what the target loses when one feature alone is taken away."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xplain_cli.explanation import Attribution
from xplain_cli.features import MaskLaw
from xplain_cli.methods.neighbourhoods import Explaining, Masked, MaskTask, NeedMasks
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
    sampled: ClassVar[bool] = False

    def default_budget(self, law: MaskLaw) -> tuple[int, int]:  # noqa: ARG002 - the same for all
        """Return the default (samples per repeat, repeats): nothing is sampled."""
        return 1, 1

    def row_inputs(self, _law: MaskLaw, n: int, _budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row with n features takes."""
        return n + 1

    def facts(self, law: MaskLaw) -> dict[str, Any]:  # noqa: ARG002 - it has no constants
        """Return what the manifest says of the method's constants."""
        return {}

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        n, b = task.n, len(task.block)
        masks = np.concatenate([~np.eye(n, dtype=bool), np.zeros((1, n), dtype=bool)])
        answer: Masked = yield NeedMasks(range(b), [masks] * b)
        values = np.stack([
            pair_values(outputs, task.pairs[i], margin=task.margin)
            for i, outputs in enumerate(answer.outputs)
        ])  # (b, t, n + 1)
        weights = task.predictions[:, :, None] - values[:, :, :n]
        b, t, _ = weights.shape
        return Attribution(
            weights=weights,
            base=np.ascontiguousarray(values[:, :, n]),
            factors=np.empty((0, b, t, n)),
            lone=np.zeros((b, t, n)),
            degrees=np.inf,
            repeats=np.empty((0, b, t, n)),
            local_r2=np.full((b, t), np.nan),
            locality=np.full((b, t), np.nan),
            effective_share=np.ones(b),
            selected=np.ones((b, t, n), dtype=bool),
            n_repeats=1,
            n_samples=n + 1,
            n_inputs=answer.asked,
            exact=True,
        )
