"""The protocols of a modality: its data, its perturbation, its story; and the table of all.

Folder = command. A modality is opened once, in the parent; workers get its perturbation and its
batches.
What can be said of its runs without opening DATA is its story.
"""

import hashlib
import importlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from xplain_cli.baselines.lessons import Examples
from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray, IntArray, Records, Rows
from xplain_cli.features import Perturbation, Split
from xplain_cli.methods import Method
from xplain_cli.models import LoadedModel, Model, Signature
from xplain_cli.models.judges import Judge
from xplain_cli.options.request import Request
from xplain_cli.remote import local
from xplain_cli.runs.paths import RunPlace

PROBE_ROWS = 16


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of DATA as a perturbation takes them, and as the user knows them."""

    batch: Any
    rows: Rows

    @property
    def start(self) -> int:
        """The number in DATA of the first row."""
        return self.rows.start

    @property
    def stop(self) -> int:
        """The number in DATA after the last row."""
        return self.rows.start + len(self.rows.ids)


@dataclass(frozen=True)
class Neighbourhood:
    """
    The perturbation by which features are taken away, and how the model is asked then.

    Attributes
    ----------
    perturbation
        What workers split rows by.
    baseline
        What stands for "absent", as every line of the output says it.
    meaning
        The same in a sentence, for the manifest.
    features
        How many features a row has at most; None: rows must be split to know it.
    sparse
        Whether masked texts are asked as sparse rows.
    scored
        Whether these rows are scores already, a few numbers each.
    judge
        The model that judges baselines.
    facts
        What else the manifest says of it.
    notes
        What was decided, for the user.
    masked
        What stands for "absent" where features are taken away after all, if it is not *baseline*.
    layer_mean
        The mean of a layer's value over rows, where paths begin there.
    """

    perturbation: Perturbation
    baseline: str
    meaning: str
    features: int | None = None
    sparse: bool = False
    scored: bool = False
    judge: Judge | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    masked: str = ""
    layer_mean: FloatArray | None = None


class Modality(Protocol):
    """DATA of one kind, opened and checked against the model."""

    def gives(self, method: str) -> str:
        """Say what the perturbation of a method gives it: ``draws`` or ``masks``."""

    @property
    def paths(self) -> tuple[str, ...]:
        """DATA as the user named it."""

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of DATA."""

    @property
    def n_rows(self) -> int:
        """The number of rows of DATA."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in DATA that somebody may mistake for a target."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided on opening, for the user."""

    @property
    def batch_rows(self) -> int:
        """Rows of every model batch."""

    def probe(self) -> Any:
        """Return the first rows as the model takes them."""

    def typical(self) -> Any:
        """Return rows that stand for what the model sees, as it takes them."""

    def reference(self) -> Any:
        """Return the rows that a mean is taken over, as the model takes them."""

    def pieces(self, size: int, start: int, stop: int) -> Iterator[Piece]:
        """Yield rows start..stop in pieces of *size*."""

    def chunk_rows(self, method: Method, neighbourhood: Neighbourhood) -> int:
        """Return how many rows make a good unit of work."""

    def perturbation_for(self, method: Method, model: Model, signature: Signature) -> Neighbourhood:
        """
        Return the perturbation that a method needs.

        Raises
        ------
        UsageError
            The method cannot explain such rows.
        """

    def examples(self, model: Model) -> Examples:
        """
        Return rows of DATA that a generator of baselines can learn from.

        Raises
        ------
        UsageError
            None can be learned of such rows, with what to take instead.
        """

    def numbers(self) -> Mapping[str, Any]:
        """Return what of the reading and the splitting decides the numbers, as JSON values."""

    def facts(self) -> Mapping[str, Any]:
        """Return what the manifest says of DATA."""

    def described(self) -> str:
        """Return the model's inputs in a line."""


Load: TypeAlias = Callable[[], LoadedModel]
"""Judges and loads the model: called once DATA is known to be there."""


@dataclass(frozen=True)
class OpenedModality:
    """An opened modality and the model that it was checked against."""

    modality: Modality
    loaded: LoadedModel


def classes_named(signature: Signature) -> tuple[str, ...]:
    """Return the names of the model's classes; none for a model without."""
    some = signature.task == "classification" and len(signature.outputs) > 1
    return signature.outputs if some else ()


def model_id(request: Request, loaded: LoadedModel) -> str:
    """Return what tells a model from others: the SHA-256 (hex) of its file, and its member."""
    member = request.explanation.member
    return loaded.sha256 if member is None else f"{loaded.sha256}:{member}"


def content_sha256(name: str) -> str:
    """
    Return the SHA-256 (hex) of a file, or of all files below a folder with their names.

    Raises
    ------
    RefusedError
        There is no such file, or it cannot be read.
    """
    path, state = Path(local(name)), hashlib.sha256()
    if not path.exists():
        raise RefusedError(f"{name}: no such file")
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                state.update(os.fsencode(file.relative_to(path).as_posix()) + b"\0")
                state.update(hashlib.sha256(file.read_bytes()).digest())
    except OSError as error:
        raise RefusedError(f"{name}: cannot be read: {error.strerror or error}") from error
    return state.hexdigest()


MODALITIES: dict[str, str] = {
    "image": "xplain_cli.modalities.image",
    "tabular": "xplain_cli.modalities.tabular",
    "text": "xplain_cli.modalities.text",
}
"""The folder of each modality, by the name of its command: its ``data`` module has ``open_data``,
its ``story`` module ``STORY``. They are imported when a run needs them, and no other is."""


def import_modality(modality: str) -> None:
    """Import what opens DATA of a modality, and what tells of it."""
    for part in ("data", "story"):
        importlib.import_module(f"{MODALITIES[modality]}.{part}")


def open_modality(request: Request, load: Load) -> OpenedModality:
    """
    Open DATA and the model, and check the one against the other.

    Raises
    ------
    RefusedError, UsageError
        With the file, the place and the way out.
    """
    data = importlib.import_module(f"{MODALITIES[request.modality]}.data")
    opened: OpenedModality = data.open_data(request, load)
    return opened


@dataclass(frozen=True)
class WholeRun:
    """
    A run whose parts are all there: what extra files are made of.

    Attributes
    ----------
    place
        Where the files of the run stand.
    rendering
        How the plan shows results: ``maps``, ``write_maps``, ``csv_guard``, ...
    values
        Whether values of DATA may be shown.
    parts
        Opens the parts anew: (start, stop, records) of each, in order.
    modality, perturbation
        DATA, opened, and how its rows were split; None for a merged run, which reads none.
    slices
        Where the runs stand that were merged into it.
    jobs
        How many may work at the same time.
    """

    place: RunPlace
    rendering: Mapping[str, Any]
    values: bool
    parts: Callable[[], Iterator[tuple[int, int, Records]]]
    modality: Modality | None = None
    perturbation: Perturbation | None = None
    slices: tuple[RunPlace, ...] = ()
    jobs: int = 1


@dataclass(frozen=True)
class ExtraFiles:
    """
    What a run has beside the files of every run.

    Attributes
    ----------
    outputs
        Files that the manifest lists with their SHA-256.
    facts
        What else the manifest says of them.
    missing
        What should be there and is not, in words.
    """

    outputs: tuple[Path, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def _no_check(place: RunPlace, rendering: Mapping[str, Any], *, values: bool) -> None:
    """Find nothing in the way: no extra file is written."""


def _no_files(whole: WholeRun) -> ExtraFiles:  # noqa: ARG001 - a default of ``Story``
    """Write nothing."""
    return ExtraFiles()


class ReasonWords(Protocol):
    """How a reason is put into words."""

    def __call__(self, name: str, value: str | None, baseline: str | None) -> str:
        """Return a feature with its value and that of its baseline, as far as they may be shown."""
        ...


class AbsenceWords(Protocol):
    """How the row without its features is put into words."""

    def __call__(self, n_features: int, n_changed: int | None, origin: str | None) -> str:
        """
        Return the beginning of a sentence on what the model says of the baseline.

        Parameters
        ----------
        n_features, n_changed
            Features of the row, and those that differ from its baseline (None: it is not known).
        origin
            Where the baseline of this row comes from, if that is known.
        """
        ...


@dataclass(frozen=True)
class Pictured:
    """
    A row as a picture, and where its features are in it.

    Attributes
    ----------
    values : (h, w)
        From the least to the greatest of the row.
    owners : (h, w) int
        The feature that each pixel belongs to.
    """

    values: FloatArray
    owners: IntArray

    def spread(self, weights: FloatArray) -> FloatArray:
        """Return the weight (h, w) of the feature that each pixel belongs to."""
        return np.asarray(weights[self.owners], dtype=np.float64)

    def shared_out(self, weights: FloatArray) -> FloatArray:
        """Return weights (h, w) shared out over the pixels of each feature: the sum stays."""
        areas = np.bincount(self.owners.ravel(), minlength=len(weights))
        return self.spread(weights / np.maximum(areas, 1))


def _no_picture(rows: Split, place: int, grid: tuple[int, int] | None) -> Pictured | None:  # noqa: ARG001 - a default of ``Story``
    """See no picture in a row."""
    return None


Counterparts: TypeAlias = Callable[[Any, Any], Any]
"""Takes the weights of a part, and the names (L,) of their features; returns the names under which
the features of two runs are the same."""


def _by_name(weights: Any, lines: Any) -> Any:  # noqa: ARG001 - a default of ``Story``
    """Tell features of a row apart by what they are called."""
    return weights["feature"].to_numpy(dtype=object)


def _called_alike(old: RunPlace, new: RunPlace) -> tuple[Counterparts | None, Counterparts | None]:  # noqa: ARG001 - a default of ``Story``
    """Say that features of two runs are the same where they are called alike."""
    return None, None


class Originals(Protocol):
    """What rows were before they were split into features, from DATA."""

    def __call__(
        self, request: Request, numbers: Mapping[str, Any], rows: Collection[int]
    ) -> Mapping[int, str]:
        """
        Return the texts of some rows, by their numbers in DATA.

        Parameters
        ----------
        request
            What the run was asked.
        numbers
            What of its plan decides the numbers, the SHA-256 of DATA among it.

        Raises
        ------
        XplainError
            DATA is not there, or is another now.
        """
        ...


class PlaceCheck(Protocol):
    """A look at where extra files go."""

    def __call__(self, place: RunPlace, rendering: Mapping[str, Any], *, values: bool) -> None:
        """Raise UsageError where something else stands in their place."""
        ...


@dataclass(frozen=True)
class Story:
    """
    What can be said of the runs of a modality by its name alone; DATA need not be there.

    Attributes
    ----------
    rows, feature
        What rows (in the plural) and features (in the singular) are called.
    value_name
        What the value of a feature is.
    features_said
        (numbers of the plan, manifest) -> into which features a row is split.
    spoken, removed
        Reasons and the row without its features, in words.
    unranked
        Why features are not ranked over all rows: no feature of one row is that of another.
        Empty where they are.
    named_by_value
        Whether the name of a feature is a value of DATA too, and is hidden with these.
    in_spans
        Whether features stand somewhere in a text that can be put together from them.
    several_baselines
        Whether explanations under several baselines have the same features.
    any_baseline
        Whether weights can be measured under another baseline than their own.
    check_place, extra_files
        Whether extra files may be written, and writing them.
    feature_keys
        (weights of a part, how many belong to each line) -> what tells the features of a row apart.
    value_columns
        Columns of the weights that tell whether a row is the same in two runs.
    pictured
        (rows, place, grid) -> a row as a picture; None where rows are none. The grid (height,
        width) says how the columns of a table lie.
    originals
        What reads from DATA the texts whose units are features; None: there are none.
    counterparts
        What renames the features of OLD and of NEW, given their places, so that two runs can be
        joined; None: they are called alike.
    """

    rows: str
    feature: str
    value_name: str
    features_said: Callable[[Mapping[str, Any], Mapping[str, Any]], str]
    spoken: ReasonWords
    removed: AbsenceWords
    unranked: str = ""
    named_by_value: bool = False
    in_spans: bool = False
    several_baselines: bool = True
    any_baseline: bool = False
    check_place: PlaceCheck = _no_check
    extra_files: Callable[[WholeRun], ExtraFiles] = _no_files
    feature_keys: Callable[[Any, Any], Any] = _by_name
    value_columns: tuple[str, ...] = ("feature_value",)
    pictured: Callable[[Any, int, tuple[int, int] | None], Pictured | None] = _no_picture
    counterparts: Callable[
        [RunPlace, RunPlace], tuple[Counterparts | None, Counterparts | None]
    ] = _called_alike
    originals: Originals | None = None

    @property
    def ranks_over_rows(self) -> bool:
        """Whether a feature of one row is the same feature in another."""
        return not self.unranked


def story_of(modality: str) -> Story:
    """Return the story of a modality, by the name that plans and manifests have for it."""
    story: Story = importlib.import_module(f"{MODALITIES[modality]}.story").STORY
    return story
