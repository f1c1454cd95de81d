"""The values that flow between rooms: Attribution, Records, Rows, and the columns of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

WEIGHT_COLUMNS = (
    "run_id",
    "row_id",
    "target",
    "rank",
    "feature_index",
    "feature",
    "feature_value",
    "weight",
    "std_error",
    "ci_low",
    "ci_high",
    "std_over_seeds",
    "sign_probability",
    "top_k_probability",
)
"""Columns of weights.csv: a line per (row, target, feature); kept columns follow."""

STABILITY_COLUMNS = (
    "run_id",
    "row_id",
    "row",
    "target_spec",
    "target",
    "method",
    "output_scale",
    "prediction",
    "base_value",
    "baseline",
    "baseline_distance",
    "local_r2",
    "residual",
    "attribution_error",
    "n_repeats",
    "n_samples",
    "n_model_inputs",
    "max_rel_se",
    "topk_jaccard",
    "kendall_tau",
    "sign_flip_rate",
    "sign_probability",
    "locality",
    "effective_share",
    "n_omitted",
    "weight_omitted",
    "precision",
    "fidelity",
    "status",
    "error",
    "same_decision",
    "size_omitted",
    "converged",
)
"""Columns of stability.csv: a line per (row, target); kept columns follow."""


def add_up(parts: FloatArray) -> FloatArray:
    """
    Sum over the first axis, one part after the other.

    The order of numpy's own sum depends on the shape, so that the last digits of a row would
    depend on how many rows stand beside it.
    """
    total = np.zeros(parts.shape[1:])
    for part in parts:
        total += part
    return total


@dataclass(frozen=True)
class CodedWords:
    """
    Cells as their places among distinct ones, so that each of these is looked at once.

    Attributes
    ----------
    places : int array of any shape
        -1 where nothing is said.
    words : list
        The distinct cells.
    """

    places: IntArray
    words: list[Any]

    def __getitem__(self, at: Any) -> "CodedWords":
        """Return some of the cells, chosen as of an array."""
        return CodedWords(self.places[at], self.words)

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return len(self.places)

    def objects(self) -> Any:
        """Return the cells themselves, as an array of objects; None where nothing is said."""
        cells = np.empty(len(self.words) + 1, dtype=object)
        cells[:-1] = self.words
        return cells[self.places]


def words_of(cells: Any) -> Any:
    """Return an array of objects as ``CodedWords`` where all are texts, or all whole numbers."""
    if cells.ndim > 1 and len(cells) and cells.strides[0] == 0:  # one line stands for all
        found = words_of(cells[0])
        if isinstance(found, CodedWords):
            return CodedWords(np.broadcast_to(found.places, cells.shape), found.words)
        return cells
    values = cells.ravel().tolist()
    if set(map(type, values)) not in ({str}, {int}):
        return cells
    known = {word: place for place, word in enumerate(dict.fromkeys(values))}
    places = np.fromiter(map(known.__getitem__, values), np.int64, len(values))
    return CodedWords(places.reshape(cells.shape), list(known))


def coded(words: "CodedWords") -> Any:
    """
    Return cells as a column that holds their places: no later step looks at each of them again.

    Where pandas takes some for the same that are not, or one is missing, they are objects.
    """
    try:
        if words.places.min(initial=0) < 0:
            return words.objects()
        index = np.empty(len(words.words), dtype=object)
        index[:] = words.words
        kinds = pd.CategoricalDtype(pd.Index(index, dtype=object))
    except ValueError:  # as of distinct_words
        return words.objects()
    return pd.Categorical.from_codes(words.places, dtype=kinds, validate=False)


def joined_cells(parts: Sequence[Any]) -> Any:
    """Join columns of consecutive pieces, arrays or words."""
    if not all(isinstance(part, CodedWords) for part in parts):
        return np.concatenate([
            part.objects() if isinstance(part, CodedWords) else np.asarray(part) for part in parts
        ])
    known: dict[Any, int] = {}
    moved = []
    for part in parts:
        new = [known.setdefault(word, len(known)) for word in part.words]
        moved.append(np.array([*new, -1], dtype=np.int64)[part.places])
    return CodedWords(np.concatenate(moved), list(known))


def distinct_words(column: "pd.Series[Any]") -> tuple[IntArray, list[str]]:
    """
    Return the place of each text of a column among the distinct ones, and these.

    They stand in order of their first appearance, but those of a coded column (see ``coded``) in
    its own order, with such as no cell holds.

    ``pandas.factorize`` takes a lone surrogate for the same as the text that spells it, and before
    pandas 3 texts for the same that part behind a NUL; Arrow's texts hold no surrogate.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes: IntArray = column.cat.codes.to_numpy().astype(np.int64)
        return codes, column.dtype.categories.tolist()
    if column.dtype != object:
        places, words = pd.factorize(column.array)
        return places.astype(np.int64), list(words.tolist())
    values = column.tolist()
    known = {word: place for place, word in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(known.__getitem__, values), np.int64, len(values)), list(known)


@dataclass(frozen=True)
class Attribution:
    """
    What a method says of b rows with k targets and n features.

    Attributes
    ----------
    weights : (b, k, n)
        The weight of each feature on the target, all repeats pooled.
    base : (b, k)
        The surrogate's value when every feature is absent (the intercept).
    error_factors : (s, b, k, n)
        Error factors: the covariance of ``weights[i, t]`` is the sum over s of the outer products
        of ``factors[:, i, t]``. Empty (s = 0) where the answer is exact.
    own_error : (b, k, n)
        A further error of features whose weight rests on the row itself alone; else 0.
    degrees : float
        Degrees of freedom of the errors; ``inf`` where they are known.
    repeats : (r, b, k, n)
        Each repeat's own weights; empty (r = 0) where the answer is exact.
    local_r2 : (b, k)
        Weighted R^2 of the surrogate on draws that it was not fitted on; NaN for a constant model.
    locality : (b, k)
        Share of the weights that the features' own bins alone determine; NaN where undefined.
    effective_share : (b,)
        Effective share of the draws, (sum w)^2 / (m sum w^2), in (0, 1].
    selected : (b, k, n) bool
        The features that the surrogate uses; the others have weight 0.
    n_repeats : int
        Independent repeats.
    n_samples : int or (b, k) int
        Draws in each of them; of integrals, nodes on the paths of each row and target.
    n_inputs : (b,) int
        Model inputs that each row caused, its own prediction aside; a shared pool counts nothing.
    exact : bool
        True for a closed form or an enumeration: no sampling error.
    sums : bool
        Whether base and weights together stand for the model's answer; else they say nothing of it.
    whole : Attribution, optional
        Where features were selected: the fit of all of them, which says what a rerun would select.
    limit : int, optional
        Where features were selected: at most how many.
    quadrature_error : (b, k, n), optional
        Where weights are integrals along a path: how far off each may be.
    converged : (b, k), optional
        1 where they are integrated as well as was asked, 0 where not.
    quadrature : (b, k) object, optional
        In which way they were integrated.
    maps : (b, k, h, w), optional
        The weights before they were added up over features, as maps that lie over pictures.
    rectified_error : (b, k), optional
        The attribution error of the map whose parts below 0 are left out, as some draw it.
    """

    weights: FloatArray
    base: FloatArray
    error_factors: FloatArray
    own_error: FloatArray
    degrees: float
    repeats: FloatArray
    local_r2: FloatArray
    locality: FloatArray
    effective_share: FloatArray
    selected: BoolArray
    n_repeats: int
    n_samples: int | IntArray
    n_inputs: IntArray
    exact: bool = False
    sums: bool = True
    whole: "Attribution | None" = None
    limit: int | None = None
    quadrature_error: FloatArray | None = None
    converged: FloatArray | None = None
    quadrature: Any = None
    maps: FloatArray | None = None
    rectified_error: FloatArray | None = None


def exact_attribution(
    weights: FloatArray,
    base: FloatArray,
    *,
    samples: int | IntArray,
    asked: IntArray,
    sums: bool = True,
) -> Attribution:
    """
    Return what a method says that has no sampling error and fits no surrogate.

    Parameters
    ----------
    weights : (b, k, n)
    base : (b, k)
    samples
        Masks on which each row was asked; see ``Attribution.n_samples``.
    asked : (b,)
        Model inputs that each row caused.
    sums
        As of ``Attribution``.
    """
    none = np.empty((0, *weights.shape))
    return Attribution(
        weights=weights,
        base=base,
        error_factors=none,
        own_error=np.zeros(weights.shape),
        degrees=np.inf,
        repeats=none,
        local_r2=np.full(base.shape, np.nan),
        locality=np.full(base.shape, np.nan),
        effective_share=np.ones(len(weights)),
        selected=np.ones(weights.shape, dtype=bool),
        n_repeats=1,
        n_samples=samples,
        n_inputs=asked,
        exact=True,
        sums=sums,
    )


@dataclass(frozen=True)
class Records:
    """
    What one chunk of rows yields, unescaped and in full: the content of a part.

    Attributes
    ----------
    weights : DataFrame
        ``WEIGHT_COLUMNS`` and the kept columns, a line per (row, target, feature), lines of one
        (row, target) together and by ascending ``rank``. Missing numbers are NaN.
    stability : DataFrame
        ``STABILITY_COLUMNS`` and the kept columns, a line per (row, target), rows in input order.
        A failed row has one line, with ``status`` "failed" and the reason in ``error``. One in
        which there is nothing to explain is "empty": its base is the prediction, its weights are 0.
        ``n_omitted``, ``weight_omitted`` and ``size_omitted`` are 0 here; rendering fills them.
    lines : (len(stability),) int
        How many lines of ``weights`` belong to each line of ``stability``, in the same order.
    repeats : dict of arrays
        Each repeat's weights when ``--write-repeats`` asks for them, else empty: "weights"
        (r, lines of weights).
    maps : (len(stability), h, w), optional
        Of pictures, weights before they were added up over features; NaN of rows without any.
    """

    weights: pd.DataFrame
    stability: pd.DataFrame
    lines: IntArray
    repeats: dict[str, FloatArray]
    maps: FloatArray | None = None


MOST_CELLS = 64
"""Cells of a side of a map that is kept."""


def coarser(maps: FloatArray) -> FloatArray:
    """Return maps (m, h, w) of at most 64 cells a side: whole cells are added up."""
    for axis in (1, 2):
        length = maps.shape[axis]
        starts = np.unique(np.arange(MOST_CELLS) * length // MOST_CELLS)
        if length > MOST_CELLS:
            maps = np.add.reduceat(maps, starts, axis=axis)
    return maps


def _joined_maps(parts: Sequence[Records]) -> FloatArray | None:
    """Join the maps of consecutive pieces of a chunk; None where sizes differ."""
    known = [part.maps for part in parts if part.maps is not None]
    if not known or len({one.shape[1:] for one in known}) > 1:
        return None
    shape = known[0].shape[1:]
    return np.concatenate([
        np.full((len(part.stability), *shape), np.nan) if part.maps is None else part.maps
        for part in parts
    ])


def side_by_side(parts: Sequence[FloatArray]) -> FloatArray:
    """Join each repeat's weights (r, lines); exact rows have no repeats, and NaN here."""
    most = max(map(len, parts), default=0)
    return np.concatenate(
        [np.pad(p, ((0, most - len(p)), (0, 0)), constant_values=np.nan) for p in parts]
        or [np.empty((0, 0))],
        axis=1,
    )


def join_records(parts: Sequence[Records]) -> Records:
    """Join the records of consecutive pieces of a chunk into those of the chunk."""
    if len(parts) == 1:
        return parts[0]
    weights = [part.weights for part in parts if len(part.weights)]
    repeats = [part.repeats["weights"] for part in parts if "weights" in part.repeats]
    return Records(
        weights=pd.concat(weights, ignore_index=True) if weights else parts[0].weights,
        stability=pd.concat([part.stability for part in parts], ignore_index=True),
        lines=np.concatenate([part.lines for part in parts]),
        repeats={"weights": side_by_side(repeats)} if repeats else {},
        maps=_joined_maps(parts),
    )


def rows_between(records: Records, start: int, stop: int | None) -> Records:
    """Return the records of rows *start* to *stop* (None: to the end), their numbers in DATA."""
    row = records.stability["row"].to_numpy()
    low = int(np.searchsorted(row, start))
    high = len(row) if stop is None else int(np.searchsorted(row, stop))
    if (low, high) == (0, len(row)):
        return records
    ends = np.concatenate([[0], np.cumsum(records.lines)])
    first, last = int(ends[low]), int(ends[high])
    return Records(
        weights=records.weights.iloc[first:last].reset_index(drop=True),
        stability=records.stability.iloc[low:high].reset_index(drop=True),
        lines=records.lines[low:high],
        repeats={name: array[:, first:last] for name, array in records.repeats.items()},
        maps=None if records.maps is None else records.maps[low:high],
    )


@dataclass(frozen=True)
class Rows:
    """
    The rows of a chunk as the user knows them.

    Attributes
    ----------
    start : number in DATA of the chunk's first row
    ids : row ids, one a row
    kept : the ``--keep`` columns
    unread : the reason of each row that cannot be read, by its place in the chunk
    """

    start: int
    ids: Sequence[Any]
    kept: pd.DataFrame
    unread: Mapping[int, str] = field(default_factory=dict)
