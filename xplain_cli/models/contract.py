"""What a model is to the rest of the house: a recipe, then judged and loaded, then settled."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import pandas as pd
from numpy.typing import NDArray

from xplain_cli.explanation import BoolArray, FloatArray

Batch: TypeAlias = pd.DataFrame | list[str] | NDArray[Any]
"""Rows as a model takes them: a table, texts, or pictures (rows, height, width, channels)."""


@dataclass(frozen=True)
class ModelRecipe:
    """
    How to open a model; picklable, so that a worker process opens it again.

    Attributes
    ----------
    source
        A path, or ``package.module:callable``.
    sha256
        The pinned SHA-256 (hex, any case) of the file; None: not pinned.
    trusted
        Exact global names ``pkg.mod.Name`` added to the allowlist.
    trust_all
        True loads a pickle without judging it (``--trust-model``).
    python_path
        Folders put before ``sys.path`` for callables and trusted classes.
    response
        ``predict_proba``, ``decision_function`` or ``predict``; None: probed.
    model_output
        The name of an ONNX output; None: probed.
    class_names
        Names of the outputs, in the model's order; None: the model's own.
    modality
        ``tabular``, ``text`` or ``image``: what its batches are.
    layout
        ``NCHW`` or ``NHWC``: how it takes pictures; None: read off the model.
    link
        ``softmax`` or ``sigmoid``: its scores are made probabilities so; None: they stay.
    raw
        True asks a classifier for its raw margin, where it has one and *response* names nothing.
    """

    source: str
    sha256: str | None = None
    trusted: tuple[str, ...] = ()
    trust_all: bool = False
    python_path: tuple[str, ...] = ()
    response: str | None = None
    model_output: str | None = None
    class_names: tuple[str, ...] | None = None
    modality: str = "tabular"
    layout: str | None = None
    link: str | None = None
    raw: bool = False


@dataclass(frozen=True)
class Settled:
    """
    The choices of the probe; picklable.

    Attributes
    ----------
    response
        ``predict_proba``, ``decision_function``, ``predict``, ``callable``, ``forward`` (torch) or
        an ONNX output.
    task
        ``classification``, ``regression`` or ``anomaly``.
    scale
        ``probability`` or ``raw``.
    outputs
        Class names, or value names: one regression output is ``value``, an anomaly score is
        ``anomaly_score``.
    positive
        The index of ``classes_[1]`` for two exclusive classes, else None.
    margin
        True if one decision margin m stands for two classes: the columns are (-m, +m).
    note
        One sentence that says what is explained.
    frame
        True if a model without names of its own takes tables with names, and fails on arrays.
    """

    response: str
    task: str
    scale: str
    outputs: tuple[str, ...]
    positive: int | None
    margin: bool
    note: str
    frame: bool = False


class Model(Protocol):
    """A model that answers batches."""

    @property
    def settled(self) -> Settled:
        """What the probe chose."""
        ...

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        ...


@runtime_checkable
class MaskedText(Protocol):
    """A model that answers masked texts without their strings."""

    def masked_rows(
        self, text: str, spans: Sequence[Sequence[tuple[int, int]]], masks: BoolArray
    ) -> Any | None:
        """
        Return the sparse matrix (m, columns) of a text with units deleted.

        Parameters
        ----------
        text
            The whole text.
        spans
            Of each of n units its (start, end) in code points.
        masks : (m, n) bool
            True where a unit stays.

        Returns
        -------
        csr matrix, or None where this text can only be masked as a string.
        """
        ...

    def predict_rows(self, rows: Any) -> FloatArray:
        """Return the (m, outputs) float64 answers on such a matrix, C-contiguous."""
        ...


@dataclass(frozen=True)
class Levels:
    """
    The categories of a column that a model was fitted with.

    Attributes
    ----------
    values
        The categories, as the model compares them; missing left out. None: words that the model
        does not list.
    strict
        True: the model fails on any other; False: it takes others as unknown.
    missing
        What stood for a missing cell in the frame that it was fitted on: NaN or None.
    """

    values: tuple[Any, ...] | None
    strict: bool
    missing: float | None = math.nan


@runtime_checkable
class RowByRow(Protocol):
    """A model that may answer each row to the last digit alike, whatever stands beside it."""

    @property
    def row_by_row(self) -> bool:
        """Whether it does."""
        ...


@runtime_checkable
class ReadsPartly(Protocol):
    """A model that reads texts only up to some length."""

    def read_length(self, text: str) -> int:
        """Return up to which code point it reads a text."""
        ...


class LoadedModel(Protocol):
    """A model that was judged and loaded, and not yet asked anything."""

    @property
    def kind(self) -> str:
        """``scikit-learn``, ``onnx``, ``torch``, ``xgboost``, ``lightgbm``, ``callable``, ..."""
        ...

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the file, or of the module that holds the callable."""
        ...

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names that it was fitted with, in order; None: a bare matrix, or unknown."""
        ...

    @property
    def n_columns(self) -> int | None:
        """How many columns it takes; None: unknown."""
        ...

    @property
    def discrete(self) -> frozenset[str]:
        """The columns that the model itself treats as categories."""
        ...

    @property
    def levels(self) -> Mapping[str, Levels]:
        """
        Of the columns that are handed to an encoder as they are, its categories.

        Where the model knows no names, these, ``discrete`` and ``numeric`` go by position: "0".
        """
        ...

    @property
    def numeric(self) -> frozenset[str]:
        """The columns known to be numbers."""
        ...

    @property
    def all_numeric(self) -> bool:
        """Whether every column must be a number, also where names are unknown."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that the user should read, such as version skew."""
        ...

    @property
    def versions(self) -> dict[str, str]:
        """Versions that the file states, by package."""
        ...

    def settle(self, batch: Batch) -> Settled:
        """
        Ask for one prediction on a few rows and choose the response.

        Raises
        ------
        RefusedError
            The model fails on these rows, or answers NaN or infinity.
        UsageError
            The response, output or class names that the user named do not fit.
        """
        ...

    def bind(self, settled: Settled) -> Model:
        """Return the model that answers as *settled* says."""
        ...
