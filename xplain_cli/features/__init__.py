"""Into which parts a row is split, and the law by which absent parts are drawn.

A modality's law draws perturbed inputs and says how each draw compares with a row: which
features are present (or where they stand), and how far the draw is. Methods see only that.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from xplain_cli.explanation import BoolArray, FloatArray, IntArray


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
    """

    codes: IntArray
    positions: FloatArray
    values: tuple[tuple[Any, ...], ...]
    inputs: Any
    keys: tuple[bytes, ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.keys)


class Law(Protocol):
    """How absent features are drawn, and how a draw compares with a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, n of them."""

    @property
    def frequencies(self) -> tuple[FloatArray, ...]:
        """Of each feature the frequency of each code; empty for a feature without bins."""

    @property
    def binned(self) -> bool:
        """Whether every feature has bins or categories."""

    def split(self, table: Any) -> Block:
        """Split aligned rows into features."""

    def draw(self, count: int, key: tuple[int, ...], row: Any = None) -> tuple[Draw, Any]:
        """Draw *count* perturbed rows and the model inputs that they are; around *row* if given."""

    def contrast(self, draw: Draw, block: Block, row: int) -> tuple[Any, FloatArray]:
        """Return coordinates (n, m) of the draws as row *row* sees them, and squared distances."""

    def interval(
        self, feature: int, lower: FloatArray, upper: FloatArray, missing: BoolArray
    ) -> FloatArray:
        """Return P(lower < x <= upper | code), (e, codes), for e intervals on a feature."""
