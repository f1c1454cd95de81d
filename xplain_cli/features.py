"""Into which parts a row is split, and the law by which absent parts are drawn.

A table's law draws perturbed rows and says how each draw compares with a row. Texts and pictures
are masked: a mask says which features of one row stay. Methods see only that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Shown:
    """
    How b rows with n features each are named to the user.

    Attributes
    ----------
    names, values : (b, n) object
        Feature names and values.
    columns : dict of (b, n) arrays
        What else is known of each feature, such as where it stands.
    row_columns : dict of (b,) arrays
        What else is known of each row.
    """

    names: Any
    values: Any
    columns: Mapping[str, Any] = field(default_factory=dict)
    row_columns: Mapping[str, Any] = field(default_factory=dict)


class Split(Protocol):
    """Rows of one chunk, split into features."""

    @property
    def keys(self) -> tuple[bytes, ...]:
        """SHA-256 of each row's values: equal rows have equal keys, wherever they stand."""

    @property
    def reasons(self) -> Mapping[int, str]:
        """The rows that have no features, and why."""

    @property
    def counts(self) -> IntArray:
        """Return the number of features of each row, (b,)."""

    @property
    def inputs(self) -> Any:
        """The rows as the model takes them."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def take(self, rows: Sequence[int]) -> Self:
        """Return some of the rows."""

    def shown(self) -> Shown:
        """Return names and values; all rows have equally many features."""


class MaskedRows(Split, Protocol):
    """Rows whose features can be taken away, one row at a time."""

    def masked(self, row: int, masks: BoolArray) -> Any:
        """Return the model inputs (m, ...) that masks (m, n) make of a row; True stays."""


class Law(Protocol):
    """How rows are split, and what is said of each feature and row beside what all rows have."""

    @property
    def weight_columns(self) -> tuple[str, ...]:
        """Further columns of weights.csv (``Shown.columns``)."""

    @property
    def stability_columns(self) -> tuple[str, ...]:
        """Further columns of stability.csv (``Shown.row_columns``)."""

    def split(self, batch: Any) -> Split:
        """Split aligned rows into features."""


Inclusion: TypeAlias = Literal["uniform-size", "bernoulli"]
"""How masks include features: ``uniform-size``: every number of them equally often;
``bernoulli``: each with probability 1/2, independently."""


class MaskLaw(Law, Protocol):
    """How many features of a row are taken away at a time."""

    @property
    def inclusion(self) -> Inclusion:
        """How features are included in a mask."""

    @property
    def distance_unit(self) -> float:
        """The distance of a mask with k of n features is this times 1 - sqrt(k / n)."""


@dataclass(frozen=True)
class Draw:
    """
    m perturbed rows, feature by feature.

    Attributes
    ----------
    codes : (n, m) int
        The bin or category of each feature.
    positions : (n, m) float
        Standardised values of the features without bins; (0, m) where all have bins.
    """

    codes: Any
    positions: FloatArray


@dataclass(frozen=True)
class Block:
    """
    b rows, split into n features.

    Attributes
    ----------
    codes : (b, n) int
        The bin or category of each feature; -1 for a value that the background never shows.
    positions : (b, n) float
        Standardised values of the features without bins; 1 for the others.
    values : b tuples of n
        The feature values as the user knows them.
    inputs : table
        The rows as the model takes them.
    keys : b digests
        SHA-256 of each row's values: seeds of its own draws, and the way to meet repeated rows.
    names : n feature names
    """

    codes: IntArray
    positions: FloatArray
    values: tuple[tuple[Any, ...], ...]
    inputs: Any
    keys: tuple[bytes, ...]
    names: tuple[str, ...]
    reasons: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.keys)

    @property
    def counts(self) -> IntArray:
        """Return the number of features of each row, (b,)."""
        return np.full(len(self), len(self.names))

    def take(self, rows: Sequence[int]) -> "Block":
        """Return some of the rows."""
        chosen = list(rows)
        return Block(
            codes=self.codes[chosen],
            positions=self.positions[chosen],
            values=tuple(self.values[i] for i in chosen),
            inputs=self.inputs.iloc[chosen].reset_index(drop=True),
            keys=tuple(self.keys[i] for i in chosen),
            names=self.names,
        )

    def shown(self) -> Shown:
        """Return names and values."""
        values = np.empty((len(self), len(self.names)), dtype=object)
        values[:] = [list(v) for v in self.values]
        names = np.array(self.names, dtype=object)
        return Shown(np.broadcast_to(names, values.shape), values)


class DrawLaw(Law, Protocol):
    """How absent features of tables are drawn, and how a draw compares with a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, n of them."""

    @property
    def frequencies(self) -> tuple[FloatArray, ...]:
        """Of each feature the frequency of each code; empty for a feature without bins."""

    @property
    def binned(self) -> bool:
        """Whether every feature has bins or categories."""

    def draw(self, count: int, key: tuple[int, ...], row: Any = None) -> tuple[Draw, Any]:
        """Draw *count* perturbed rows and the model inputs that they are; around *row* if given."""

    def contrast(self, draw: Draw, block: Block, row: int) -> tuple[Any, Any]:
        """Return coordinates (n, m) of the draws as row *row* sees them, and squared distances."""

    def interval(
        self, feature: int, lower: FloatArray, upper: FloatArray, missing: BoolArray
    ) -> FloatArray:
        """Return P(lower < x <= upper | code), (e, codes), for e intervals on a feature."""


@runtime_checkable
class ReadToLength(Split, Protocol):
    """Rows that a model may read only up to some length."""

    def read_to(self, lengths: Sequence[int]) -> Self:
        """Return the rows cut where the model stops reading."""
        ...


@dataclass
class Weighed:
    """
    What a rough explanation says of rows.

    Attributes
    ----------
    sizes
        Row -> how strong each of its features is, (n,).
    asked
        Row -> the model inputs that it took.
    lost
        Row -> why it could not be explained.
    """

    sizes: dict[int, FloatArray] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)


Weigh: TypeAlias = Callable[[Any, Sequence[int]], Weighed]


@runtime_checkable
class Refinable(Split, Protocol):
    """Rows that are explained roughly first, and then only where it matters."""

    def refined(self, weigh: Weigh) -> tuple[Self, Weighed]:
        """Return the rows with the features that matter, and what finding them took."""
        ...


@runtime_checkable
class Based(Split, Protocol):
    """Rows that get a baseline each: features equal to it cost nothing, and weigh 0."""

    @property
    def copies(self) -> int:
        """Model inputs of each mask."""
        ...

    @property
    def most_asked(self) -> int:
        """Model inputs that finding the baselines of a row takes at most."""
        ...

    @property
    def n_all(self) -> int:
        """All features of a row, those that equal the baseline too."""
        ...

    @property
    def places(self) -> IntArray:
        """Which features differ from the baseline, (b, n)."""
        ...

    def grounded(self, pairs: IntArray, outputs: FloatArray, ask: Any) -> tuple[Self, IntArray]:
        """Give the rows their baselines; also return the model inputs that these took."""
        ...

    def judged(self, classes_of: Any) -> Self:
        """Note what an independent model says of the baselines."""
        ...
