"""The gradient of torch modules: exported graphs in double precision, TorchScript as is."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Signature, UnableError
from xplain_cli.models.gradients import (
    IDENTITY,
    INPUT,
    SIGMOID,
    SOFTMAX,
    Gradient,
    Kinks,
    Slopes,
)
from xplain_cli.models.torch.archive import EXPORT
from xplain_cli.models.torch.graphs import ScoreGraph, kind_of, read_graph
from xplain_cli.models.torch.kinks import graph_kinks
from xplain_cli.models.torch.layer_names import StoredLayer
from xplain_cli.models.torch.layers import cut_graph, find_layer

_MOST_ROWS, _MOST_PICTURES, _BATCH_NUMBERS = 512, 64, 1 << 22
"""Points of a batch: of rows of a table, of pictures, and numbers in it."""


@dataclass(frozen=True)
class ScoreColumns:
    """What makes scores (m, k) of a module's own outputs (m, own): a lone one stands for two."""

    outputs: int
    margin: bool
    logit: bool

    def of(self, own: int) -> tuple[FloatArray, FloatArray]:
        """
        Return the matrix (own, k) and the shift (k,).

        Raises
        ------
        UnableError
            There is neither one for each output, nor one for two.
        """
        if own == self.outputs:
            return np.eye(own), np.zeros(own)
        if own != 1 or self.outputs != 2:
            raise UnableError(
                f"follows one score for each output, and there are {own} for {self.outputs}"
            )
        if self.logit:  # softmax of (0, m) is the sigmoid of m
            return np.array([[0.0, 1.0]]), np.zeros(2)
        return np.array([[-1.0, 1.0]]), np.array([0.0 if self.margin else 1.0, 0.0])


@dataclass(frozen=True)
class Differentiable:
    """
    A module that answers scores.

    Attributes
    ----------
    run
        Returns the scores (m, own) of a tensor.
    columns
        What makes scores of outputs of these.
    dtype
        The torch type that it takes.
    rows
        The one number of points that it takes; None: any.
    """

    run: Callable[[Any], Any]
    columns: ScoreColumns
    dtype: Any
    rows: int | None = None

    def _own(self, points: Any) -> Any:
        import torch

        count = points.shape[0]
        if self.rows is None or count == self.rows:
            return self.run(points).reshape(count, -1)
        filled = torch.arange(-(-count // self.rows) * self.rows).clamp(max=count - 1)
        parts = [self.run(points[some]) for some in filled.split(self.rows)]
        return torch.cat([one.reshape(self.rows, -1) for one in parts])[:count]

    def scores(self, points: FloatArray) -> FloatArray:
        """Return the scores (m, k)."""
        import torch

        with torch.no_grad():
            made = self._own(torch.from_numpy(np.ascontiguousarray(points)).to(self.dtype))
        return self.widened(made.double().numpy())

    def widened(self, own: FloatArray) -> FloatArray:
        """Return scores (m, k) of the module's own outputs (m, own)."""
        if own.shape[1] == self.columns.outputs:
            return own
        matrix, shift = self.columns.of(own.shape[1])
        return np.asarray(own @ matrix + shift, dtype=np.float64)

    def forward(self, points: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the scores (m, k), and what makes derivatives (m, ...) of slopes by these."""
        import torch

        leaf = torch.from_numpy(np.ascontiguousarray(points)).to(self.dtype).requires_grad_()
        made = self._own(leaf)
        scores = self.widened(made.detach().double().numpy())

        def backward(slopes: FloatArray) -> FloatArray:
            if made.shape[1] != self.columns.outputs:
                matrix, _ = self.columns.of(made.shape[1])
                slopes = slopes @ matrix.T
            back = torch.from_numpy(np.ascontiguousarray(slopes))
            (found,) = torch.autograd.grad(made, leaf, back.to(made.dtype))
            return np.asarray(found.double().numpy())

        return scores, backward

    def derive(self, points: FloatArray, slopes: Slopes) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives (m, ...) of what *slopes* reads, and the scores."""
        scores, backward = self.forward(points)
        return backward(slopes(scores)), scores


def _batch_rows(shape: tuple[int, ...], fixed: int | None) -> int:
    """Return how many points are asked together: a power of two, fewer of large pictures."""
    if fixed is not None:
        return fixed
    numbers = max(1, int(np.prod(shape)))
    rows = _MOST_PICTURES if len(shape) > 1 else _MOST_ROWS
    most = max(2, min(rows, _BATCH_NUMBERS // numbers))
    return 1 << (most.bit_length() - 1)


def _entered(dtype: str) -> Callable[[Any], FloatArray]:
    def enter(batch: Any) -> FloatArray:
        rows = batch.to_numpy() if isinstance(batch, pd.DataFrame) else np.asarray(batch)
        return np.asarray(rows, dtype=dtype).astype(np.float64)

    return enter


def _left(layout: str) -> Callable[[FloatArray], FloatArray]:
    def leave(parts: FloatArray) -> FloatArray:
        rows = np.moveaxis(parts, 1, 3) if parts.ndim == 4 and layout == "NCHW" else parts
        return rows.reshape(len(parts), -1)

    return leave


@dataclass(frozen=True)
class Asked:
    """
    What is known of a module when its gradient is opened.

    Attributes
    ----------
    module
        What torch loaded, or a graph that was translated.
    dtype, shape
        What it takes.
    layout
        How it takes pictures.
    signature
        What the probe chose.
    enter, leave
        How a batch becomes points, and what belongs to which column (see ``Gradient``), where that
        is not as the module takes it.
    """

    module: Any
    dtype: str
    shape: tuple[int | None, ...]
    layout: str
    signature: Signature
    layers: Mapping[str, StoredLayer] = field(default_factory=dict)
    enter: Callable[[Any], FloatArray] | None = None
    leave: Callable[[FloatArray], FloatArray] | None = None


def _opened(asked: Asked) -> tuple[Callable[[Any], Any], str, ScoreGraph | None, Any]:
    """Return what runs a module, the link behind its scores, its graph, and the type it takes."""
    import torch

    if hasattr(asked.module, "graph") and not isinstance(asked.module, torch.jit.ScriptModule):
        graph = read_graph(asked.module, probabilities=asked.signature.scale == "probability")
        return graph.run, graph.link, graph, torch.float64
    held = copy.deepcopy(asked.module)
    for parameter in held.parameters():
        if parameter.is_leaf:
            parameter.requires_grad = False
    return held, IDENTITY, None, getattr(torch, asked.dtype)


def score_module(
    graph: ScoreGraph, signature: Signature, shape: tuple[int, ...], rows: int | None = None
) -> tuple[Differentiable, str]:
    """
    Return what answers the scores of a graph in double precision, and the link behind them.

    Parameters
    ----------
    shape
        The lengths of its input for one row.
    rows
        The one number of points that it takes; None: any.
    """
    import torch

    columns = ScoreColumns(len(signature.outputs), signature.margin, logit=graph.link == SIGMOID)
    module = Differentiable(graph.run, columns, torch.float64, rows)
    lone = graph.link == SIGMOID and _own_outputs(module, rows or 2, shape) != columns.outputs
    return module, SOFTMAX if lone else graph.link


def _own_outputs(module: Differentiable, rows: int, shape: tuple[int, ...]) -> int:
    """Return how many outputs a module has of its own."""
    import torch

    with torch.no_grad():
        made = module.run(torch.zeros((rows, *shape), dtype=module.dtype))
    return int(made.reshape(rows, -1).shape[1])


def _columns(asked: Asked, link: str) -> ScoreColumns:
    signature = asked.signature
    return ScoreColumns(len(signature.outputs), signature.margin, logit=link == SIGMOID)


def _followed(asked: Asked, known: Gradient, graph: ScoreGraph) -> Gradient:
    """Return a gradient whose scores are those of a graph, with what is known of its kinks."""
    import torch

    columns = _columns(asked, graph.link)
    module = Differentiable(graph.run, columns, torch.float64, asked.shape[0])
    pieces, smooth = kind_of(graph)

    def kinks(starts: FloatArray, steps: FloatArray, most: int) -> list[Kinks | None]:
        return [
            None if one is None else Kinks(one.shares, module.widened(one.scores))
            for one in graph_kinks(graph, starts, steps, most)
        ]

    return replace(
        known,
        scores=module.scores,
        derive=module.derive,
        kinks=kinks if pieces and asked.shape[0] is None else None,
        smooth=smooth,
    )


def _in_batches(run: Callable[[Any], Any], points: FloatArray, rows: int) -> FloatArray:
    """Return what a graph makes of points (m, ...), asked in batches of one size."""
    import torch

    places = np.minimum(np.arange(-(-len(points) // rows) * rows), len(points) - 1)
    with torch.no_grad():
        made = [
            run(torch.from_numpy(points[places[at : at + rows]])).numpy()
            for at in range(0, len(places), rows)
        ]
    return np.concatenate(made)[: len(points)]


def _layer_left(shape: tuple[int, ...]) -> Callable[[FloatArray], FloatArray]:
    def leave(parts: FloatArray) -> FloatArray:
        own = parts.reshape(len(parts), -1)[:, : int(np.prod(shape))].reshape(-1, *shape)
        placed = np.moveaxis(own, 1, 3) if own.ndim == 4 else own
        return placed.reshape(len(parts), -1)

    return leave


def _at_layer(asked: Asked, name: str, whole: Gradient) -> Gradient:
    """Return the gradient by the value of a layer; *whole* is that by the input."""
    import torch

    probabilities = asked.signature.scale == "probability"
    before = read_graph(asked.module, probabilities=probabilities)
    node = find_layer(before, asked.layers, name)
    source = tuple(int(length or 1) for length in asked.shape[1:])
    rows = whole.batch_rows

    def value(points: Any) -> Any:
        return before.values(points, node, {})

    tried = value(torch.zeros((rows, *source), dtype=torch.float64))
    shape = tuple(int(length) for length in tried.shape[1:])
    if len(tried) != rows or not shape:
        raise UnableError(f"follows the numbers of each row, and {name!r} has rows of its own")
    after = read_graph(asked.module, probabilities=probabilities)
    cut = cut_graph(after, find_layer(after, asked.layers, name), shape, source)

    def enter(batch: Any) -> FloatArray:
        points = np.ascontiguousarray(whole.enter(batch))
        made = _in_batches(value, points, rows)
        if not cut.held:
            return made
        return np.concatenate([made.reshape(len(made), -1), points.reshape(len(made), -1)], axis=1)

    made = replace(whole, enter=enter, leave=_layer_left(shape), shape=shape, held=cut.held)
    return _followed(asked, made, cut.graph)


def torch_gradient(asked: Asked, layer: str = INPUT) -> Gradient:
    """
    Return the gradient of a module, by its input or by the value of a layer.

    Raises
    ------
    UnableError
        It takes whole numbers, or answers otherwise than one score for each output; or it is asked
        for a layer and shows none.
    UsageError
        It has no such layer.
    """
    import torch

    if np.dtype(asked.dtype).kind != "f":
        raise UnableError(
            f"follows paths of numbers, and the model takes {asked.dtype} (export it with an input"
            " of float32)"
        )
    if any(length is None for length in asked.shape[1:]):
        raise UnableError("needs a model whose file says how long its input is")
    run, link, graph, dtype = _opened(asked)
    shape = tuple(int(length or 1) for length in asked.shape[1:])
    rows = _batch_rows(shape, asked.shape[0] if asked.shape else None)
    enter = asked.enter or _entered(asked.dtype)
    leave = asked.leave or _left(asked.layout)
    fixed = asked.shape[0] if asked.shape else None
    module = Differentiable(run, _columns(asked, link), dtype, fixed)
    if link == SIGMOID and _own_outputs(module, rows, shape) != module.columns.outputs:
        link = SOFTMAX
    whole = Gradient(
        enter=enter,
        leave=leave,
        scores=module.scores,
        derive=module.derive,
        link=link,
        single=dtype != torch.float64,
        batch_rows=rows,
    )
    if graph is None:
        if layer != INPUT:
            raise UnableError(f"follows layers of files of torch.export: export it so: {EXPORT}")
        return whole
    return _followed(asked, whole, graph) if layer == INPUT else _at_layer(asked, layer, whole)
