"""ONNX models of pictures: layout, type and batch size are read off the graph."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, with_article
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    LoadedModel,
    ModelRecipe,
    OtherModalityError,
    PictureInput,
    Signature,
)
from xplain_cli.models.onnx.entries import OnnxAsked
from xplain_cli.models.onnx.files import check_file
from xplain_cli.models.onnx.gradients import onnx_gradient
from xplain_cli.models.onnx.model import (
    TYPES,
    Runner,
    Slot,
    bound_outputs,
    open_onnx,
    refuse_ids,
    runner_of,
    settle_outputs,
)
from xplain_cli.models.onnx.outputs import read_answer
from xplain_cli.models.pictures import LoadedFlatModel, fixed_batches, layout_of
from xplain_cli.models.responses import expand
from xplain_cli.models.stored import ModelContent

_SHOWN = 4


@dataclass(frozen=True)
class OnnxPictures:
    """An ONNX model of pictures that the probe has settled; picklable."""

    runner: Runner
    signature: Signature
    input: str
    takes: PictureInput
    outputs: tuple[str, ...]

    @property
    def capabilities(self) -> Capabilities:
        """Derivatives by its pixels, and layers that can be drawn anew."""
        takes = self.takes
        height, width, channels = takes.height, takes.width, takes.channels
        sides = (channels, height, width) if takes.layout == "NCHW" else (height, width, channels)
        asked = OnnxAsked(
            path=self.runner.path,
            content=self.runner.content,
            kinds={self.input: takes.dtype},
            shapes={self.input: (takes.rows, *sides)},
            outputs=self.outputs,
            rows=takes.rows,
            layout=takes.layout,
            signature=self.signature,
            feed=lambda batch: {self.input: np.asarray(batch, dtype=takes.dtype)},
            answer=lambda fed: self._answers(fed[self.input]),
        )
        return replace(self.runner.capabilities, gradient=partial(onnx_gradient, asked))

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers to pictures in the model's own layout."""
        return expand(self._answers(np.asarray(batch)), self.signature)

    def _answers(self, inputs: NDArray[Any]) -> FloatArray:
        """Return what onnxruntime answers (rows, own outputs)."""
        answers = [
            read_answer(self.runner.run(self.outputs, {self.input: part}), len(part))
            for part in fixed_batches(inputs, self.takes.rows)
        ]
        return np.asarray(np.concatenate(answers)[: len(inputs)])


class LoadedOnnxPictures:
    """An ONNX file with one input of four axes; picklable."""

    kind = "onnx"
    tokenizer_sha256: str | None = None
    leftovers: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    n_columns: int | None = None
    discrete: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()
    all_numeric = True

    def __init__(self, recipe: ModelRecipe, sha256: str, runner: Runner, slot: Slot) -> None:
        self._recipe = recipe
        self.sha256 = sha256
        self.runner = runner
        self.input = slot.name
        self.takes: PictureInput = _takes(recipe, slot)
        self.levels: dict[str, Levels] = {}
        self.versions: dict[str, str] = {}
        self.notes = _notes(self.takes)

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few pictures and choose the output."""
        # one whole batch: the probe reads names and scales, and a model may take no other number
        rows = self.takes.rows or len(batch)

        def feed() -> dict[str, NDArray[Any]]:
            return {self.input: fixed_batches(np.asarray(batch)[:rows], rows)[0]}

        return settle_outputs(self._recipe, self.runner, feed, rows)

    def bind(self, signature: Signature) -> OnnxPictures:
        """Return the model that answers as *settled* says."""
        outputs = bound_outputs(self.runner, signature)
        return OnnxPictures(self.runner, signature, self.input, self.takes, outputs)


def _takes(recipe: ModelRecipe, slot: Slot) -> PictureInput:
    layout = layout_of(recipe.source, slot.shape, recipe.layout)
    rows, first, second, third = slot.shape
    sides = (second, third, first) if layout == "NCHW" else (first, second, third)
    height, width, channels = sides
    if channels not in {None, 1, 3, 4}:
        raise RefusedError(
            f"{recipe.source}: in the layout {layout} its input {slot.name!r} has {channels}"
            " channels; pictures have 1, 3 or 4: say another --layout"
        )
    return PictureInput(layout, np.dtype(TYPES[slot.type]).name, height, width, channels, rows)


def _notes(takes: PictureInput) -> tuple[str, ...]:
    height, width = (side or "any" for side in (takes.height, takes.width))
    said = (
        f"the model takes {takes.dtype} pictures as {takes.layout}, {width} x {height},"
        f" {takes.channels or 'any'} channels"
    )
    return (f"{said}, {takes.rows} at a time" if takes.rows else said,)


def open_onnx_pictures(recipe: ModelRecipe, stored: ModelContent) -> LoadedModel:
    """
    Open an ONNX file that takes pictures, or rows of pixels.

    Raises
    ------
    RefusedError
        onnxruntime cannot open it, or its inputs are neither.
    UsageError
        Its layout cannot be read off.
    """
    check_file(recipe.source, stored.data)
    runner = runner_of(recipe, stored)
    inputs = runner.inputs()
    refuse_ids(recipe.source, inputs)
    if len(inputs) == 1 and len(inputs[0].shape) == 2:
        return LoadedFlatModel(open_onnx(recipe, stored))
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        listed = ", ".join(f"{one.name!r} {list(one.shape)}" for one in inputs[:_SHOWN])
        if len(inputs) > 1 and all(one.width == 1 for one in inputs):
            said = f"{recipe.source}: its {len(inputs)} inputs are columns of a table ({listed})"
            raise OtherModalityError(said, "tabular")
        raise RefusedError(
            f"{recipe.source}: its inputs are {listed}; pictures need one input of four axes"
            " (rows, channels, height, width), or one of rows of pixels: export it so; rows of a"
            " table: xplain tabular, texts: xplain text"
        )
    if TYPES.get(inputs[0].type, np.object_) in {np.object_, np.bool_}:
        raise RefusedError(
            f"{recipe.source}: its input is {with_article(inputs[0].type)}, not of pixels"
        )
    return LoadedOnnxPictures(recipe, stored.sha256, runner, inputs[0])
