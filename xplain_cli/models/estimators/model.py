"""Fitted scikit-learn estimators and whatever predicts as they do."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from xplain_cli.errors import RefusedError, UsageError, summed_up, with_article
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    Model,
    ModelRecipe,
    OtherModalityError,
    PictureInput,
    Signature,
)
from xplain_cli.models.estimators.answers import (
    ask,
    classes_of,
    decides_apart,
    final,
    flat_names,
    task_of,
)
from xplain_cli.models.estimators.bag_of_words import BagOfWords, sparse_texts
from xplain_cli.models.estimators.boosters import (
    CategoryColumns,
    boosted_kinds,
    cast,
    categories_of,
    category_notes,
    gives_probabilities,
    package_of,
    pin_thread,
    wrapped,
    yes_or_no_outputs,
)
from xplain_cli.models.estimators.columns import (
    check_term_columns,
    column_kinds,
    fitted_names,
    fitted_width,
    moves_threshold,
    takes_texts,
)
from xplain_cli.models.estimators.networks import estimator_gradient
from xplain_cli.models.estimators.redrawing import layers_of, redraw_estimator, why_no_layers
from xplain_cli.models.estimators.trees import leaf_boxes, why_no_trees
from xplain_cli.models.pickles.object_graph import held_by
from xplain_cli.models.responses import Answer, are_labels, expand, settle_answer
from xplain_cli.targets import of_several

_T = TypeVar("_T")
_ROW_BY_ROW = ("DecisionTree", "ExtraTree", "RandomForestC", "RandomForestR")
_CELLS = (str, int, float, np.bool_, np.integer, np.floating, type(None))
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
    blanks: frozenset[int] = frozenset()

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        answer = ask(self.estimator, self.signature.response, self._inputs(batch))
        return expand(answer, self.signature)

    def _inputs(self, batch: Batch) -> Any:
        return as_inputs(batch, self.categories, named=self.named, blanks=self.blanks)

    @property
    def capabilities(self) -> Capabilities:
        """Leaves of tree models, which trees and forests add up row by row; gradients of others."""
        kind, why = type(self.estimator), why_no_trees(self.estimator)
        alone = kind.__module__.startswith("sklearn.") and kind.__name__.startswith(_ROW_BY_ROW)
        fixed = why_no_layers(self.estimator)
        lacking = {"leaves": why, "redrawable": fixed}
        return Capabilities(
            leaves=None if why else partial(leaf_boxes, self.estimator, self.signature),
            gradient=partial(estimator_gradient, self.estimator, self.signature, self._inputs),
            redrawable=None if fixed else partial(layers_of, self.estimator),
            row_by_row=alone,
            why_not={name: reason for name, reason in lacking.items() if reason},
        )


def as_inputs(
    batch: Batch, categories: CategoryColumns, *, named: bool, blanks: frozenset[int] = frozenset()
) -> Any:
    """
    Return texts and arrays as they are, a table as it is or, without names, as a matrix.

    Parameters
    ----------
    blanks
        Columns in which a missing cell is None to the model, not NaN.
    """
    if not isinstance(batch, pd.DataFrame):
        return batch
    batch = cast(batch, categories)
    if blanks:
        columns = [batch.iloc[:, i] for i in range(batch.shape[1])]
        for i in blanks:
            columns[i] = columns[i].astype(object).where(columns[i].notna(), None)
        batch = pd.concat(columns, axis=1)
    if named:
        return batch
    numbers = all(kind.kind in "fiub" for kind in batch.dtypes if isinstance(kind, np.dtype))
    extension = any(not isinstance(kind, np.dtype) for kind in batch.dtypes)
    return batch.to_numpy(dtype=np.float64 if numbers and not extension else object)


def _by_position(batch: pd.DataFrame) -> bool:
    """Return whether the columns of a table have no names but their positions."""
    return list(batch.columns) == list(map(str, range(batch.shape[1])))


def _check_levels(source: str, levels: Mapping[str, Levels]) -> None:
    """Refuse categories that no cell of a table is: dates, intervals, pairs."""
    for column, known in levels.items():
        odd = {type(one).__name__ for one in known.values or () if not isinstance(one, _CELLS)}
        if odd:
            raise RefusedError(
                f"{source}: column {column!r}: its categories are of the type {min(odd)}, which"
                " no cell of a table is; fit the model with texts instead (astype(str))"
            )


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
    leftovers: tuple[str, ...] = ()
    takes: PictureInput | None = None

    def __post_init__(self) -> None:
        self.estimator = wrapped(self.estimator)
        if self.recipe.modality != "text" and takes_texts(self.estimator):
            raise OtherModalityError(
                f"{self.source}: its first step splits texts into words", "text"
            )
        single_threaded(self.estimator)
        if self.recipe.redraw is not None:
            redraw_estimator(self.estimator, self.recipe.redraw)
        self.columns = fitted_names(self.estimator)
        try:
            check_term_columns(self.estimator)
            self.n_columns = fitted_width(self.estimator)
        except RefusedError as error:
            raise RefusedError(f"{self.source}: {error}") from error
        places = self.columns or tuple(map(str, range(self.n_columns or 0)))
        try:
            self.categories = categories_of(self.estimator)
        except RefusedError as error:
            raise RefusedError(f"{self.source}: {error}") from error
        self.notes = (*self.notes, *category_notes(self.categories))
        kinds = column_kinds(self.estimator, places)
        kinds |= boosted_kinds(self.estimator, self.categories, places)
        self.all_numeric = bool(places) and kinds.numeric == frozenset(places)
        self.discrete, self.numeric, self.levels = kinds.discrete, kinds.numeric, kinds.levels
        _check_levels(self.source, kinds.levels)
        self.blanks = frozenset(
            i for i, c in enumerate(places) if c in kinds.levels and kinds.levels[c].missing is None
        )

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few rows and choose the response."""
        response, task = self._choose()
        try:
            matrix, frame = self._asked(response, batch)
        except Exception as error:  # a model of another version fails in any way
            if type(error).__name__ == "NotFittedError":
                kind = with_article(type(self.estimator).__name__)
                raise RefusedError(
                    f"{self.source}: holds {kind} that is not fitted, or a step of it is not; call"
                    " its fit, then store it again"
                ) from None
            reason = summed_up(error, quotes=self.recipe.quotes)
            skew = [note for note in self.notes if note.startswith("fitted with ")]
            note = f" ({skew[0]})" if skew else ""
            others = [f"take --response {name}" for name in self._able() if name != response]
            ways = [self.way_out] if skew else [*others, self.way_out]
            raise RefusedError(
                f"{self.source}: {response} failed on the first {len(batch)} rows:"
                f" {reason}{note}; {' or '.join(ways)}"
            ) from error
        chosen = self._chosen(task, batch)
        answer = self._answer(response, task, matrix, chosen)
        signature = settle_answer(answer, len(batch), self.recipe.class_names)
        return replace(signature, frame=True) if frame else signature

    def _asked(self, response: str, batch: Batch) -> tuple[FloatArray, bool]:
        """Return the first answer, and whether it took a table with names."""
        return self._first(lambda inputs: ask(self.estimator, response, inputs), batch)

    def _first(self, question: Callable[[Any], _T], batch: Batch) -> tuple[_T, bool]:
        """
        Return the answer to a first question, and whether it took a table with names.

        A model without names of its own is handed an array; steps that a team wrote may want the
        names of the table, where it has any.
        """
        named = self.columns is not None

        def asked(*, named: bool) -> _T:
            return question(as_inputs(batch, self.categories, named=named, blanks=self.blanks))

        frame = isinstance(batch, pd.DataFrame) and not _by_position(batch)
        if named or not frame:
            return asked(named=named), False
        try:
            return asked(named=False), False
        except Exception as error:  # noqa: BLE001 - code of the team's own may raise anything
            try:
                return asked(named=True), True
            except Exception:  # noqa: BLE001 - what is wrong is said of what such models are given
                raise error from None

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        named = self.columns is not None or signature.frame
        whole = EstimatorModel(self.estimator, signature, named, self.categories, self.blanks)
        if self.recipe.modality != "text":
            return whole
        if signature.response == "predict" and moves_threshold(self.estimator):
            return whole  # the model inside decides at one half
        texts = sparse_texts(self.estimator)
        return whole if texts is None else BagOfWords(whole, texts)

    def _able(self) -> list[str]:
        last = final(self.estimator)
        hidden = set() if gives_probabilities(last) else {"predict_proba"}
        added = {"decision_function"} if package_of(last) else set[str]()
        return [
            name
            for name in RESPONSES
            if name in added
            or (name not in hidden and callable(getattr(self.estimator, name, None)))
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

    def _chosen(self, task: str, batch: Batch) -> npt.NDArray[Any] | None:
        """Return what a classifier predicts of the first rows; None where it does not say."""
        if task != "classification" or not callable(getattr(self.estimator, "predict", None)):
            return None
        own = type(self.estimator).__module__.startswith("sklearn.")
        if own and getattr(self.estimator, "n_outputs_", None) == 1:
            return None  # it predicts one label a row, and says so
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing of this answer is explained
            try:
                asked = self._first(lambda rows: np.asarray(self.estimator.predict(rows)), batch)
            except Exception:  # noqa: BLE001 - it is asked something else, and answers that
                return None
        return asked[0]

    def _answer(
        self, response: str, task: str, matrix: FloatArray, chosen: npt.NDArray[Any] | None
    ) -> Answer:
        """Return the probe's answer with what the estimator says of it."""
        columns = matrix.shape[1]
        names: tuple[str, ...] | None = None
        if task == "classification":
            names = self._class_names(response, columns)
            named = names is not None and of_several(names)
            if chosen is not None and are_labels(chosen, matrix) and not named:
                # a column of yes and no for each label, of which several may hold
                labels = names or tuple(map(str, range(columns)))
                names = tuple(f"output_{label}=1" for label in labels)
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
            modality=self.recipe.modality,
            decides=not decides_apart(self.estimator, response),
        )

    def _class_names(self, response: str, columns: int) -> tuple[str, ...] | None:
        """Return the names of the classes whose numbers are answered; None: it does not say."""
        labels = yes_or_no_outputs(final(self.estimator))
        if labels:
            return tuple(f"output_{i}=1" for i in range(labels))
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
        return None
