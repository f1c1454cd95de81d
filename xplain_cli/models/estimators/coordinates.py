"""Reads the steps before a model as numbers that a straight path can follow, and as stages.

A column of numbers is one coordinate. One of categories becomes the coordinates that its encoder
makes of it (a one-hot column each), between which the path runs straight. What scalers, PCA and the
like make of the coordinates is a matrix and a shift, read off their own answers; powers and
products are stages of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import UnableError
from xplain_cli.models.estimators.chains import Affine, Chain, Stage, joined, together
from xplain_cli.models.estimators.columns import chosen_columns, steps_of
from xplain_cli.models.estimators.smooth_steps import smooth_stages

_AFFINE = frozenset({
    "FactorAnalysis",
    "FastICA",
    "GaussianRandomProjection",
    "GenericUnivariateSelect",
    "IncrementalPCA",
    "LinearDiscriminantAnalysis",
    "MaxAbsScaler",
    "MinMaxScaler",
    "PCA",
    "RFE",
    "RFECV",
    "RobustScaler",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "SequentialFeatureSelector",
    "SparseRandomProjection",
    "StandardScaler",
    "TruncatedSVD",
    "VarianceThreshold",
})
_ENCODERS = frozenset({
    "KNNImputer",
    "OneHotEncoder",
    "OrdinalEncoder",
    "SimpleImputer",
    "TargetEncoder",
})
"""What makes numbers of cells before the path begins: a category, a missing cell."""

_ROUNDING = 1e-9
_PROBES = 4


@dataclass(frozen=True)
class Coordinates:
    """
    What some steps make of the columns of a batch.

    Attributes
    ----------
    enter
        Of the batch as the first step takes it: the coordinates (m, d).
    owners
        Of each coordinate the column that it comes from.
    stages
        What the steps make of coordinates; none where they hand them on as they are.
    """

    enter: Callable[[Any], FloatArray]
    owners: tuple[int, ...]
    stages: tuple[Stage, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers the steps make."""
        with np.errstate(all="ignore"):  # only how many come out is asked
            return len(Chain(self.stages).scores(np.ones((1, len(self.owners))))[0])

    def then(self, stages: Sequence[Stage]) -> "Coordinates":
        """Return what further stages make of the numbers."""
        return replace(self, stages=joined([*self.stages, *stages]))


@dataclass(frozen=True)
class Numbers:
    """Some columns of a batch as numbers."""

    places: tuple[int, ...]

    def __call__(self, batch: Any) -> FloatArray:
        """Return the numbers (m, d)."""
        return np.asarray(_columns(batch, self.places), dtype=np.float64)


@dataclass(frozen=True)
class _Encoded:
    """Some columns of a batch as an encoder, or several one after the other, makes numbers."""

    places: tuple[int, ...]
    steps: tuple[Any, ...]

    def __call__(self, batch: Any) -> FloatArray:
        cells = _columns(batch, self.places)
        for step in self.steps:
            cells = step.transform(cells)
        return _dense(cells)


@dataclass(frozen=True)
class _Together:
    """Coordinates of several parts side by side."""

    parts: tuple[Callable[[Any], FloatArray], ...]

    def __call__(self, batch: Any) -> FloatArray:
        return np.hstack([part(batch) for part in self.parts])


def _columns(batch: Any, places: Sequence[int]) -> Any:
    if isinstance(batch, pd.DataFrame):
        return batch.iloc[:, list(places)]
    return np.asarray(batch)[:, list(places)]


def _dense(made: Any) -> FloatArray:
    whole = made.toarray() if hasattr(made, "toarray") else made
    return np.asarray(whole, dtype=np.float64)


def _transformed(step: Any, values: FloatArray) -> FloatArray:
    names = getattr(step, "feature_names_in_", None)
    table = values if names is None else pd.DataFrame(values, columns=list(names))
    return _dense(step.transform(table))


def _affine(step: Any, coordinates: Coordinates) -> Coordinates:
    """
    Return what an affine step makes, by its answers at 0 and at the unit rows.

    Raises
    ------
    UnableError
        Its answers elsewhere are others.
    """
    d = coordinates.width
    shift = _transformed(step, np.zeros((1, d)))[0]
    matrix = _transformed(step, np.eye(d)) - shift
    probes = np.random.default_rng(0).normal(size=(_PROBES, d)) * 3
    made = _transformed(step, probes)
    size = max(1.0, float(np.abs(made).max(initial=0)))
    if not np.abs(made - probes @ matrix - shift).max(initial=0) <= _ROUNDING * size:
        raise UnableError(
            f"follows steps that are matrices, and this {type(step).__name__} is none"
        )
    return coordinates.then([Affine(matrix, shift)])


def _kept_owners(step: Any, owners: Sequence[int], width: int) -> tuple[int, ...]:
    """Return from which column each number of an encoder comes."""
    name = type(step).__name__
    if name == "OneHotEncoder":
        counts = _one_hot_counts(step)
        return tuple(o for o, count in zip(owners, counts, strict=True) for _ in range(count))
    if width == len(owners):
        return tuple(owners)
    raise UnableError(f"cannot tell from which column each number of {name} comes")


def _one_hot_counts(step: Any) -> list[int]:
    """Return into how many columns each column goes."""
    return [int(count) for count in step._n_features_outs]  # noqa: SLF001 - no public way


def _encoded(steps: Sequence[Any], places: Sequence[int], owners: Sequence[int]) -> Coordinates:
    """Return the coordinates that encoders make of columns."""
    last = steps[-1]
    width = len(last.get_feature_names_out(getattr(last, "feature_names_in_", None)))
    kept = _kept_owners(last, owners, width)
    return Coordinates(_Encoded(tuple(places), tuple(steps)), kept)


def _is_plain(step: Any) -> bool:
    """Return whether a step hands on what it is given."""
    name = type(step).__name__
    return (
        step in {"passthrough", None}
        if isinstance(step, str) or step is None
        else (name == "FunctionTransformer" and step.func is None)
    )


def _of_steps(steps: Sequence[Any], places: Sequence[int], names: Sequence[str]) -> Coordinates:
    """Return what steps make of some columns: encoders first, then matrices."""
    encoders: list[Any] = []
    owners: Sequence[int] = tuple(places)
    found: Coordinates | None = None
    for step in steps:
        kind = type(step).__name__
        if _is_plain(step):
            continue
        if found is None and kind in _ENCODERS:
            encoders.append(step)
            owners = _encoded(encoders, places, owners).owners
            continue
        before = found or _begun(encoders, places, owners)
        if has_branches(step):
            found = _branched(step, before, names)
        elif kind in _AFFINE:
            found = _affine(step, before)
        elif (smooth := smooth_stages(step)) is not None:
            found = before.then(smooth)
        else:
            raise UnableError(
                f"follows scalers, PCA, one-hot and their like, and {kind} is none of them"
            )
    return found or _begun(encoders, places, owners)


def _begun(encoders: Sequence[Any], places: Sequence[int], owners: Sequence[int]) -> Coordinates:
    """Return the coordinates before any stage."""
    if encoders:
        return Coordinates(_Encoded(tuple(places), tuple(encoders)), tuple(owners))
    return Coordinates(Numbers(tuple(places)), tuple(places))


def has_branches(step: Any) -> bool:
    """Return whether a step is made of steps side by side."""
    return hasattr(step, "transformers_") or hasattr(step, "transformer_list")


def _branches(step: Any, names: Sequence[str]) -> list[tuple[list[Any], list[int]]]:
    """Return the branches of a column transformer or a union: steps, and the columns they see."""
    if hasattr(step, "transformers_"):
        seen = [(one, chosen_columns(asked, names)) for _, one, asked in step.transformers_]
    elif getattr(step, "transformer_weights", None):
        raise UnableError("follows unions without weights")
    else:
        seen = [(one, list(names)) for _, one in step.transformer_list]
    return [
        (steps if (steps := steps_of(one)) is not None else [one], [names.index(c) for c in chosen])
        for one, chosen in seen
        if chosen and not (isinstance(one, str) and one == "drop")
    ]


def _branched(step: Any, before: Coordinates, names: Sequence[str]) -> Coordinates:
    """Return what branches make, of the columns themselves or of the numbers made before."""
    plain = None if before.stages else numbers_of(before.enter)
    if plain is not None:  # nothing was made of the columns yet
        own = [names[i] for i in plain]
        parts = [(steps, [plain[i] for i in chosen]) for steps, chosen in _branches(step, own)]
        return _side_by_side(parts, names)
    made = [str(i) for i in range(before.width)]
    return behind(before, _side_by_side(_branches(step, made), made))


def behind(before: Coordinates, after: Coordinates) -> Coordinates:
    """
    Return what steps make of the numbers that others made.

    Raises
    ------
    UnableError
        The later steps encode cells.
    """
    places = numbers_of(after.enter)
    if places is None:
        raise UnableError("follows steps that encode cells first, and these encode once more")
    chosen = np.eye(before.width)[:, list(places)]
    return before.then([Affine(chosen, np.zeros(len(places))), *after.stages])


def numbers_of(enter: Any) -> list[int] | None:
    """Return the columns that are entered as the numbers they are; None: some are encoded."""
    if isinstance(enter, Numbers):
        return list(enter.places)
    if not isinstance(enter, _Together):
        return None
    parts = [numbers_of(part) for part in enter.parts]
    known = [part for part in parts if part is not None]
    return [i for part in known for i in part] if len(known) == len(parts) else None


def _side_by_side(
    branches: Sequence[tuple[list[Any], list[int]]], names: Sequence[str]
) -> Coordinates:
    """Return branches as one: their coordinates and their stages side by side."""
    parts = [_of_steps(steps, places, names) for steps, places in branches]
    if not parts:
        raise UnableError("follows columns, and none is left")
    return beside(parts)


def beside(parts: Sequence[Coordinates]) -> Coordinates:
    """Return coordinates side by side, and their stages."""
    chains = [(len(part.owners), Chain(part.stages)) for part in parts]
    return Coordinates(
        _Together(tuple(part.enter for part in parts)),
        tuple(owner for part in parts for owner in part.owners),
        together(chains),
    )


def coordinates_of(steps: Sequence[Any], names: Sequence[str]) -> Coordinates:
    """
    Return the coordinates of a batch, and what the steps before a model make of them.

    Parameters
    ----------
    steps
        Fitted transformers, in order.
    names
        The columns of the batch.

    Raises
    ------
    UnableError
        A step is no encoder of cells, no matrix, and none of the smooth steps.
    """
    return _of_steps(list(steps), list(range(len(names))), list(names))
