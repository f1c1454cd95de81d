"""The gradient of ONNX files: translated into a torch graph, and compared with onnxruntime."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.errors import require
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import UnableError
from xplain_cli.models.gradients import IDENTITY, INPUT, Gradient
from xplain_cli.models.onnx.conversion import convert
from xplain_cli.models.onnx.entries import (
    Entry,
    OnnxAsked,
    enter_values,
    left_by,
    points_of,
    probe_of,
)
from xplain_cli.models.onnx.programs import read_program
from xplain_cli.models.operators.tracing import LAYER, ROWS, Tracer, Value
from xplain_cli.models.torch.gradients import Asked, torch_gradient
from xplain_cli.models.torch.graphs import SHAPE, ScoreGraph
from xplain_cli.models.torch.layer_names import StoredLayer

_CLOSE = 1e-5
"""How far a translated graph may be from onnxruntime, by the largest answer."""

_LONGEST = 200
_ROUNDINGS = 4.0
"""How far it may be where single precision loses more than that, by what that loses."""


class TranslatedGraph:
    """A graph of torch with its constants, as ``models.torch.graphs`` reads one."""

    def __init__(self, graph: Any, held: Mapping[str, Any]) -> None:
        self.graph, self.held = graph, held

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["held"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __deepcopy__(self, memo: Any) -> "TranslatedGraph":
        return TranslatedGraph(copy.deepcopy(self.graph, memo), self.held)

    def parameters(self) -> Iterator[Any]:
        """Return what could be trained: nothing."""
        return iter(())

    def double(self) -> "TranslatedGraph":
        """Return itself: it is in double precision."""
        return self


@dataclass(frozen=True)
class Translation:
    """A graph, and what columns of a table become in it."""

    module: TranslatedGraph
    entry: Entry


def joined_outputs(tracer: Tracer, values: Sequence[Value]) -> Value:
    """Return outputs side by side."""
    if len(values) == 1:
        return values[0]
    flat = [tracer.reshape(one, [tracer.shape(one)[0], 1]) for one in values]
    return tracer.one("cat", flat, 1)


def translate(asked: OnnxAsked, rows: int | None = None) -> Translation:
    """
    Return an ONNX model as a torch graph.

    Parameters
    ----------
    rows
        The one number of rows that the graph shall take; None: any, whatever the file says.

    Raises
    ------
    UnableError
        It cannot be translated.
    """
    path = Path(asked.path)
    try:
        data = path.read_bytes() if asked.content is None else asked.content
        program = read_program(data, path.resolve().parent)
    except (IndexError, OSError) as error:
        raise UnableError("cannot read this file once more") from error
    tracer = Tracer(ROWS if rows is None else (rows,), asked.rows if rows is None else None)
    values = convert(program, tracer, enter_values(asked, tracer), asked.outputs)
    end = joined_outputs(tracer, values)
    if not end.moves:
        raise UnableError("follows scores, and this model answers all rows alike")
    tracer.graph.output(end.node)
    entry = Entry(tuple(tracer.encodings.values()), tracer.fills, tracer.width)
    return Translation(TranslatedGraph(tracer.graph, tracer.held), entry)


def _answers(module: TranslatedGraph, points: Any, rows: int | None) -> FloatArray:
    """Return what a graph answers at points, asked *rows* at a time."""
    import torch

    nodes = list(module.graph.nodes)
    graph = ScoreGraph(module, nodes[0], nodes[-1].args[0], IDENTITY)
    with torch.no_grad():
        parts = [graph.run(one) for one in points.split(rows or len(points))]
    made = torch.cat([one.double().flatten() for one in parts])
    return np.asarray(made.reshape(len(points), -1).numpy())


def _in_single(module: TranslatedGraph) -> TranslatedGraph:
    """Return a graph in single precision, which says how far rounding alone may lead."""
    import torch
    from torch.fx.node import map_aggregate

    def narrowed(one: Any) -> Any:
        return torch.float32 if one is torch.float64 else one

    graph = copy.deepcopy(module.graph)
    for node in graph.nodes:
        node.args, node.kwargs = (map_aggregate(one, narrowed) for one in (node.args, node.kwargs))
    held = {
        name: one.float() if one.is_floating_point() else one for name, one in module.held.items()
    }
    return TranslatedGraph(graph, held)


def compare(asked: OnnxAsked, found: Translation, rows: int | None) -> None:
    """
    Compare a graph with onnxruntime, on rows that are drawn.

    Raises
    ------
    UnableError
        Its answers are others, and single precision does not explain it.
    """
    import torch

    fed = probe_of(asked, found.entry)
    points = torch.from_numpy(points_of(asked, fed, found.entry))
    likely = asked.signature.scale == "probability"
    compare_answers(found.module, points, asked.answer(fed), rows, likely=likely)


def compare_answers(
    module: TranslatedGraph, points: Any, expected: FloatArray, rows: int | None, *, likely: bool
) -> None:
    """
    Compare the answers of a graph at points with those of onnxruntime.

    Parameters
    ----------
    rows
        The one number of rows that the graph takes; None: any.
    likely
        Whether the answers are probabilities.

    Raises
    ------
    UnableError
        They are others, and single precision does not explain it.
    """
    made = _answers(module, points, rows)
    if made.shape != expected.shape:
        raise UnableError(
            f"follows a translated graph, and it answers {made.shape[1]} numbers where onnxruntime"
            f" answers {expected.shape[1]}"
        )
    known = np.isfinite(expected)
    # onnxruntime's sigmoids are good to 1e-7, whatever is left of the smallest
    size = 1.0 if likely else float(np.abs(expected[known]).max(initial=0.0))
    far = float(np.abs(made - expected)[known].max(initial=0.0))
    if far <= _CLOSE * size:
        return
    single = _answers(_in_single(module), points.float(), rows)
    if not far <= _ROUNDINGS * float(np.abs(made - single)[known].max(initial=0.0)):
        raise UnableError(
            f"follows a translated graph, and its answers are {far:.2g} from those of onnxruntime,"
            f" more than {_CLOSE:g} of {size:.2g}"
        )


def _settled(asked: OnnxAsked) -> tuple[Translation, int | None]:
    """Return a translation that answers as onnxruntime does, and the number of rows it takes."""
    try:
        free = translate(asked)
        compare(asked, free, None)
    except (UnableError, RuntimeError) as error:
        if asked.rows is None:
            raise UnableError(_reason(error)) from error
    else:
        return free, None
    # shapes that hold the number of rows where nobody can tell which
    fixed = translate(asked, asked.rows)
    compare(asked, fixed, asked.rows)
    return fixed, asked.rows


def _reason(error: Exception) -> str:
    if isinstance(error, UnableError):
        return error.reason
    return f"cannot follow this graph ({' '.join(str(error).split())[:120]})"


def layers_of(found: Translation) -> dict[str, StoredLayer]:
    """
    Return what layers may be called, in their order.

    They go by the names of the values in the file, without what a setting cannot hold:
    ``/stem/stem.0/Conv_output_0`` is ``stem.stem.0.Conv``.
    """
    layers: dict[str, StoredLayer] = {}
    for node in found.module.graph.nodes:
        name = ".".join(re.findall(r"\w+", node.meta.get(LAYER, ""), re.ASCII))
        name = name.removesuffix("_output_0")[:_LONGEST]
        if name and name not in layers and SHAPE in node.meta:  # the input itself has none
            layers[name] = StoredLayer(node.name, node.meta[SHAPE][1:])
    return layers


def onnx_gradient(asked: OnnxAsked, layer: str = INPUT) -> Gradient:
    """
    Return the gradient of an ONNX model, in double precision, by its input or a layer's value.

    Raises
    ------
    UnableError
        It holds operators that are not known; or it takes texts that are no categories; or its
        translation answers otherwise than onnxruntime.
    UsageError
        torch is not installed, or there is no such layer.
    """
    torch: Any = require("torch", "torch")
    torch.set_num_threads(1)
    found, rows = _settled(asked)
    tabular = len(asked.lengths) == 1
    return torch_gradient(
        Asked(
            found.module,
            "float64",
            (rows, *((found.entry.width,) if tabular else asked.lengths)),
            asked.layout,
            asked.signature,
            layers_of(found) if layer != INPUT else {},
            lambda batch: points_of(asked, asked.feed(batch), found.entry),
            left_by(asked.lengths[0], found.entry) if tabular else None,
        ),
        layer,
    )
