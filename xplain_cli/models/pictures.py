"""Models of pictures: layout and type, and flattened pixels for models of tables."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    LoadedModel,
    Model,
    PictureInput,
    Signature,
)
from xplain_cli.models.gradients import INPUT, Gradient

LAYOUTS = ("NCHW", "NHWC")


def _table(batch: Batch, columns: tuple[str, ...] | None, wanted: int | None) -> pd.DataFrame:
    """Return pictures (rows, h, w, c) as a table of their pixels, row by row."""
    pixels = np.asarray(batch).reshape(len(batch), -1)
    if wanted is not None and pixels.shape[1] != wanted:
        shape = np.asarray(batch).shape[1:]
        named = f" ({', '.join(columns[:4])}{', ...' * (len(columns) > 4)})" if columns else ""
        raise RefusedError(
            f"the model takes {wanted} numbers a row{named}, and {shape[1]} x {shape[0]} pictures"
            f" with {shape[2]} channels have {pixels.shape[1]}; a model of tables is explained by"
            " xplain tabular, one of pixels takes pictures of its size: --resize and --channels"
        )
    names = list(columns) if columns else [str(at) for at in range(pixels.shape[1])]
    return pd.DataFrame(pixels, columns=names, copy=False)


@dataclass(frozen=True)
class FlatModel:
    """A model of tables that answers pictures as rows of pixels."""

    model: Model
    columns: tuple[str, ...] | None
    flat: int | None

    @property
    def signature(self) -> Signature:
        """What the probe chose."""
        return self.model.signature

    @property
    def capabilities(self) -> Capabilities:
        """What the model of tables can do, on pictures."""
        inner, gradient = self.model.capabilities, self.model.capabilities.gradient
        return replace(
            inner,
            leaves=None,  # boxes on the columns of a table, and pictures have none
            gradient=None if gradient is None else self._by_pixel(gradient),
            why_not=inner.reasons_without(("leaves",), "is for tables, and pixels are no columns"),
        )

    def _by_pixel(self, opened: Callable[..., Gradient]) -> Callable[..., Gradient]:
        """Return derivatives by columns as those by pixels, which stand in the same order."""

        def by_pixel(layer: str = INPUT) -> Gradient:
            inner = opened(layer)
            return replace(
                inner, enter=lambda batch: inner.enter(_table(batch, self.columns, self.flat))
            )

        return by_pixel

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        return self.model.predict(_table(batch, self.columns, self.flat))


@dataclass(frozen=True)
class LoadedFlatModel:
    """A loaded model of tables that takes pictures as rows of pixels."""

    loaded: LoadedModel

    @property
    def takes(self) -> PictureInput:
        """What it takes: float64, height by width by channels, in that order of memory."""
        return PictureInput("NHWC", "float64", flat=self.loaded.n_columns)

    @property
    def kind(self) -> str:
        """The kind of the model."""
        return self.loaded.kind

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the file."""
        return self.loaded.sha256

    @property
    def tokenizer_sha256(self) -> str | None:
        """SHA-256 (hex) of the tokenizer file beside it."""
        return self.loaded.tokenizer_sha256

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that the user should read."""
        return (*self.loaded.notes, "pictures are handed over as rows of pixels")

    @property
    def versions(self) -> dict[str, str]:
        """Versions that the file states, by package."""
        return self.loaded.versions

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Accepted parameters of the file that the installed classes do not know."""
        return self.loaded.leftovers

    @property
    def levels(self) -> dict[str, Levels]:
        """Pixels are no categories."""
        return {}

    columns: tuple[str, ...] | None = None
    n_columns: int | None = None
    discrete: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()
    all_numeric: bool = True

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few pictures and choose the response."""
        return self.loaded.settle(_table(batch, self.loaded.columns, self.loaded.n_columns))

    def bind(self, signature: Signature) -> FlatModel:
        """Return the model that answers as *settled* says."""
        bound = self.loaded.bind(signature)
        return FlatModel(bound, self.loaded.columns, self.loaded.n_columns)


def layout_of(source: str, shape: tuple[int | None, ...], asked: str | None) -> str:
    """
    Return the layout of an input (rows, _, _, _), read off its channels or as the user says.

    Raises
    ------
    UsageError
        Either side could be the channels.
    """
    if asked is not None:
        return asked
    first, last = shape[1] in {1, 3, 4}, shape[3] in {1, 3, 4}
    if first != last:
        return "NCHW" if first else "NHWC"
    raise UsageError(
        f"{source}: its input has the shape {list(shape)}: where the channels are cannot be read"
        " off; say --layout NCHW or --layout NHWC"
    )


def fixed_batches(inputs: NDArray[Any], rows: int | None) -> list[NDArray[Any]]:
    """Cut inputs into batches of *rows*, the last filled with repeats of its last row."""
    if rows is None or len(inputs) == rows:
        return [inputs]
    places = np.minimum(np.arange(-(-len(inputs) // rows) * rows), len(inputs) - 1)
    return [inputs[places[at : at + rows]] for at in range(0, len(places), rows)]
