"""Fitted scikit-learn estimators and whatever predicts as they do."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import RefusedError, UsageError, summed_up
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Model,
    ModelRecipe,
    OtherModalityError,
    PictureInput,
    Signature,
)
from xplain_cli.models.estimators.answers import ask, classes_of, final, flat_names, task_of
from xplain_cli.models.estimators.bag_of_words import BagOfWords, sparse_texts
from xplain_cli.models.estimators.boosters import (
    CategoryColumns,
    boosted_kinds,
    cast,
    categories_of,
    category_notes,
    package_of,
    pin_thread,
    wrapped,
)
from xplain_cli.models.estimators.columns import (
    Kinds,
    column_kinds,
    fitted_names,
    fitted_width,
    moves_threshold,
    takes_texts,
)
from xplain_cli.models.estimators.trees import leaf_boxes, why_no_trees
from xplain_cli.models.pickles.object_graph import held_by
from xplain_cli.models.responses import Answer, expand, settle_answer

_ROW_BY_ROW = ("DecisionTree", "ExtraTree", "RandomForestC", "RandomForestR")
RESPONSES = ("predict_proba", "decision_function", "predict")


def single_threaded(root: Any) -> None:
    """Set ``n_jobs`` to 1 in an estimator and all estimators that it holds."""
    for value in held_by(root):
        if hasattr(value, "get_params") and "n_jobs" in getattr(value, "__dict__", {}):
            value.n_jobs = 1
        pin_thread(value)


@dataclass(frozen=True)
class EstimatorModel:
    """An estimator that the probe has settled."""

    estimator: Any
    signature: Signature
    named: bool
    categories: CategoryColumns

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        inputs = as_inputs(batch, self.categories, named=self.named)
        answer = ask(self.estimator, self.signature.response, inputs)
        return expand(answer, self.signature)

    @property
    def capabilities(self) -> Capabilities:
        """Leaves of tree models; trees and forests also add them up row by row."""
        kind, why = type(self.estimator), why_no_trees(self.estimator)
        alone = kind.__module__.startswith("sklearn.") and kind.__name__.startswith(_ROW_BY_ROW)
        return Capabilities(
            leaves=None if why else partial(leaf_boxes, self.estimator, self.signature),
            row_by_row=alone,
            why_not={"leaves": why} if why else {},
        )


def as_inputs(batch: Batch, categories: CategoryColumns, *, named: bool) -> Any:
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
    tokenizer_sha256: str | None = None
    takes: PictureInput | None = None

    def __post_init__(self) -> None:
        self.estimator = wrapped(self.estimator)
        if self.recipe.modality != "text" and takes_texts(self.estimator):
            raise OtherModalityError(
                f"{self.source}: its first step splits texts into words", "text"
            )
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
        self.discrete, self.numeric, self.levels = known.discrete, known.numeric, known.levels

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few rows and choose the response."""
        response, task = self._choose()
        inputs = as_inputs(batch, self.categories, named=self.columns is not None)
        try:
            matrix = ask(self.estimator, response, inputs)
        except Exception as error:  # a model of another version fails in any way
            reason = summed_up(error, quotes=self.recipe.quotes)
            skew = [note for note in self.notes if note.startswith("fitted with ")]
            note = f" ({skew[0]})" if skew else ""
            others = [f"take --response {name}" for name in self._able() if name != response]
            ways = [self.way_out] if skew else [*others, self.way_out]
            raise RefusedError(
                f"{self.source}: {response} failed on the first {len(batch)} rows:"
                f" {reason}{note}; {' or '.join(ways)}"
            ) from error
        answer = self._answer(response, task, matrix)
        return settle_answer(answer, len(batch), self.recipe.class_names)

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        named = self.columns is not None
        whole = EstimatorModel(self.estimator, signature, named, self.categories)
        if self.recipe.modality != "text":
            return whole
        if signature.response == "predict" and moves_threshold(self.estimator):
            return whole  # the model inside decides at one half
        texts = sparse_texts(self.estimator)
        return whole if texts is None else BagOfWords(whole, texts)

    def _able(self) -> list[str]:
        boosted = package_of(final(self.estimator)) != ""
        return [
            name
            for name in RESPONSES
            if callable(getattr(self.estimator, name, None))
            or (boosted and name == "decision_function")
        ]

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
        if task == "classification" and self.recipe.raw and "decision_function" in able:
            return "decision_function", task
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
        classes = classes_of(self.estimator)
        names = flat_names(classes)
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
