"""Rows whose features are the units of a layer: single numbers that the model makes of a row.

They wrap rows of their modality, which know keys, inputs and baselines; what a unit is worth is
known to the model alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import (
    FeatureLabels,
    Grid,
    Inclusion,
    Subset,
    Traits,
    not_refined,
    nothing_between,
    read_whole,
    uncharted,
)

MOST_UNITS = 4096
"""Units of a layer at most: each is a line of weights.csv for every row."""


def unit_names(layer: str, shape: tuple[int, ...]) -> list[str]:
    """Return the name of each unit, in the order of ``models.Gradient.leave``: ``hidden_1[3]``."""
    places: Iterable[tuple[int, ...]] = np.ndindex(*shape)
    if len(shape) == 3:  # places of a map, one after the other, channels side by side
        channels, height, width = shape
        places = ((c, y, x) for y, x, c in np.ndindex(height, width, channels))
    return [f"{layer}[{','.join(map(str, place))}]" for place in places]


@dataclass(frozen=True)
class UnitMasker:
    """
    How rows are split into the units of a layer; picklable.

    Attributes
    ----------
    inner
        How their modality splits them, which gives them their baselines.
    layer, shape
        Which layer, and the lengths of its value.
    """

    inner: Any
    layer: str
    shape: tuple[int, ...]

    draws: ClassVar[None] = None
    inclusion: ClassVar[Inclusion] = "bernoulli"
    distance_unit: ClassVar[float] = 1.0
    weight_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def traits(self) -> Traits:
        """What planning and the engine must know of it."""
        own: Traits = self.inner.traits
        return replace(own, no_slope=None, no_closed_form="is for columns", units=True)

    @property
    def stability_columns(self) -> tuple[str, ...]:
        """Further columns of stability.csv."""
        found: tuple[str, ...] = self.inner.stability_columns
        return found

    def salted(self, secret: str) -> "UnitMasker":
        """Return the perturbation with the secret of the run."""
        return replace(self, inner=self.inner.salted(secret))

    def split(self, batch: Any) -> "UnitRows":
        """Split aligned rows into units."""
        return UnitRows(self.inner.split(batch), tuple(unit_names(self.layer, self.shape)))


@dataclass(frozen=True)
class UnitRows:
    """
    Rows of one chunk, split into the units of a layer.

    Attributes
    ----------
    rows
        As their modality splits them.
    names
        What the units are called.
    """

    rows: Any
    names: tuple[str, ...]

    subset: ClassVar[Subset | None] = None
    pool_of: ClassVar[None] = None
    inputs_repeat: ClassVar[bool] = False

    read_to = read_whole
    refined = not_refined
    between = nothing_between
    charted = uncharted

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """SHA-256 of each row's values."""
        found: tuple[bytes, ...] = self.rows.keys
        return found

    @property
    def reasons(self) -> Mapping[int, str]:
        """The rows that have no features, and why."""
        found: Mapping[int, str] = self.rows.reasons
        return found

    @property
    def empty(self) -> Mapping[int, str]:
        """The rows in which there is nothing to explain, and why."""
        found: Mapping[int, str] = self.rows.empty
        return found

    @property
    def inputs(self) -> Any:
        """The rows as the model takes them."""
        return self.rows.inputs

    @property
    def counts(self) -> IntArray:
        """Return the number of units, for each row, (b,)."""
        return np.full(len(self), len(self.names))

    @property
    def copies(self) -> int:
        """Baselines of each row."""
        return int(self.rows.copies)

    @property
    def most_asked(self) -> int:
        """Model inputs that finding the baselines of a row takes at most."""
        return int(self.rows.most_asked)

    def take(self, rows: Sequence[int]) -> "UnitRows":
        """Return some of the rows."""
        return replace(self, rows=self.rows.take(rows))

    def with_baselines(
        self, pairs: IntArray, outputs: FloatArray, ask: Any
    ) -> "tuple[UnitRows, IntArray]":
        """Give the rows their baselines; also return the model inputs (b,) that these took."""
        found, asked = self.rows.with_baselines(pairs, outputs, ask)
        return replace(self, rows=found), asked

    def judged(self, classes_of: Callable[[Any], IntArray]) -> "UnitRows":
        """Note what an independent model says of the baselines."""
        return replace(self, rows=self.rows.judged(classes_of))

    def shown(self) -> FeatureLabels:
        """Return the names of units; ``valued`` puts in what they are worth."""
        shape = (len(self), len(self.names))
        names = np.broadcast_to(np.array(self.names, dtype=object), shape)
        blank = np.full(shape, None, dtype=object)
        return FeatureLabels(names, blank, {}, self.rows.shown().row_columns)

    def ends(self) -> tuple[Any, Any]:
        """Return the baselines of the rows, and the rows as often (``MaskedRows.ends``)."""
        found: tuple[Any, Any] = self.rows.ends()
        return found

    def shifted(self) -> Any:
        """Return the rows, numbers moved by what is usual for them."""
        return self.rows.shifted()

    def masked(self, row: int, masks: BoolArray) -> Any:
        """
        Refuse to take units away: they are made by the model, and no input lacks one.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError(
            f"the features of row {row} are units of a layer, of which no input lacks"
            f" {(~masks).sum()}"
        )

    def pooled(self, _rows: IntArray, parts: FloatArray, _grid: Grid = None) -> FloatArray:
        """Return the numbers (p, n) of the units themselves (``MaskedRows.pooled``)."""
        return parts
