"""The gradient of ONNX models of token ids, by the embedding of the tokens of a text."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.errors import require
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Signature, UnableError
from xplain_cli.models.gradients import INPUT, Gradient, UnitText
from xplain_cli.models.onnx.conversion import convert
from xplain_cli.models.onnx.gradients import TranslatedGraph, compare_answers, joined_outputs
from xplain_cli.models.onnx.lookups import EmbeddingLookup
from xplain_cli.models.onnx.programs import OnnxProgram, read_program
from xplain_cli.models.operators.tracing import ROWS, Tracer, Value
from xplain_cli.models.token_paths import TokenNet, TokenPaths, TokenText
from xplain_cli.models.torch.gradients import score_module
from xplain_cli.models.torch.graphs import read_graph

NO_EMBEDDING = (
    "follows paths through an embedding, and this model looks token ids up in no table of numbers"
)
_KEPT_NETS = 16


@dataclass(frozen=True)
class TokensAsked:
    """
    What is known of an ONNX model of token ids when its gradient is opened.

    Attributes
    ----------
    path
        The file, which the door has judged.
    outputs
        The outputs that are explained, side by side.
    ids
        The input that takes the token ids.
    rows
        The one number of texts that it takes; None: any.
    signature
        What the probe chose.
    read
        Returns a text as the net takes it.
    filler
        See ``TokenPaths``.
    answer
        Returns the explained outputs (rows, own) on what onnxruntime is given.
    """

    path: str
    outputs: tuple[str, ...]
    ids: str
    rows: int | None
    signature: Signature
    read: Callable[[UnitText], TokenText]
    filler: Callable[[str | None], int | None]
    answer: Callable[[dict[str, Any]], FloatArray]


class _Nets:
    """Translates a model for texts of one form each, and keeps the last ones."""

    def __init__(self, asked: TokensAsked) -> None:
        self._asked = asked
        self._constants: dict[Any, Any] = {}
        self._nets: OrderedDict[Any, TokenNet] = OrderedDict()
        self._sees_ids = True

    @cached_property
    def _program(self) -> OnnxProgram:
        path = Path(self._asked.path)
        try:
            return read_program(path.read_bytes(), path.resolve().parent)
        except (IndexError, OSError) as error:
            raise UnableError("cannot read this file once more") from error

    def _form(self, text: TokenText) -> tuple[Any, ...]:
        """Return what a graph hangs on: the ids themselves only where it does more with them."""
        own = self._asked.ids
        held = [(n, one.tobytes()) for n, one in text.fed.items() if self._sees_ids or n != own]
        return len(text.ids), tuple(held)

    def of(self, text: TokenText) -> TokenNet:
        """Return the net for a text."""
        form = self._form(text)
        if form in self._nets:
            self._nets.move_to_end(form)
            return self._nets[form]
        net, self._sees_ids = self._settled(text)
        self._nets[self._form(text)] = net
        if len(self._nets) > _KEPT_NETS:
            self._nets.popitem(last=False)
        return net

    def _settled(self, text: TokenText) -> tuple[TokenNet, bool]:
        """Return a net that answers as onnxruntime does, and whether it sees ids beside."""
        rows = self._asked.rows
        try:
            return self._translated(text, None)
        except (UnableError, RuntimeError) as error:
            if rows is None:
                reason = getattr(error, "reason", " ".join(str(error).split())[:120])
                raise UnableError(reason) from error
        return self._translated(text, rows)

    def _translated(self, text: TokenText, rows: int | None) -> tuple[TokenNet, bool]:
        asked = self._asked
        free = asked.rows if rows is None else None
        tracer = Tracer(ROWS if rows is None else (rows,), free, constants=self._constants)
        inputs = {name: _repeated(tracer, one) for name, one in text.fed.items()}
        lookup = EmbeddingLookup(text.ids, inputs[asked.ids])
        values = convert(self._program, tracer, inputs, asked.outputs, lookup)
        end = joined_outputs(tracer, values)
        if not lookup.tables or not end.moves:
            raise UnableError(NO_EMBEDDING)
        tracer.graph.output(end.node)
        module = TranslatedGraph(tracer.graph, tracer.held)
        table = lookup.table
        points = tracer.torch.from_numpy(table[text.ids])
        count = asked.rows or ROWS[0]
        fed = {name: np.repeat(one, count, axis=0) for name, one in text.fed.items()}
        likely = asked.signature.scale == "probability"
        expected = asked.answer(fed)
        compare_answers(module, points.repeat(count, 1, 1), expected, rows, likely=likely)
        graph = read_graph(module, probabilities=likely)
        answering, link = score_module(graph, asked.signature, points.shape, rows)
        return TokenNet(graph, answering, link, table), lookup.beside


def _repeated(tracer: Tracer, one: Any) -> Value:
    """Return an input (1, length) that is the same for all rows."""
    wide = one.astype(np.float64) if one.dtype.kind == "f" else one
    return Value(tuple(tracer.torch.from_numpy(np.repeat(wide, n, axis=0)) for n in tracer.rows))


def token_gradient(asked: TokensAsked, sample: str, absent: str, layer: str = INPUT) -> Gradient:
    """
    Return the gradient of an ONNX model of token ids, in double precision.

    Parameters
    ----------
    sample
        Any text.
    absent
        What stands for a token that is absent, as outputs say it.

    Raises
    ------
    UnableError
        It looks tokens up nowhere, holds operators that are not known, or its translation answers
        otherwise than onnxruntime; or it is asked for another layer.
    UsageError
        torch is not installed.
    """
    if layer != INPUT:
        raise UnableError(
            "follows the embedding of the tokens of a text, and no other layer of it (leave layer"
            " out)"
        )
    torch: Any = require("torch", "torch")
    torch.set_num_threads(1)
    paths = TokenPaths(asked.read, _Nets(asked).of, asked.filler)
    return paths.gradient(sample, absent)
