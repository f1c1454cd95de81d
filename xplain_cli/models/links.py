"""Models whose scores are read as probabilities through softmax or sigmoid (``of=``)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    LoadedModel,
    MaskedText,
    Model,
    Signature,
)
from xplain_cli.models.gradients import INPUT, Gradient
from xplain_cli.models.responses import default_names
from xplain_cli.targets import position_names


def squash(scores: FloatArray, link: str) -> FloatArray:
    """Return probabilities (rows, outputs) of scores: of exclusive classes, or of each alone."""
    if link == "sigmoid":
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scores), dtype=np.float64)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


class LinkedModel:
    """A model whose scores pass through a link."""

    def __init__(self, model: Model, signature: Signature, link: str) -> None:
        self._model, self._link = model, link
        self.signature = signature

    @property
    def capabilities(self) -> Capabilities:
        """What the model of the scores can do, on their probabilities."""
        inner, masked = self._model.capabilities, self._model.capabilities.masked_text
        reason = f"follows scores, and of={self._link} makes them probabilities (leave it out)"
        return replace(
            inner,
            leaves=None,  # they add up to the scores, and a probability is no sum
            gradient=None if inner.gradient is None else self._relinked(inner.gradient),
            masked_text=None if masked is None else self._linked(masked),
            why_not=inner.reasons_without(("leaves",), reason),
        )

    def _linked(self, masked: MaskedText) -> MaskedText:
        """Return the same road for masked texts, which ends in probabilities."""

        def predict_rows(rows: Any) -> FloatArray:
            return np.ascontiguousarray(squash(masked.predict_rows(rows), self._link))

        return replace(masked, predict_rows=predict_rows)

    def _relinked(self, opened: Callable[..., Gradient]) -> Callable[..., Gradient]:
        """Return the derivatives of the same scores, which become probabilities by the link."""
        return lambda layer=INPUT: replace(opened(layer), link=self._link)

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 probabilities, C-contiguous."""
        return np.ascontiguousarray(squash(self._model.predict(batch), self._link))


class LoadedLinkedModel:
    """A loaded model whose scores pass through a link; all else is the model's own."""

    def __init__(self, loaded: LoadedModel, link: str) -> None:
        self._loaded, self._link = loaded, link

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while it is unpickled
            raise AttributeError(name)
        return getattr(self._loaded, name)

    def settle(self, batch: Batch) -> Signature:
        """
        Ask for one prediction on a few rows; the scores must be scores.

        Raises
        ------
        UsageError
            The model gives no scores, or too few for exclusive classes.
        """
        raw = self._loaded.settle(batch)
        asked = f"--output-scale of={self._link}"
        if raw.scale != "raw" or raw.task == "anomaly":
            raise UsageError(f"{asked}: the model gives no scores: {raw.note}; leave it out")
        if self._link == "softmax" and (raw.margin or len(raw.outputs) < 2):
            raise UsageError(f"{asked}: the model gives one score; take of=sigmoid")
        outputs = raw.outputs
        if outputs == default_names("regression", len(outputs)) and len(outputs) > 1:
            outputs = position_names(len(outputs))
        exclusive = self._link == "softmax" or raw.margin
        return replace(
            raw,
            task="classification" if len(outputs) > 1 else raw.task,
            scale="probability",
            outputs=outputs,
            positive=1 if exclusive and len(outputs) == 2 else None,
            margin=False,
            note=f"{raw.note}, through {self._link}: probabilities",
        )

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        # what the model itself is told: its outputs as they are, a lone margin as two columns
        names = len(signature.outputs)
        inner = replace(signature, scale="raw", margin=names == 2 and signature.positive == 1)
        return LinkedModel(self._loaded.bind(inner), signature, self._link)
