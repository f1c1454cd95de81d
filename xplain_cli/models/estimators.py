"""Fitted scikit-learn estimators and whatever predicts as they do."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.boosters import (
    Categories,
    boosted_kinds,
    cast,
    categories_of,
    category_notes,
    package_of,
    pin_thread,
    wrapped,
)
from xplain_cli.models.columns import (
    Kinds,
    column_kinds,
    fitted_names,
    fitted_width,
    inner,
    steps_of,
)
from xplain_cli.models.contract import Batch, ModelRecipe, Settled
from xplain_cli.models.held import held_by
from xplain_cli.models.responses import Answer, expand, settle_answer, to_matrix
from xplain_cli.models.trees import LeafBoxes, leaf_boxes

RESPONSES = ("predict_proba", "decision_function", "predict")


def single_threaded(root: Any) -> None:
    """Set ``n_jobs`` to 1 in an estimator and all estimators that it holds."""
    for value in held_by(root):
        if hasattr(value, "get_params") and "n_jobs" in getattr(value, "__dict__", {}):
            value.n_jobs = 1
        pin_thread(value)


def final(estimator: Any) -> Any:
    """Return the model at the end of pipelines and searches."""
    nested = inner(estimator)
    steps = steps_of(nested)
    return final(steps[-1]) if steps else nested


def _stated_type(estimator: Any) -> str | None:
    """Return ``classifier``, ``regressor``, ... as the estimator states it; None: it does not."""
    import sklearn.utils

    stated = getattr(estimator, "_estimator_type", None)
    get_tags = getattr(sklearn.utils, "get_tags", None)  # since 1.6
    if stated is None and get_tags is not None:
        try:
            stated = get_tags(estimator).estimator_type
        except (AttributeError, TypeError, ValueError):  # no scikit-learn estimator
            return None
    return None if stated is None else str(stated)


def task_of(estimator: Any) -> str:
    """
    Return ``classification``, ``regression`` or ``anomaly``.

    Raises
    ------
    RefusedError
        It is a clusterer.
    """
    stated = _stated_type(estimator)
    if stated == "clusterer":
        raise RefusedError(
            f"{type(estimator).__name__} finds clusters, which have no score to explain;"
            " fit a classifier on its labels"
        )
    if stated in {"outlier_detector", "regressor"}:
        return "regression" if stated == "regressor" else "anomaly"
    classes = bool(_classes(estimator)) or hasattr(estimator, "predict_proba")
    return "classification" if classes else "regression"


def _classes(estimator: Any) -> list[list[str]]:
    """Return the class names of each output; an empty list where it has none."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or len(classes) == 0:  # CatBoost's regressors have an empty list of them
        return []
    several = isinstance(classes, list) and len(classes) > 0 and np.ndim(classes[0]) > 0
    return [[_plain(one) for one in part] for part in (classes if several else [classes])]


def _plain(label: Any) -> str:
    return str(label.item() if isinstance(label, np.generic) else label)


def _flat_names(classes: list[list[str]]) -> tuple[str, ...]:
    if len(classes) == 1:
        return tuple(classes[0])
    return tuple(f"output_{i}={name}" for i, part in enumerate(classes) for name in part)


def _indicators(estimator: Any, labels: Any) -> FloatArray:
    """Return predicted labels as 0/1 columns, one per class (of each output)."""
    table = np.asarray(labels, dtype=object)
    table = table[:, None] if table.ndim == 1 else table
    classes = _classes(estimator)
    if len(classes) != table.shape[1]:  # labels that are 0/1 columns already
        return to_matrix(labels)
    texts = np.array([[_plain(one) for one in row] for row in table], dtype=object)
    parts = [texts[:, [i]] == np.array(part, dtype=object) for i, part in enumerate(classes)]
    return to_matrix(np.hstack(parts))


def _takes_threads(estimator: Any) -> bool:
    """Return whether it is CatBoost, or a pipeline that hands CatBoost's arguments on."""
    steps = steps_of(estimator)
    return package_of(steps[-1] if steps else estimator) == "catboost"


def ask(estimator: Any, response: str, inputs: Any) -> FloatArray:
    """Return what an estimator answers as a (rows, columns) matrix."""
    asked = getattr(estimator, response)
    answer = asked(inputs, thread_count=1) if _takes_threads(estimator) else asked(inputs)
    if response == "predict":
        if _classes(estimator):
            return _indicators(estimator, answer)
        return to_matrix(answer)
    if isinstance(answer, list):
        return to_matrix(np.hstack(answer))
    return to_matrix(answer)


@dataclass(frozen=True)
class EstimatorModel:
    """An estimator that the probe has settled."""

    estimator: Any
    settled: Settled
    named: bool
    categories: Categories

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        inputs = as_inputs(batch, self.categories, named=self.named)
        answer = ask(self.estimator, self.settled.response, inputs)
        return expand(answer, self.settled)

    def leaf_boxes(self) -> LeafBoxes:
        """Return the leaves of a tree model; see ``trees.leaf_boxes``."""
        return leaf_boxes(self.estimator, self.settled)


def as_inputs(batch: Batch, categories: Categories, *, named: bool) -> Any:
    """Return texts and arrays as they are, a table as it is or, without names, as a matrix."""
    if not isinstance(batch, pd.DataFrame):
        return batch
    batch = cast(batch, categories)
    if named:
        return batch
    numbers = all(kind.kind in "fiub" for kind in batch.dtypes if isinstance(kind, np.dtype))
    extension = any(not isinstance(kind, np.dtype) for kind in batch.dtypes)
    return batch.to_numpy(dtype=np.float64 if numbers and not extension else object)


@dataclass
class Estimator:
    """A judged and loaded estimator, its own ``n_jobs`` set to 1."""

    estimator: Any
    source: str
    sha256: str
    recipe: ModelRecipe
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    way_out: str = "store the model again with the installed versions"
    kind: str = "scikit-learn"

    def __post_init__(self) -> None:
        self.estimator = wrapped(self.estimator)
        single_threaded(self.estimator)
        self.columns = fitted_names(self.estimator)
        self.n_columns = fitted_width(self.estimator)
        places = self.columns or tuple(map(str, range(self.n_columns or 0)))
        try:
            self.categories = categories_of(self.estimator)
        except RefusedError as error:
            raise RefusedError(f"{self.source}: {error}") from error
        self.notes = (*self.notes, *category_notes(self.categories))
        kinds = column_kinds(self.estimator, places)
        kinds |= boosted_kinds(self.estimator, self.categories, places)
        self.all_numeric = bool(places) and kinds.numeric == frozenset(places)
        known = kinds if self.columns is not None else Kinds()
        self.discrete, self.numeric = known.discrete, known.numeric

    def settle(self, batch: Batch) -> Settled:
        """Ask for one prediction on a few rows and choose the response."""
        response, task = self._choose()
        inputs = as_inputs(batch, self.categories, named=self.columns is not None)
        try:
            matrix = ask(self.estimator, response, inputs)
        except Exception as error:  # a model of another version fails in any way
            reason = " ".join(str(error).split())
            skew = [note for note in self.notes if note.startswith("fitted with ")]
            note = f" ({skew[0]})" if skew else ""
            others = [f"take --response {name}" for name in self._able() if name != response]
            ways = [self.way_out] if skew else [*others, self.way_out]
            raise RefusedError(
                f"{self.source}: {response} failed on the first {len(batch)} rows:"
                f" {type(error).__name__}: {reason}{note}; {' or '.join(ways)}"
            ) from error
        answer = self._answer(response, task, matrix)
        return settle_answer(answer, len(batch), self.recipe.class_names)

    def bind(self, settled: Settled) -> EstimatorModel:
        """Return the model that answers as *settled* says."""
        return EstimatorModel(self.estimator, settled, self.columns is not None, self.categories)

    def _able(self) -> list[str]:
        return [name for name in RESPONSES if callable(getattr(self.estimator, name, None))]

    def _choose(self) -> tuple[str, str]:
        """Return the response and the task."""
        try:
            task = task_of(self.estimator)
        except RefusedError as error:
            raise RefusedError(f"{self.source}: {error}") from error
        able = self._able()
        wanted = self.recipe.response
        if wanted is not None and wanted not in able:
            raise UsageError(
                f"--response {wanted}: {type(self.estimator).__name__} has {', '.join(able)}"
            )
        if wanted is not None:
            return wanted, task
        if task == "regression":
            return "predict" if "predict" in able else able[0], task
        if task == "anomaly":
            return next(name for name in able if name != "predict_proba"), task
        return able[0], task

    def _answer(self, response: str, task: str, matrix: FloatArray) -> Answer:
        """Return the probe's answer with what the estimator says of it."""
        columns = matrix.shape[1]
        names: tuple[str, ...] | None = None
        if task == "classification":
            names = self._class_names(response, columns)
        scale = "probability" if task == "classification" else None
        scale = "raw" if response == "decision_function" else scale
        return Answer(
            self.source,
            response,
            matrix,
            names=names,
            task=task,
            scale=scale,
            hard=response == "predict" and task == "classification",
            way_out=self.way_out if response == "predict" else "try --response predict",
        )

    def _class_names(self, response: str, columns: int) -> tuple[str, ...]:
        classes = _classes(self.estimator)
        names = _flat_names(classes)
        pairwise = getattr(final(self.estimator), "decision_function_shape", None) == "ovo"
        if response == "decision_function" and pairwise and len(names) > 2:
            raise RefusedError(
                f"{self.source}: decision_function answers {columns} pairwise margins for"
                f" {len(names)} classes; fit it with decision_function_shape='ovr', or take"
                " --response predict"
            )
        margin = response == "decision_function" and columns == 1 and len(names) == 2
        if columns == len(names) or margin:
            return names
        return tuple(f"output_{i}" for i in range(columns))
