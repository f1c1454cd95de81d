"""Finds the rows that the model puts in a class, and the nearest of them for each row.

The same for all modalities. A modality offers a source (how its rows are read and predicted) and
keeps what was found (how far two rows are apart).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from xplain_cli.baselines.assignment import NO_CLASS, Ask, Assigned
from xplain_cli.errors import LostRowError, RefusedError, UsageError, XplainError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models import Model
from xplain_cli.models.batches import count, predict_fixed, take
from xplain_cli.targets import likely_names

T = TypeVar("T")


@dataclass(frozen=True)
class Batch(Generic[T]):
    """
    Rows that were read and predicted.

    Attributes
    ----------
    rows : b rows, in any form that their source knows
    classes : (b,) int
        The class that each is of; ``NO_CLASS`` where the model cannot say, or a label disagrees.
    """

    rows: Sequence[T]
    classes: IntArray


class CandidateSource(Protocol[T]):
    """Where candidates are looked for."""

    def batches(self) -> Iterator[Batch[T]]:
        """Yield all rows, predicted."""

    def room(self, held: Sequence[T], more: Sequence[T]) -> int:
        """Return how many of *more* rows of a class can be kept beside those held."""


def unlimited(source: object, held: Sequence[T], more: Sequence[T]) -> int:  # noqa: ARG001 - the protocol's
    """Stand for ``CandidateSource.room`` where all rows are in memory anyway."""
    return len(more)


@dataclass(frozen=True)
class ClassMembers(Generic[T]):
    """
    Rows of some classes.

    Attributes
    ----------
    rows
        Class -> its rows, in the order of their source.
    asked
        How many rows the model put in a class.
    full
        Whether there was no room for more.
    """

    rows: Mapping[int, Sequence[T]]
    asked: int
    full: bool


def find_members(source: CandidateSource[T], classes: Sequence[int]) -> ClassMembers[T]:
    """Collect the rows of some classes, until there is no room for more."""
    held: dict[int, list[T]] = {index: [] for index in classes}
    asked, full = 0, False
    for batch in source.batches():
        asked += int((batch.classes != NO_CLASS).sum())
        for index, own in held.items():
            more = [batch.rows[at] for at in np.flatnonzero(batch.classes == index).tolist()]
            room = source.room(own, more)
            own.extend(more[:room])
            full = full or room < len(more)
        if full:
            break
    return ClassMembers(held, asked, full)


def class_index(name: str, classes: Sequence[str], instead: str) -> int:
    """
    Return the place of a class among the model's.

    Parameters
    ----------
    instead
        Baselines for a model without classes.

    Raises
    ------
    UsageError
        The model has no such class, or no classes.
    """
    check_classes(classes, instead)
    if name not in classes:
        raise UsageError(
            f"--baseline class={name}: the model has {', '.join(classes[:12])}"
            f"{likely_names(name, classes)}"
        )
    return classes.index(name)


def check_classes(classes: Sequence[str], instead: str) -> None:
    """
    Refuse a baseline of a class for a model without classes.

    Raises
    ------
    UsageError
        With baselines that can be taken instead.
    """
    if not classes:
        raise UsageError(f"--baseline: the model has no classes; take {instead}")


def classes_of(model: Model, inputs: Any, batch_rows: int) -> IntArray:
    """Return the class (b,) that the model puts each row in; ``NO_CLASS`` where it fails."""
    answers = _answers(model, inputs, batch_rows)
    known: BoolArray = np.asarray(np.isfinite(answers).all(axis=1))
    best = np.where(known[:, None], answers, 0.0).argmax(axis=1)
    return np.asarray(np.where(known, best, NO_CLASS), dtype=np.int64)


def _answers(model: Model, inputs: Any, batch_rows: int) -> FloatArray:
    """Return the outputs (b, k) on candidates; NaN where the model fails."""
    try:
        return predict_fixed(model, inputs, size=batch_rows)
    except XplainError:
        raise
    except Exception:  # noqa: BLE001 - a model may raise anything; one bad candidate stays one
        if count(inputs) == 1:
            return np.full((1, 1), np.nan)
        each = [_answers(model, take(inputs, [i]), batch_rows) for i in range(count(inputs))]
        width = max(map(np.size, each))
        return np.concatenate([np.broadcast_to(one, (1, width)) for one in each])


class Members(Protocol):
    """Rows of some classes, as workers hold them, and how far they are from other rows."""

    @property
    def origins(self) -> Sequence[str]:
        """Where each stands, for the user."""

    def distances(self, rows: Any, classes: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield for each row the members that may stand in for it, and how far they are."""

    def values(self, places: IntArray, rows: Any) -> Any:
        """Return the members at *places* (b,), each in the form of its row."""

    def lonely(self, index: int) -> str:
        """Say why no member of a class may stand in for a row."""


def nearest_members(members: Members, rows: Any, classes: IntArray) -> tuple[IntArray, FloatArray]:
    """
    Return the nearest member of each row's class, (b,), the first of equals, and how far it is.

    Raises
    ------
    LostRowError
        No member may stand in for a row.
    """
    best, far = np.empty(len(classes), dtype=np.int64), np.empty(len(classes))
    for i, (places, apart) in enumerate(members.distances(rows, classes)):
        if not len(places):
            raise LostRowError(members.lonely(int(classes[i])))
        at = int(apart.argmin())
        best[i], far[i] = places[at], apart[at]
    return best, far


@dataclass(frozen=True)
class NearestMember:
    """Assigns each row the nearest member of the wanted class (``FittedBaseline``)."""

    members: Members
    wanted: int | None
    class_name: str | None = None
    notes: tuple[str, ...] = ()

    k: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0
    has_origins: ClassVar[bool] = True

    def assign(self, rows: Any, classes: IntArray, ask: Ask) -> Assigned:  # noqa: ARG002 - it asks nothing
        """Give each row its nearest."""
        best, far = nearest_members(self.members, rows, classes)
        origins = [self.members.origins[i] for i in best.tolist()]
        asked = np.zeros(len(best), dtype=np.int64)
        return Assigned(self.members.values(best, rows), origins, asked, far, self.class_name)


class NearestOfClass(Protocol):
    """What a user types for the nearest of a class, where candidates are looked for in files."""

    @property
    def class_(self) -> str | None:
        """The class."""

    @property
    def from_(self) -> str | None:
        """Where candidates are; None: in DATA."""

    @property
    def labels(self) -> str | None:
        """A column whose word must be the class too."""


class FileSource(CandidateSource[T], Protocol[T]):
    """Candidates in DATA or in another file, and the words to speak of them."""

    @property
    def where(self) -> str:
        """What the user calls the file."""

    @property
    def noun(self) -> str:
        """What a row is: ``text``."""

    @property
    def measure(self) -> str:
        """What the distance is."""

    @property
    def place(self) -> str:
        """What may hold other candidates: ``FILE``."""

    def keep(self, found: Sequence[T]) -> Members:
        """Return candidates as workers hold them."""


class FileReference(Protocol[T]):
    """What texts and pictures offer to baselines."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the model's classes; none for a model without."""

    def source(self, wanted: NearestOfClass) -> FileSource[T]:
        """Return where candidates are looked for."""


def fit_nearest(wanted: NearestOfClass, reference: FileReference[T]) -> NearestMember:
    """
    Collect the rows of a class: ``Baseline.fit`` of texts and pictures.

    Raises
    ------
    UsageError
        The model has no such class, or no classes; there is no column of labels.
    RefusedError
        It puts no row there.
    """
    name = str(wanted.class_)
    index = class_index(name, reference.classes, "another baseline")
    source = reference.source(wanted)
    found = find_members(source, [index])
    rows = found.rows[index]
    labelled = f" labelled {name!r} in column {wanted.labels!r}" if wanted.labels else ""
    nouns = f"{source.noun}s"
    if not rows:
        raise RefusedError(
            f"--baseline nearest:class={name}: the model puts none of the {found.asked} {nouns} of"
            f" {source.where}{labelled} in class {name!r}; name another class, or other {nouns}:"
            f" nearest:class={name},from={source.place}"
        )
    some = f"the first {len(rows)}" if found.full else f"{len(rows)} of {found.asked}"
    note = (
        f"baseline: {some} {nouns} of {source.where}{labelled} that the model puts in class {name};"
        f" each {source.noun} takes the nearest ({source.measure}), never itself"
    )
    return NearestMember(source.keep(rows), index, name, (note,))
