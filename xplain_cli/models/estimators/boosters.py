"""Boosted models of XGBoost, LightGBM and CatBoost: bare or wrapped, with their own categories."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Levels
from xplain_cli.models.estimators import xgboost_levels
from xplain_cli.models.estimators.columns import Kinds, handed_on
from xplain_cli.targets import position_names

BOOSTERS = ("xgboost", "lightgbm", "catboost")
"""The packages, each an extra of ours."""

_MISSING_WORD = "nan"  # what str() makes of a missing value, as CatBoost's users write it
_XGBOOST_PROBABILITIES = frozenset({
    *("binary:logistic", "reg:logistic", "multi:softmax", "multi:softprob")
})
_XGBOOST_CLASSES = _XGBOOST_PROBABILITIES - {"reg:logistic"} | {"binary:logitraw", "binary:hinge"}
_LIGHTGBM_CLASSES = re.compile(r"^objective=(binary|multiclass|multiclassova)\b", re.MULTILINE)


@dataclass(frozen=True)
class CategoryColumns:
    """
    How a boosted model wants its categorical columns, by position.

    Attributes
    ----------
    levels
        The levels of the model's own ``category`` columns, in its order.
    words
        The columns that CatBoost takes as whole numbers or words.
    codes
        The columns that hold categories as numbers and are handed over as they are.
    texts
        The columns that are neither categories nor numbers.
    cut
        Of columns some of whose levels the model has cut off, how many characters of each it kept.
    """

    levels: Mapping[int, tuple[Any, ...]]
    words: frozenset[int] = frozenset()
    codes: frozenset[int] = frozenset()
    texts: frozenset[int] = frozenset()
    cut: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def positions(self) -> frozenset[int]:
        """All categorical columns."""
        return self.words | self.codes | frozenset(self.levels)

    def __or__(self, other: "CategoryColumns") -> "CategoryColumns":
        levels = {**other.levels, **self.levels}
        words = (self.words | other.words) - frozenset(levels)
        codes, texts = self.codes | other.codes, self.texts | other.texts
        return CategoryColumns(levels, words, codes, texts, {**other.cut, **self.cut})


def package_of(model: Any) -> str:
    """Return ``xgboost``, ``lightgbm`` or ``catboost`` for their models, else an empty string."""
    package = type(model).__module__.partition(".")[0]
    if isinstance(model, LightgbmModel):
        return "lightgbm"
    return package if package in BOOSTERS else ""


class LightgbmModel:
    """A bare LightGBM booster, asked as its scikit-learn wrappers are."""

    def __init__(self, booster: Any) -> None:
        self.booster_ = booster
        self.n_features_in_ = int(booster.num_feature())
        names = booster.feature_name()
        if names != [f"Column_{i}" for i in range(len(names))]:
            self.feature_names_in_ = np.array(names, dtype=object)

    def _answer(self, rows: Any, *, raw: bool) -> FloatArray:
        answer = self.booster_.predict(rows, raw_score=raw, num_threads=1)
        return np.asarray(answer, dtype=np.float64)

    def decision_function(self, rows: Any) -> FloatArray:
        """Return the raw scores: (rows,), or (rows, classes) for more than two classes."""
        return self._answer(rows, raw=True)

    def predict(self, rows: Any) -> Any:
        """Return the (rows,) values."""
        return self._answer(rows, raw=False)


class LightgbmClasses(LightgbmModel):
    """A bare LightGBM booster of a classifier: it was fitted on codes, and knows no labels."""

    def __init__(self, booster: Any, *, probabilities: bool = True) -> None:
        super().__init__(booster)
        self.probabilities = probabilities
        names = position_names(max(2, int(booster.num_model_per_iteration())))
        self.classes_ = np.array(names, dtype=object)

    def predict_proba(self, rows: Any) -> FloatArray:
        """Return the (rows, classes) probabilities."""
        answer = self._answer(rows, raw=False)
        return answer if answer.ndim == 2 else np.column_stack([1.0 - answer, answer])

    def predict(self, rows: Any) -> Any:
        """Return the (rows,) classes."""
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


def lightgbm_model(booster: Any) -> LightgbmModel:
    """Return a bare LightGBM booster as a classifier or regressor, as its objective says."""
    header = booster.model_to_string(num_iteration=1).partition("\nTree=0")[0]
    if _LIGHTGBM_CLASSES.search(header):
        return LightgbmClasses(booster)
    if "\nobjective=" not in header and booster.num_model_per_iteration() > 1:
        return LightgbmClasses(booster, probabilities=False)  # an objective of the user's own
    return LightgbmModel(booster)


def _xgboost_learner(booster: Any) -> dict[str, Any]:
    """Return what an XGBoost booster was fitted for: its objective and its numbers of outputs."""
    learner: dict[str, Any] = json.loads(booster.save_config())["learner"]
    return learner


def xgboost_model(data: bytes | bytearray) -> Any:
    """
    Return an XGBoost model stored as JSON or UBJSON as what it was fitted as.

    Files of its scikit-learn classes say so; of others the objective tells classifiers.
    """
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(data))
    stated = json.loads(booster.attr("scikit_learn") or "{}")
    classes = _xgboost_learner(booster)["objective"]["name"] in _XGBOOST_CLASSES
    kinds = {
        "classifier": xgboost.XGBClassifier,
        "regressor": xgboost.XGBRegressor,
        "ranker": xgboost.XGBRanker,
    }
    by_objective = "classifier" if classes else "regressor"
    model = kinds.get(stated.get("_estimator_type"), kinds[by_objective])()
    model.load_model(bytearray(data))
    if "classes_" in stated:  # XGBoost before 2.0 encoded the labels itself
        model.__dict__["classes_"] = stated["classes_"]
    return model


def fitted_classes(model: Any) -> Any:
    """Return the ``classes_`` of a model; those that an XGBoost before 2.0 kept come first."""
    if package_of(model) == "xgboost":  # a property, which numbers them, hides what was kept
        kept = vars(model).get("classes_")
        if kept is not None:
            return kept
    return getattr(model, "classes_", None)


def yes_or_no_outputs(model: Any) -> int:
    """Return how many outputs of two classes each an XGBoost classifier answers; 0: one output."""
    if package_of(model) != "xgboost" or not hasattr(model, "get_booster"):
        return 0
    count = int(_xgboost_learner(model.get_booster())["learner_model_param"]["num_target"])
    return count if count > 1 else 0


def gives_probabilities(model: Any) -> bool:
    """
    Return whether what a boosted classifier calls probabilities are some.

    XGBoost passes on raw scores for ``binary:logitraw``, labels for ``binary:hinge``; LightGBM
    passes on raw scores for objectives of the user's own.
    """
    package = package_of(model)
    if package == "xgboost" and hasattr(model, "get_booster"):
        objective = _xgboost_learner(model.get_booster())["objective"]["name"]
        return objective in _XGBOOST_PROBABILITIES
    own = callable(getattr(model, "objective", None))
    return package != "lightgbm" or (getattr(model, "probabilities", True) and not own)


_OWN_ANSWERS = ("Poisson", "Tweedie", "RMSEWithUncertainty")
"""Losses by which CatBoost's regressors choose what predict answers."""


def catboost_model(data: bytes) -> Any:
    """
    Return a CatBoost model stored as .cbm as a classifier or regressor.

    A regressor answers by its loss (the mean of counts, not its logarithm), which it reads from a
    file of its own, and not from bytes.
    """
    import catboost

    model = catboost.CatBoost().load_model(blob=data)
    if len(model.classes_):
        return catboost.CatBoostClassifier().load_model(blob=data)
    loss = str(model.get_all_params().get("loss_function", ""))
    stated = {"loss_function": loss} if loss.startswith(_OWN_ANSWERS) else {}
    return catboost.CatBoostRegressor(**stated).load_model(blob=data)


def _bare_catboost(model: Any) -> Any:
    """Return a model of CatBoost's plain class as a classifier; else it answers raw numbers."""
    import catboost

    kind = catboost.CatBoostClassifier if len(model.classes_) else catboost.CatBoostRegressor
    return kind().load_model(blob=model._serialize_model())  # noqa: SLF001  # in memory, no other way


def wrapped(model: Any) -> Any:
    """Return a bare booster as something that is asked like an estimator; others as they are."""
    package, name = package_of(model), type(model).__name__
    if (package, name) == ("xgboost", "Booster"):
        return xgboost_model(model.save_raw("ubj"))
    if (package, name) == ("lightgbm", "Booster"):
        return lightgbm_model(model)
    if (package, name) == ("catboost", "CatBoost"):
        return _bare_catboost(model)
    return model


_RAW_MARGIN: dict[str, dict[str, Any]] = {
    "catboost": {"prediction_type": "RawFormulaVal", "thread_count": 1},
    "lightgbm": {"raw_score": True},
    "xgboost": {"output_margin": True},
}


def raw_margin(model: Any, rows: Any, package: str) -> Any:
    """Return what the trees add up to; a pipeline hands the wish on to the booster in it."""
    if hasattr(model, "decision_function"):
        return model.decision_function(rows)
    return model.predict(rows, **_RAW_MARGIN[package])


def pin_thread(model: Any) -> None:
    """
    Make a boosted model predict on one thread; CatBoost takes the number with each question.

    A search holds the model that it began with, which was never fitted and is never asked.
    """
    if package_of(model) == "xgboost" and hasattr(model, "get_booster"):
        if not model.__sklearn_is_fitted__():
            return
        model.get_booster().set_param({"nthread": 1})


def _xgboost_categories(model: Any) -> CategoryColumns:
    booster = model.get_booster()
    kinds = booster.feature_types or []
    discrete = [i for i, kind in enumerate(kinds) if kind == "c"]
    if not discrete:
        return CategoryColumns({})
    stored = json.loads(booster.save_raw("json"))  # a slice of the trees has lost the levels
    cats = stored["learner"]["gradient_booster"].get("model", {}).get("cats") or {}
    encoded = cats.get("enc") or [{}] * len(kinds)  # XGBoost before 3.1 keeps no levels
    found = {i: xgboost_levels.decode(encoded[i]) for i in discrete}
    levels = {i: names.levels for i, names in found.items() if names.levels}
    cut = {i: names.known for i, names in found.items() if names.known}
    return CategoryColumns(levels, codes=frozenset(discrete) - frozenset(levels), cut=cut)


def _lightgbm_categories(model: Any) -> CategoryColumns:
    booster = model.booster_
    levels = booster.pandas_categorical or []
    params = booster.params
    found = params.get("categorical_column", params.get("categorical_feature"))
    places = sorted(found) if isinstance(found, list) else []
    if not all(isinstance(one, int) for one in places):
        names = booster.feature_name()
        places = sorted(one if isinstance(one, int) else names.index(one) for one in places)
    if levels and len(levels) != len(places):
        raise RefusedError(
            f"keeps the levels of {len(levels)} category columns but names {len(places)}"
            " categorical columns, so which is which is unknown; fit it with"
            " categorical_feature='auto'"
        )
    if not levels:
        return CategoryColumns({}, codes=frozenset(places))
    return CategoryColumns(dict(zip(places, map(tuple, levels), strict=True)))


def _catboost_categories(model: Any) -> CategoryColumns:
    texts = (*model.get_text_feature_indices(), *model.get_embedding_feature_indices())
    return CategoryColumns({}, frozenset(model.get_cat_feature_indices()), texts=frozenset(texts))


_CATEGORIES: dict[str, Callable[[Any], CategoryColumns]] = {
    "catboost": _catboost_categories,
    "lightgbm": _lightgbm_categories,
    "xgboost": _xgboost_categories,
}


def categories_of(model: Any) -> CategoryColumns:
    """
    Return the categorical columns of the boosted models that see the columns as they are.

    Raises
    ------
    RefusedError
        The model does not say which levels belong to which column.
    """
    package = package_of(model)
    if package:
        return _CATEGORIES[package](model)
    found = CategoryColumns({})
    for part in handed_on(model):
        found |= categories_of(part)
    return found


def is_boosted(model: Any) -> bool:
    """Return whether boosted models, and no others, see the columns as they are."""
    parts = handed_on(model)
    return bool(package_of(model)) or (bool(parts) and all(map(is_boosted, parts)))


def boosted_kinds(model: Any, categories: CategoryColumns, columns: Sequence[str]) -> Kinds:
    """Return which columns of a boosted model are categories, and which are numbers."""
    if not columns or not is_boosted(model):
        return Kinds()
    discrete = frozenset(columns[i] for i in categories.positions)
    texts = frozenset(columns[i] for i in categories.texts)
    listed = dict.fromkeys(categories.words) | dict(categories.levels)
    listed |= dict.fromkeys(categories.cut)
    levels = {columns[i]: Levels(known, strict=False) for i, known in listed.items()}
    return Kinds(discrete, frozenset(columns) - discrete - texts, levels)


def _as_words(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return whole numbers and bools, which CatBoost takes as 0 and 1, as they are; else words."""
    if column.dtype.kind in "iub":
        return column

    def word(value: Any) -> str:
        whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
        return str(int(value) if whole else value)

    kept = column.astype(object)
    texts = [_MISSING_WORD if gap else word(value) for value, gap in zip(kept, kept.isna())]  # noqa: B905  # one column, one length
    return pd.Series(texts, index=column.index, dtype=object)


def _as_levels(
    column: "pd.Series[Any]", levels: tuple[Any, ...], cut: tuple[int, ...] = ()
) -> "pd.Series[Any]":
    """Return a column as the model's categories; a value that it does not know is missing."""
    codes = {str(level): code for code, level in enumerate(levels)}
    codes |= {level: code for code, level in enumerate(levels)}
    if cut:
        codes = {one: xgboost_levels.find(one, levels, cut) for one in column.dropna().unique()}
    kept = column.astype(object)
    found = [-1 if gap else codes.get(value, -1) for value, gap in zip(kept, kept.isna())]  # noqa: B905  # one column, one length
    return pd.Series(pd.Categorical.from_codes(found, pd.Index(levels)), index=column.index)


def cast(batch: pd.DataFrame, categories: CategoryColumns) -> pd.DataFrame:
    """Return a batch with the categorical columns as the model was fitted on them."""
    if not categories.levels and not categories.words:
        return batch
    columns = [batch.iloc[:, i] for i in range(batch.shape[1])]
    for i in categories.words:
        columns[i] = _as_words(columns[i])
    for i, levels in categories.levels.items():
        columns[i] = _as_levels(columns[i], levels, categories.cut.get(i, ()))
    made = pd.concat(columns, axis=1)
    made.columns = batch.columns
    return made


def category_notes(categories: CategoryColumns) -> tuple[str, ...]:
    """Return what the user should know of the cast."""
    notes = []
    if categories.levels:
        notes.append("a category that the model was not fitted with counts as missing")
    if categories.words:
        notes.append(f"a missing category is handed to CatBoost as {_MISSING_WORD!r}")
    return tuple(notes)
