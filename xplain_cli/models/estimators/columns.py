"""Finds the columns that a fitted pipeline reads, and those it takes as categories or numbers."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from xplain_cli.errors import RefusedError
from xplain_cli.models.contract import Levels
from xplain_cli.models.pickles.object_graph import held_by

_MOST_COLUMNS = 1 << 22
_ENCODERS = frozenset({"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"})
_ANY_INPUT = frozenset({
    "CountVectorizer",
    "DictVectorizer",
    "DummyClassifier",
    "DummyRegressor",
    "FeatureHasher",
    "HashingVectorizer",
    "MissingIndicator",
    "TfidfVectorizer",
    "_ConstantPredictor",
})
"""What looks at no column's values, or at those of any kind."""

_NUMBERS_ONLY = frozenset({
    "ClassifierChain",
    "OneVsOneClassifier",
    "RANSACRegressor",
    "RFE",
    "RFECV",
    "RegressorChain",
    "SelfTrainingClassifier",
    "SequentialFeatureSelector",
})
"""Estimators around others that make numbers of all columns first, as they were fitted."""

_IMPUTERS = frozenset({"IterativeImputer", "KNNImputer", "SimpleImputer"})
_ANY_FILL = frozenset({"most_frequent", "constant"})


@dataclass(frozen=True)
class Kinds:
    """The columns that are surely categories, perhaps with these, and those surely numbers."""

    discrete: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()
    levels: Mapping[str, Levels] = field(default_factory=dict)

    def __or__(self, other: "Kinds") -> "Kinds":
        discrete = self.discrete | other.discrete
        levels = {**self.levels, **other.levels}
        levels |= {c: one for c, one in self.levels.items() if one.strict}
        return Kinds(discrete, (self.numeric | other.numeric) - discrete, levels)


_CHOSEN = frozenset({"base_estimator", "estimator", "estimators"})
_WRAPPERS = {
    "FixedThresholdClassifier": "estimator_",
    "FrozenEstimator": "estimator",
    "TunedThresholdClassifierCV": "estimator_",
}


def inner(estimator: Any) -> Any:
    """Return the fitted model inside searches, thresholds and frozen wrappers."""
    name = _WRAPPERS.get(type(estimator).__name__, "best_estimator_")
    found = getattr(estimator, name, None)
    return estimator if found is None else inner(found)


def moves_threshold(estimator: Any) -> bool:
    """Tell whether a wrapper decides at another threshold than the model inside it."""
    name = type(estimator).__name__
    if name.endswith(("ThresholdClassifier", "ThresholdClassifierCV")):
        return True
    steps = steps_of(estimator)
    held = getattr(estimator, _WRAPPERS.get(name, "best_estimator_"), None)
    nested = steps[-1] if steps else held
    return nested is not None and moves_threshold(nested)


def members(estimator: Any) -> list[Any]:
    """Return the fitted models that are handed the same columns as the one that holds them."""
    if hasattr(estimator, "calibrated_classifiers_"):
        return [one.estimator for one in estimator.calibrated_classifiers_]
    if hasattr(estimator, "regressor_"):
        return [estimator.regressor_]
    together = hasattr(estimator, "named_estimators_")
    if together or type(estimator).__name__.startswith("MultiOutput"):
        return list(estimator.estimators_)
    return _held(estimator) if holds_estimators(estimator) else []


def holds_estimators(estimator: Any) -> bool:
    """Return whether it is built around estimators that its user chose: forests are not."""
    if not hasattr(estimator, "estimators_") and not hasattr(estimator, "estimator_"):
        return False
    try:
        return bool(_CHOSEN & set(estimator.get_params(deep=False)))
    except (AttributeError, TypeError, RuntimeError):  # no scikit-learn estimator: nobody knows
        return not type(estimator).__module__.startswith("sklearn.")


def _held(estimator: Any) -> list[Any]:
    """Return the fitted models inside that see all columns of the one that holds them, as it is."""
    if _subsets(estimator):
        return []  # each sees columns of its own
    found = getattr(estimator, "estimators_", None)
    found = [estimator.estimator_] if found is None else found
    names, width = fitted_names(estimator), fitted_width(estimator)
    parts = [one for one in found if fitted_width(one) is not None]
    same = [(fitted_names(one) or names) == names and fitted_width(one) == width for one in parts]
    return parts if all(same) else []


def _subsets(estimator: Any) -> list[tuple[Any, list[int]]]:
    """Return the models inside that see some of the columns each, and which; bagging does that."""
    places = [list(map(int, one)) for one in getattr(estimator, "estimators_features_", ())]
    whole = list(range(fitted_width(estimator) or 0))
    if all(one == whole for one in places):
        return []
    return list(zip(estimator.estimators_, places, strict=True))


def steps_of(estimator: Any) -> list[Any] | None:
    """Return the fitted steps of a pipeline, without those that pass all through; else None."""
    steps = getattr(estimator, "steps", None)
    if not isinstance(steps, list):
        return None
    return [step for _, step in steps if step is not None and not isinstance(step, str)]


def takes_texts(estimator: Any) -> bool:
    """Return whether a fitted pipeline begins with words, so that it is handed texts, no tables."""
    estimator = inner(estimator)
    steps, parallel = steps_of(estimator), _parallel(estimator)
    if steps:
        return takes_texts(steps[0])
    if parallel:
        return any(map(takes_texts, parallel))
    return bool(
        {"CountVectorizer", "HashingVectorizer"} & {c.__name__ for c in type(estimator).__mro__}
    )


def check_term_columns(root: Any) -> None:
    """
    Refuse vectorisers that count words in columns which they do not have.

    scikit-learn does not check it: such counts are written beside the memory of a matrix.

    Raises
    ------
    RefusedError
        A vectoriser anywhere in a model numbers its words like that, or has no column at all.
    """
    for step in held_by(root):
        name, words = type(step).__name__, getattr(step, "vocabulary_", None)
        if name == "HashingVectorizer" and min(_ends([step.n_features]), default=1) < 1:
            raise RefusedError(f"{name} has n_features={step.n_features}; store it with 1 or more")
        if not isinstance(words, Mapping) or not hasattr(step, "build_analyzer"):
            continue
        odd = [at for at in _ends(words.values()) if not 0 <= at < len(words)]
        if odd:
            raise RefusedError(
                f"{name} puts a word into column {odd[0]} of {len(words)} (0 to {len(words) - 1});"
                " number the words of its vocabulary_ without gaps, fit what stands behind it on"
                " that, then store it again"
            )


def _ends(numbers: Collection[Any]) -> tuple[int, ...]:
    """Return the least and the largest of whole numbers; none where scikit-learn refuses one."""
    try:
        return (min(map(int, numbers)), max(map(int, numbers))) if numbers else ()
    except (TypeError, ValueError, OverflowError):
        return ()


def handed_on(estimator: Any) -> list[Any]:
    """Return the fitted models inside another that are handed its columns as they are."""
    nested, steps = inner(estimator), steps_of(estimator)
    if nested is not estimator:
        return [nested]
    if steps is not None:
        return steps if len(steps) == 1 else []
    return members(estimator)


def fitted_names(estimator: Any) -> tuple[str, ...] | None:
    """Return the names of the columns that it was fitted with, in order; None: a bare array."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:  # CatBoost has its own spelling, and numbers columns without names
        names = getattr(estimator, "feature_names_", None)
        names = None if names == [str(i) for i in range(len(names or []))] else names
    if names is not None:
        return tuple(map(str, names))
    nested = inner(estimator)
    if nested is not estimator:
        return fitted_names(nested)
    steps = steps_of(estimator)
    return fitted_names(steps[0]) if steps else None


def fitted_width(estimator: Any) -> int | None:
    """
    Return how many columns it was fitted with; None: unknown.

    Raises
    ------
    RefusedError
        It states more than any table has: they would be named one by one.
    """
    try:
        # CatBoost forgets its width when stored, and keeps its names
        width = int(estimator.n_features_in_) or len(estimator.feature_names_)
    except (AttributeError, TypeError, ValueError, OverflowError):
        nested = inner(estimator)
        if nested is not estimator:
            return fitted_width(nested)
        steps = steps_of(estimator)
        return fitted_width(steps[0]) if steps else None
    if width > _MOST_COLUMNS:
        raise RefusedError(
            f"states that it was fitted on {width} columns; store the model again as it was fitted"
        )
    return width


def chosen_columns(asked: Any, columns: Sequence[str]) -> list[str]:
    """Return the columns that a ColumnTransformer's selection names."""
    if isinstance(asked, str):
        return [asked]
    if isinstance(asked, slice) and isinstance(asked.start or asked.stop, str):
        first = list(columns).index(asked.start) if asked.start is not None else 0
        last = list(columns).index(asked.stop) if asked.stop is not None else len(columns) - 1
        return list(columns[first : last + 1])
    if isinstance(asked, slice):
        return list(columns[asked])
    picked = np.atleast_1d(np.asarray(asked, dtype=object)).tolist()
    if len(picked) == len(columns) and all(isinstance(one, bool) for one in picked):
        return [name for name, kept in zip(columns, picked, strict=True) if kept]
    return [one if isinstance(one, str) else columns[int(one)] for one in picked]


def _of_transformer(transformer: Any, columns: Sequence[str]) -> Kinds:
    kinds = Kinds()
    for _, one, asked in transformer.transformers_:
        chosen = chosen_columns(asked, columns)
        if not isinstance(one, str):
            kinds |= column_kinds(one, chosen)
    return kinds


def _of_model(estimator: Any, columns: Sequence[str]) -> Kinds:
    """Return the kinds of a model's own input: numbers, but for boosting's categories."""
    flags = getattr(estimator, "is_categorical_", None)
    if flags is None:
        return Kinds(numeric=frozenset(columns))
    discrete = [name for name, flag in zip(columns, flags, strict=False) if flag]
    levels: dict[str, Levels] = {}
    for name, encoder, _ in getattr(getattr(estimator, "_preprocessor", None), "transformers_", ()):
        if name == "encoder":  # what it does not know counts as missing
            levels = _levels(encoder, discrete)
    return Kinds(frozenset(discrete), frozenset(columns) - frozenset(discrete), levels)


def _same_columns(step: Any) -> bool | None:
    """Return True if a step hands its columns on, None if it also shows that they are numbers."""
    name = type(step).__name__
    if name == "FunctionTransformer":
        numbers = isinstance(step.func, np.ufunc) or step.validate
        return None if numbers else step.func is None
    if name not in _IMPUTERS:
        return False
    return True if getattr(step, "strategy", "mean") in _ANY_FILL else None


def _of_steps(steps: Sequence[Any], columns: Sequence[str]) -> Kinds:
    """Return the kinds that the first step which cares about them shows."""
    replaced = False
    for at, step in enumerate(steps):
        same = _same_columns(step)
        if same is None:
            return Kinds(numeric=frozenset(columns))
        if same:  # an imputer of "?" changes words before an encoder sees them
            replaced |= isinstance(getattr(step, "missing_values", None), str)
            continue
        kinds = column_kinds(step, columns)
        if hasattr(step, "transformers_") and _numbers_wanted(steps[at + 1 :]):
            kinds |= Kinds(numeric=_passed_on(step, columns))
        return replace(kinds, levels={}) if replaced else kinds
    return Kinds()


def _numbers_wanted(steps: Sequence[Any]) -> bool:
    """Return whether steps are known to take nothing but numbers."""
    if not steps:
        return True
    last = steps[-1]
    if hasattr(last, "get_cat_feature_indices"):  # CatBoost
        return not last.get_cat_feature_indices() and not last.get_text_feature_indices()
    if hasattr(last, "booster_"):  # LightGBM
        return not last.booster_.pandas_categorical
    if hasattr(last, "get_booster"):  # XGBoost
        return "c" not in (last.get_booster().feature_types or ())
    names = list(map(str, range(fitted_width(steps[0]) or 1)))
    return _of_steps(steps, names).numeric == frozenset(names)


def _passed_on(transformer: Any, columns: Sequence[str]) -> frozenset[str]:
    """Return the columns that reach the model as they are, where only a number can be used."""
    passed: set[str] = set()
    for _, one, asked in transformer.transformers_:
        plain = type(one).__name__ == "FunctionTransformer" and one.func is None
        if plain or (isinstance(one, str) and one == "passthrough"):
            passed.update(chosen_columns(asked, columns))
    return frozenset(passed)


def _parallel(estimator: Any) -> list[Any] | None:
    """Return the parts that see the same columns side by side, or None."""
    union = getattr(estimator, "transformer_list", None)
    if union is not None:
        return [one for _, one in union if not isinstance(one, str)]
    return members(estimator) or None


def _levels(encoder: Any, columns: Sequence[str]) -> dict[str, Levels]:
    """Return the categories that an encoder was fitted with."""
    strict = getattr(encoder, "handle_unknown", None) == "error"
    levels = {}
    for column, known in zip(columns, getattr(encoder, "categories_", ()), strict=False):
        values = known.tolist()
        none = None in values and not any(v != v for v in values)  # noqa: PLR0124 - NaN
        kept = tuple(v for v in values if v is not None and v == v)  # noqa: PLR0124 - NaN
        levels[column] = Levels(kept, strict=strict, missing=None if none else math.nan)
    return levels


def _of_one(estimator: Any, columns: Sequence[str]) -> Kinds:
    """Return the kinds that a lone transformer or model shows."""
    name = type(estimator).__name__
    if name in _ENCODERS:
        return Kinds(discrete=frozenset(columns), levels=_levels(estimator, columns))
    if name in _ANY_INPUT or not type(estimator).__module__.startswith("sklearn."):
        return Kinds()
    if name not in _NUMBERS_ONLY and holds_estimators(estimator):
        return Kinds()  # what is inside says nothing of these columns
    if name == "FunctionTransformer" and _same_columns(estimator) is False:
        return Kinds()  # a function of the team's own
    return Kinds() if _same_columns(estimator) else _of_model(estimator, columns)


def _of_parts(parts: Iterable[tuple[Any, Sequence[str]]]) -> Kinds:
    """Return what models side by side show of the columns that each sees."""
    kinds = Kinds()
    for one, columns in parts:
        kinds |= column_kinds(one, columns)
    return kinds


def column_kinds(estimator: Any, columns: Sequence[str]) -> Kinds:
    """
    Walk a fitted estimator down to the encoders and scalers that show what each column is.

    Parameters
    ----------
    estimator
        A fitted model, pipeline, column transformer or transformer.
    columns
        The names of its input columns, in order.
    """
    estimator = inner(estimator)
    steps, parallel = steps_of(estimator), _parallel(estimator)
    if steps is not None:
        return _of_steps(steps, columns)
    if parallel is not None:
        return _of_parts((one, columns) for one in parallel)
    if holds_estimators(estimator) and (subsets := _subsets(estimator)):
        return _of_parts((one, [columns[i] for i in places]) for one, places in subsets)
    if hasattr(estimator, "transformers_"):
        return _of_transformer(estimator, columns)
    return _of_one(estimator, columns)
