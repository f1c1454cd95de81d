"""The seam between modalities and the rest: rows split into features, and how they are perturbed.

A perturbation is a ``Sampler``, which draws rows that all rows share and says how a draw compares
with a row, or a ``Masker``: a mask says which features of one row stay. Methods see only that,
and the engine never looks at a type: ``Traits`` and hooks of ``Split`` tell what there is to know.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias, TypeVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class FeatureLabels:
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


@dataclass
class RoughWeights:
    """What a rough explanation says of rows, by their places."""

    sizes: dict[int, FloatArray] = field(default_factory=dict)  # how strong features are, (n,)
    asked: dict[int, int] = field(default_factory=dict)  # the model inputs that it took
    lost: dict[int, str] = field(default_factory=dict)  # why it could not be explained


Weigh: TypeAlias = Callable[[Any, Sequence[int]], RoughWeights]


@dataclass(frozen=True)
class Subset:
    """Of rows with equally many features, those that are explained: the others weigh 0."""

    of: int  # all features of a row
    places: IntArray  # (b, n): which of them are explained


class Split(Protocol):
    """
    Rows of one chunk, split into features.

    What only some rows can do has a default that others borrow in their class body: ``read_whole``,
    ``not_refined``, ``without_baselines``, ``not_judged``, and the values ``copies = 1``,
    ``most_asked = 0``, ``subset = None``, ``inputs_repeat = False``, ``empty = NOT_EMPTY``,
    ``pool_of = None``.
    """

    @property
    def keys(self) -> tuple[bytes, ...]:
        """SHA-256 of each row's values: equal rows have equal keys, wherever they stand."""

    @property
    def reasons(self) -> Mapping[int, str]:
        """The rows that have no features, and why."""

    @property
    def empty(self) -> Mapping[int, str]:
        """The rows that can be asked and in which there is nothing to explain, and why."""

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

    def shown(self) -> FeatureLabels:
        """Return names and values; all rows have equally many features."""

    def read_to(self, lengths: Sequence[int]) -> Self:
        """Return the rows cut where the model stops reading."""

    def refined(self, weigh: Weigh) -> tuple[Self, RoughWeights]:
        """Return the rows with the features that matter, and what finding them took."""

    def with_baselines(
        self, pairs: IntArray, outputs: FloatArray, ask: Any
    ) -> tuple[Self, IntArray]:
        """Give the rows their baselines; also return the model inputs (b,) that these took."""

    def judged(self, classes_of: Any) -> Self:
        """Note what an independent model says of the baselines."""

    @property
    def copies(self) -> int:
        """Model inputs of each mask: one for every baseline, averaged."""

    @property
    def most_asked(self) -> int:
        """Model inputs that finding the baselines of a row takes at most."""

    @property
    def subset(self) -> Subset | None:
        """Where features that equal the baseline are left out: which are not; else None."""

    @property
    def inputs_repeat(self) -> bool:
        """Whether masks of a row may make equal inputs, as with texts: each is asked once."""

    @property
    def pool_of(self) -> IntArray | None:
        """Which of the shared pools serves each row, (b,); None: there is one for all."""


NOT_EMPTY: Mapping[int, str] = MappingProxyType({})
"""Rows in which there always is something to explain."""

SplitT = TypeVar("SplitT", bound=Split)


def read_whole(rows: SplitT, _lengths: Sequence[int]) -> SplitT:
    """Return rows that a model reads to their end."""
    return rows


def not_refined(rows: SplitT, _weigh: Weigh) -> tuple[SplitT, RoughWeights]:
    """Return rows all features of which are explained at once."""
    return rows, RoughWeights()


def without_baselines(
    rows: SplitT, _pairs: IntArray, _outputs: FloatArray, _ask: Any
) -> tuple[SplitT, IntArray]:
    """Return rows that get no baseline of their own."""
    return rows, np.zeros(len(rows), dtype=np.int64)


def not_judged(rows: SplitT, _classes_of: Any) -> SplitT:
    """Return rows without baselines, of which a judge says nothing."""
    return rows


Grid: TypeAlias = tuple[int, int] | None
"""Height and width of a layer that lies over a picture."""


class MaskedRows(Split, Protocol):
    """Rows whose features can be taken away, one row at a time."""

    def masked(self, row: int, masks: BoolArray) -> Any:
        """Return the model inputs (m, ...) that masks (m, n) make of a row; True stays."""

    def between(self, row: int, shares: FloatArray) -> Any:
        """
        Return the model inputs (m, ...) on the way from the baseline to a row.

        *shares* (m, n) say how far each feature has come: 0 is its baseline, 1 its own value, and
        with these alone inputs are those of ``masked``. Features that are words or whole numbers
        have nothing between: rows of such borrow ``nothing_between``, or raise its UsageError.
        """

    def ends(self) -> tuple[Any, Any]:
        """Return the k baselines of each row, and the row as often: (b * k) inputs; ``no_ends``."""

    def shifted(self) -> Any:
        """Return the rows, numbers moved by what is usual for them (a standard deviation)."""

    def pooled(self, rows: IntArray, parts: FloatArray, grid: Grid = None) -> FloatArray:
        """
        Return the sums (p, n) over what each feature owns; who owns none borrows ``not_pooled``.

        Line i of *parts* (p, columns) speaks of row ``rows[i]``: a number for each column, or for
        each number of a pixel (``models.Gradient.leave``), or of a cell of a layer's *grid*.
        """

    def charted(self, rows: IntArray, parts: FloatArray, grid: Grid = None) -> FloatArray | None:
        """Return *parts* as maps (p, h, w); rows that are no pictures borrow ``uncharted``."""


def nothing_between(_rows: object, _row: int, _shares: FloatArray) -> Any:
    """Refuse, by UsageError, rows whose features stay or go as a whole."""
    raise UsageError("features stay or go as a whole: nothing lies between them and a baseline")


def no_ends(_rows: object) -> Any:
    """Refuse, by UsageError, rows that no path of numbers leads to."""
    raise UsageError("no path leads from a baseline to these rows: their features are no numbers")


def uncharted(_rows: object, _chosen: IntArray, _parts: FloatArray, _grid: Grid = None) -> None:
    """Return no maps, of rows that are no pictures."""
    return


def not_pooled(_r: object, _chosen: IntArray, _parts: FloatArray, _grid: Grid = None) -> FloatArray:
    """Refuse, by UsageError, to add numbers up over features that own none."""
    raise UsageError("no numbers of these rows belong to their features")


class SidedRows(MaskedRows, Protocol):
    """Rows of numbers, which have a baseline each."""

    def sides(self, row: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """
        Return a row of numbers, its baselines, and the feature that owns each column.

        Returns
        -------
        row (c,), baselines (k, c), owners (c,): -1 where row and baselines are equal
        """


@dataclass(frozen=True)
class Traits:
    """
    What planning and the engine must know of a perturbation: nobody asks for its type.

    The defaults are those of rows that are masked one by one, each mask in one model input.

    Attributes
    ----------
    n_fitted
        How many features all rows have that are fitted on the same draws, by equations that so
        many draws must determine; 0: each row sees to its own, or there are none to solve.
    most_features
        A row with more features than this is not explained; None: no limit.
    has_baselines
        Whether rows get baselines once the model has answered (``Split.with_baselines``).
    copies, most_asked
        As of ``Split``.
    needs_foil
        Whether the baseline is of the class that a row is explained against: it must be one class.
    can_refine
        Whether rows can be explained roughly first, and then only where it matters.
    needs_secret
        Whether a secret of the run is wanted (``Perturbation.salted``).
    no_closed_form, no_path, no_slope
        Why weights cannot be read off the leaves of a model, why no path leads from a baseline to a
        row, or why a feature has no slope; None: it is so.
    drawn
        Whether the baselines of a row are a sample, so that their mean has an error.
    maps, units
        Whether a layer's map lies over a row; whether features are units of one, that none lacks.
    pools
        Shared pools of draws: one for each combination of values that rows keep as their own.
    """

    n_fitted: int = 0
    most_features: int | None = None
    has_baselines: bool = False
    copies: int = 1
    most_asked: int = 0
    needs_foil: bool = False
    can_refine: bool = False
    needs_secret: bool = False
    no_closed_form: str | None = "is for tables"
    no_path: str | None = "follows paths of numbers, and these features are none"
    no_slope: str | None = None
    drawn: bool = False
    maps: bool = False
    units: bool = False
    pools: int = 1

    @property
    def fixed_inputs(self) -> int:
        """Model inputs of a row whatever the samples: itself, its baselines, and finding them."""
        return 1 + (self.most_asked + self.copies if self.has_baselines else 0)


@dataclass(frozen=True)
class Wants:
    """
    What a method wants of the perturbation of its rows; the modality that opens one reads it.

    Attributes
    ----------
    draws
        Draws that all rows can share (``Perturbation.draws``); else masks of each row.
    discretizer
        How numbers become bins in such draws.
    refine
        Explain only the features inside so many parts of a row, the strongest, which needs
        ``Traits.can_refine``; None: all features.
    every
        Explain features that equal the baseline too: slopes do not vanish there.
    deals
        Of many baselines a mask is asked on one, unless all masks are asked; else on each.
    """

    draws: bool = False
    discretizer: str = "none"
    refine: int | None = None
    every: bool = False
    deals: bool = False


class Perturbation(Protocol):
    """
    How rows are split into features, and perturbed.

    One that shows nothing in secret borrows ``salted = unsalted``; one that masks rows one by one
    has no ``draws``.
    """

    @property
    def traits(self) -> Traits:
        """What planning and the engine must know of it."""

    @property
    def draws(self) -> "Sampler | None":
        """The same perturbation, where one pool of its draws can serve all rows; else None."""

    @property
    def weight_columns(self) -> tuple[str, ...]:
        """Further columns of weights.csv (``FeatureLabels.columns``)."""

    @property
    def stability_columns(self) -> tuple[str, ...]:
        """Further columns of stability.csv (``FeatureLabels.row_columns``)."""

    def split(self, batch: Any) -> Split:
        """Split aligned rows into features."""

    def salted(self, secret: str) -> Self:
        """Return the perturbation with the secret of the run in place of one that nobody gave."""


PerturbationT = TypeVar("PerturbationT")


def unsalted(perturbation: PerturbationT, _secret: str) -> PerturbationT:
    """Return a perturbation that has no use for a secret."""
    return perturbation


Inclusion: TypeAlias = Literal["uniform-size", "bernoulli"]
"""How masks include features: ``uniform-size``: every number of them equally often;
``bernoulli``: each with probability 1/2, independently."""


class Masker(Perturbation, Protocol):
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
    parts : (n, m) int
        In which equally likely part of its bin a number is, else 0; (0, m) where one has no bins.
    """

    codes: Any
    positions: FloatArray
    parts: Any


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
    columns : dict of (b, n) arrays
        What else is known of each feature, for the columns of the weights.
    """

    codes: IntArray
    positions: FloatArray
    values: tuple[tuple[Any, ...], ...]
    inputs: Any
    keys: tuple[bytes, ...]
    names: tuple[str, ...]
    columns: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)
    pool_of: IntArray | None = None

    copies: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0
    subset: ClassVar[Subset | None] = None
    inputs_repeat: ClassVar[bool] = False
    empty: ClassVar[Mapping[int, str]] = NOT_EMPTY

    read_to = read_whole
    refined = not_refined
    with_baselines = without_baselines
    judged = not_judged

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
            columns={name: known[chosen] for name, known in self.columns.items()},
            pool_of=None if self.pool_of is None else self.pool_of[chosen],
        )

    def shown(self) -> FeatureLabels:
        """Return names, values, and what else is known of each feature."""
        values = np.empty((len(self), len(self.names)), dtype=object)
        values[:] = [list(v) for v in self.values]
        names = np.array(self.names, dtype=object)
        return FeatureLabels(np.broadcast_to(names, values.shape), values, self.columns)


class Sampler(Perturbation, Protocol):
    """How absent features of tables are drawn, and how a draw compares with a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, n of them."""

    @property
    def frequencies(self) -> tuple[FloatArray, ...]:
        """Of each feature the frequency of each code; empty for a feature without bins."""

    @property
    def levels(self) -> tuple[int, ...]:
        """Of each feature the number of its codes."""

    @property
    def binned(self) -> bool:
        """Whether every feature has bins or categories."""

    @property
    def owners(self) -> tuple[int, ...]:
        """The feature that each column of a row belongs to; -1 for one that stays its own."""

    def draw(
        self, count: int, keys: Sequence[tuple[int, ...]], row: Any = None
    ) -> tuple[Draw, Any]:
        """Draw *count* rows for each of *keys*, around *row* if given; inputs of every pool."""

    def contrast(self, draw: Draw, block: Block, row: int) -> tuple[Any, Any]:
        """Return coordinates (n, m) of the draws as row *row* sees them, and squared distances."""

    def interval(
        self, feature: int, lower: FloatArray, upper: FloatArray, missing: BoolArray
    ) -> FloatArray:
        """Return P(lower < x <= upper | code), (e, codes), for e intervals on a feature."""
