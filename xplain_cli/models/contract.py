"""The protocol of models: a recipe, a loaded model, its signature and its capabilities."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import pandas as pd
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import BoolArray, FloatArray
from xplain_cli.models.gradients import Gradient
from xplain_cli.models.leaves import LeafBoxes
from xplain_cli.models.redrawing import Redraw

Batch: TypeAlias = pd.DataFrame | list[str] | NDArray[Any]
"""Rows as a model takes them: a table, texts, or pictures (rows, height, width, channels)."""

LEFTOVERS, UNSTEADY = "leftovers", "unsteady"
"""What users may accept: ignored parameters of old files; answers that are not alike twice."""


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
    accept
        What the user takes as it is (``--accept``): ``LEFTOVERS``, ``UNSTEADY``.
    member
        The key under which a stored dict holds the model; None: the file holds the model itself.
    member_option
        What stands before such a key where the user types it.
    quotes
        Whether messages may quote what the model says of rows, which often holds their values.
    redraw
        Which of its layers are drawn anew; None: it stays as it was learned.
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
    accept: tuple[str, ...] = ()
    member: str | None = None
    member_option: str = "--member "
    quotes: bool = True
    redraw: Redraw | None = None


@dataclass(frozen=True)
class Signature:
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
    single
        Whether the model's own numbers are of single precision, as far as the probe saw.
    labels
        The model's own names of its outputs, where its answers are read by name; empty: by
        position.
    decides
        Whether the model chooses the class of its largest answer, and of two the one above the
        middle: labels that do not exclude each other choose none, and some models decide at a
        threshold of their own.
    """

    response: str
    task: str
    scale: str
    outputs: tuple[str, ...]
    positive: int | None
    margin: bool
    note: str
    frame: bool = False
    single: bool = field(default=False, compare=False)
    labels: tuple[str, ...] = ()
    decides: bool = field(default=True, compare=False)


class WrongLengthError(RefusedError):
    """A model answered another number of rows than it was given."""


class OtherModalityError(RefusedError):
    """
    A model takes rows of another kind than those of the command.

    Attributes
    ----------
    modality
        The command that explains it.
    """

    def __init__(self, message: str, modality: str) -> None:
        super().__init__(f"{message}; xplain {modality} explains it")
        self.modality = modality


class UnableError(UsageError):
    """
    A model cannot do what a method needs.

    Models do not know which method asked: planning puts its name, as the user typed it, in front.

    Attributes
    ----------
    reason
        What the method comes up against, said of the method: ``needs trees, not SVC``.
    instead
        Options that mend it, if any: ``--response decision_function``.
    """

    def __init__(self, reason: str, instead: str = "") -> None:
        super().__init__(f"{reason}: take {instead}" if instead else reason)
        self.reason, self.instead = reason, instead


@dataclass(frozen=True)
class MaskedText:
    """
    How a model answers masked texts without their strings.

    Attributes
    ----------
    masked_rows
        Of a text, the (start, end) spans in code points of each of its n units, and masks (m, n)
        bool, True where a unit stays: a matrix (m, columns), sparse or not, of the text with the
        other units deleted. None where this text can only be masked as a string.
    predict_rows
        The (m, outputs) float64 answers on such a matrix, C-contiguous.
    """

    masked_rows: Callable[[str, Sequence[Sequence[tuple[int, int]]], BoolArray], Any | None]
    predict_rows: Callable[[Any], FloatArray]


_NEEDED = {
    "leaves": "needs a tree model",
    "gradient": "needs a model that gives gradients",
    "redrawable": "needs layers of weights to draw anew, of scikit-learn, torch or ONNX",
}


@dataclass(frozen=True)
class Capabilities:
    """
    What only some models can do; a capability that a model lacks is None.

    A model that wraps another passes on what the other can do, with ``dataclasses.replace``, and
    takes away only what is no longer true. Methods say by these names what they need.

    Attributes
    ----------
    leaves
        Returns the leaves of trees whose sum is the answer, as boxes on the columns of a table;
        raises ``UnableError`` where these trees cannot be followed.
    masked_text
        Answers masked texts without their strings.
    read_length
        Returns up to which code point a text is read.
    gradient
        Returns how its scores change with its inputs, or with what a layer makes of them, by its
        name; raises ``UnableError`` where this model cannot be differentiated, or has no layers.
    redrawable
        Returns the names of the layers that can be drawn anew, from the top down.
    row_by_row
        Whether each row is answered alike to the last digit, whatever stands beside it.
    why_not
        Reasons, by the name of what the model lacks, as ``UnableError`` gives them.
    """

    leaves: Callable[[], LeafBoxes] | None = None
    masked_text: MaskedText | None = None
    read_length: Callable[[str], int] | None = None
    gradient: Callable[..., Gradient] | None = None
    redrawable: Callable[[], tuple[str, ...]] | None = None
    row_by_row: bool = False
    why_not: Mapping[str, str] = field(default_factory=dict)

    def check(self, needs: Iterable[str]) -> None:
        """
        Check that nothing is lacking of what a method needs.

        Raises
        ------
        UnableError
            The first capability that is lacking, with the reason.
        """
        for name in sorted(needs):
            if not getattr(self, name):
                plain = _NEEDED.get(name, f"needs a model with {name}")
                raise UnableError(self.why_not.get(name, plain))

    def reasons_without(self, names: Iterable[str], reason: str) -> dict[str, str]:
        """Return ``why_not`` with a reason for each of some capabilities that is there to lose."""
        return {name: reason for name in names if getattr(self, name)} | dict(self.why_not)


class Model(Protocol):
    """A model that answers batches."""

    @property
    def signature(self) -> Signature:
        """What the probe chose."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond answering."""
        ...

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        ...


@dataclass(frozen=True)
class PictureInput:
    """
    What a model takes.

    Attributes
    ----------
    layout
        ``NCHW`` (rows, channels, height, width) or ``NHWC``.
    dtype
        A NumPy name.
    height, width, channels
        None where it takes any, or it is not known.
    rows
        The one batch size that it takes; None: any.
    flat
        How many pixels it takes in a row; None: it takes pictures.
    """

    layout: str = "NHWC"
    dtype: str = "float32"
    height: int | None = None
    width: int | None = None
    channels: int | None = None
    rows: int | None = None
    flat: int | None = None


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
    def tokenizer_sha256(self) -> str | None:
        """SHA-256 (hex) of the tokenizer file beside it, which decides the numbers as well."""
        ...

    @property
    def takes(self) -> PictureInput | None:
        """How it takes pictures; None: it does not say."""
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

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Accepted parameters of the file that the installed classes do not know."""
        ...

    def settle(self, batch: Batch) -> Signature:
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

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        ...
