"""How features get their weights. A method sees masks, outputs and laws, never a modality.

A method is a generator over a block of rows: it yields what it needs (``NeedPool`` or
``NeedOutputs``), is sent it, and returns an ``Attribution`` of the block. So rows ask the model
together, in full batches.
"""

from typing import Protocol

from xplain_cli.methods.lime import Lime
from xplain_cli.methods.neighbourhoods import (
    Explaining,
    NeedOutputs,
    NeedPool,
    Pool,
    Task,
    UnexplainedError,
)

__all__ = [
    "METHODS",
    "Explaining",
    "Method",
    "NeedOutputs",
    "NeedPool",
    "Pool",
    "Task",
    "UnexplainedError",
]


class Method(Protocol):
    """One way of giving features their weights."""

    @property
    def exact(self) -> bool:
        """Whether it is a closed form that needs the model's leaves."""

    @property
    def around(self) -> bool:
        """Whether each row has draws of its own."""

    @property
    def discretizer(self) -> str | None:
        """Where numbers are cut."""

    def default_budget(self) -> tuple[int, int]:
        """Return the default (samples per repeat, repeats)."""

    def width(self, n: int) -> float:
        """Return the kernel width for n features."""

    def explain(self, task: Task) -> Explaining:
        """Explain a block of rows."""


METHODS: dict[str, type[Lime]] = {"lime": Lime}
