"""Finds the embedding of token ids in a graph while it is translated: it goes on from there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.operators.tracing import OperatorUse, Tracer, Value

_ARRANGING = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_OF_SHAPES = frozenset({"Shape", "Size"})


@dataclass
class EmbeddingLookup:
    """
    Watches what a graph does with token ids.

    Attributes
    ----------
    ids : (length,) int
        The tokens of a text, which all rows of a batch have.
    value
        What they are in the graph.
    tables
        What they were looked up in, (tokens, width) each, in the order of the numbers of a point.
    beside
        Whether the graph does anything else with them, such as to see which ones are padding.
    """

    ids: IntArray
    value: Value
    tables: list[Any] = field(default_factory=list)
    beside: bool = False
    _arranged: list[Value] = field(default_factory=list)

    def _is_ids(self, one: Any) -> bool:
        return one is self.value or any(one is known for known in self._arranged)

    def watch(
        self, tracer: Tracer, step: OperatorUse, inputs: Sequence[Value | None], made: Any
    ) -> Any:
        """Return what an operator makes, which *made* tells: points in place of a look-up."""
        if not any(self._is_ids(one) for one in inputs):
            return made()
        if step.op in _OF_SHAPES:
            return made()
        first = inputs[0]
        if step.op in _ARRANGING and self._is_ids(first):
            found = made()
            self._arranged.append(found)
            return found
        table = _is_table(step, first) and len(inputs) > 1 and self._is_ids(inputs[1])
        if not table or first is None or inputs[1] is None:
            self.beside = True
            return made()
        return self._looked_up(tracer, first, inputs[1])

    def _looked_up(self, tracer: Tracer, table: Value, index: Value) -> Value:
        """Return the part of the points that stands for the rows of a table."""
        held = tracer.array(table).astype(np.float64)
        start = sum(one.shape[1] for one in self.tables)
        stop = start + held.shape[1]
        self.tables.append(held)
        rows = tracer.torch.from_numpy(held[self.ids])
        seen = [rows.repeat(count, 1, 1) for count in tracer.rows]
        target = tracer.torch.ops.aten.slice.Tensor
        node = tracer.graph.call_function(target, (tracer.source, 2, start, stop, 1))
        return tracer.reshape(tracer.enter(node, seen), [*tracer.shape(index), held.shape[1]])

    @property
    def table(self) -> FloatArray:
        """All tables side by side, (tokens, width)."""
        size = max(len(one) for one in self.tables)
        return np.concatenate(
            [np.pad(one, ((0, size - len(one)), (0, 0))) for one in self.tables], axis=1
        )


def _is_table(step: OperatorUse, table: Value | None) -> bool:
    """Return whether an operator looks rows up in a table of fractions that does not move."""
    if step.op != "Gather" or table is None or not table.fixed or table.rank != 2:
        return False
    return int(step.get("axis", 0)) % 2 == 0 and table.is_float
