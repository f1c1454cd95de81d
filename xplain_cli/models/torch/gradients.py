"""The gradient of torch modules: exported graphs in double precision, TorchScript as is."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Signature, UnableError
from xplain_cli.models.gradients import IDENTITY, SIGMOID, SOFTMAX, Gradient, Kinks, Slopes
from xplain_cli.models.torch.graphs import ScoreGraph, kind_of, read_graph
from xplain_cli.models.torch.kinks import graph_kinks

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

        count = len(points)
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
        matrix, shift = self.columns.of(own.shape[1])
        return np.asarray(own @ matrix + shift, dtype=np.float64)

    def derive(self, points: FloatArray, slopes: Slopes) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives (m, ...) of what *slopes* reads, and the scores."""
        import torch

        leaf = torch.from_numpy(np.ascontiguousarray(points)).to(self.dtype).requires_grad_()
        made = self._own(leaf)
        scores = self.widened(made.detach().double().numpy())
        matrix, _ = self.columns.of(made.shape[1])
        back = torch.from_numpy(np.ascontiguousarray(slopes(scores) @ matrix.T))
        (found,) = torch.autograd.grad(made, leaf, back.to(made.dtype))
        return found.double().numpy(), scores


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


def _own_outputs(module: Differentiable, rows: int, shape: tuple[int, ...]) -> int:
    """Return how many outputs a module has of its own."""
    import torch

    with torch.no_grad():
        made = module.run(torch.zeros((rows, *shape), dtype=module.dtype))
    return int(made.reshape(rows, -1).shape[1])


def torch_gradient(asked: Asked) -> Gradient:
    """
    Return the gradient of a module.

    Raises
    ------
    UnableError
        It takes whole numbers, or answers otherwise than one score for each output.
    """
    import torch

    if np.dtype(asked.dtype).kind != "f":
        raise UnableError(f"follows paths of numbers, and the model takes {asked.dtype}")
    if any(length is None for length in asked.shape[1:]):
        raise UnableError("needs a model whose file says how long its input is")
    run, link, graph, dtype = _opened(asked)
    shape = tuple(int(length or 1) for length in asked.shape[1:])
    rows = _batch_rows(shape, asked.shape[0] if asked.shape else None)
    enter = asked.enter or _entered(asked.dtype)
    leave = asked.leave or _left(asked.layout)
    columns = ScoreColumns(
        len(asked.signature.outputs), asked.signature.margin, logit=link == SIGMOID
    )
    module = Differentiable(run, columns, dtype, asked.shape[0] if asked.shape else None)
    if link == SIGMOID and _own_outputs(module, rows, shape) != columns.outputs:
        link = SOFTMAX
    pieces, smooth = (False, False) if graph is None else kind_of(graph)

    def kinks(starts: FloatArray, steps: FloatArray, most: int) -> list[Kinks | None]:
        found = graph_kinks(graph, starts, steps, most) if graph is not None else []
        return [
            None if one is None else Kinks(one.shares, module.widened(one.scores)) for one in found
        ]

    return Gradient(
        enter=enter,
        leave=leave,
        scores=module.scores,
        derive=module.derive,
        link=link,
        kinks=kinks if pieces and asked.shape[0] is None else None,
        smooth=smooth,
        single=dtype != torch.float64,
        batch_rows=rows,
    )
