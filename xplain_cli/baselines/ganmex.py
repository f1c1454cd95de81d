"""The baseline ``ganmex``: what a learned generator makes of a row, of another class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.assignment import SHORT, Ask, Assigned
from xplain_cli.baselines.candidates import check_classes, class_index
from xplain_cli.baselines.generators import Generator, warnings_of
from xplain_cli.baselines.learned_file import LearnedFile, read_learned
from xplain_cli.baselines.members import of_whom
from xplain_cli.baselines.revert import give_back, most_given_back
from xplain_cli.baselines.tables import TableReference
from xplain_cli.baselines.vectors import PictureSpace, TableSpace
from xplain_cli.errors import LostRowError, RefusedError, UsageError, well_formed
from xplain_cli.explanation import FloatArray, IntArray

S = TypeVar("S", bound=TableSpace | PictureSpace)

_INSTEAD = "median, mean or sample"
_SHARES = tuple(i / 16 for i in range(1, 16))
"""Which shares of the largest change of a pixel count as small, one after the other."""


class Hashing(Protocol):
    """Reads the bytes of what a baseline names."""

    def sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of any file or folder."""


class PictureLearned(Protocol):
    """What pictures offer to a learned baseline."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the model's classes; none for a model without."""

    @property
    def model_id(self) -> str:
        """SHA-256 (hex) of the model, and its member."""

    @property
    def form_numbers(self) -> dict[str, Any]:
        """How the model takes pictures."""


class HandedPicture(Protocol):
    """A picture, and how the model takes one."""

    @property
    def values(self) -> NDArray[Any]:
        """(h, w, c)."""

    @property
    def precision(self) -> Any:
        """The NumPy type in which baselines of it are made."""

    @property
    def handed(self) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """Returns a picture (h, w, c) as the model takes it."""


@dataclass(frozen=True)
class _Named:
    """What a user types for a learned baseline."""

    path: str = field(default="", metadata=SHORT)
    revert: bool = False
    class_: str | None = field(default=None, metadata={"key": "class"})

    reads: ClassVar[str] = "nothing"
    trained: ClassVar[bool] = True  # by a command of its own, for one model
    many: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.path:
            raise UsageError(
                "--baseline ganmex: name a file that 'xplain baselines train ganmex MODEL DATA -o"
                " G.xplain' wrote: ganmex=G.xplain"
            )

    @property
    def label(self) -> str:
        """Name it."""
        more = f",class={self.class_}" if self.class_ is not None else ""
        return f"ganmex={self.path}{',revert=yes' * self.revert}{more}"

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        whose = of_whom(self.class_, None)
        back = ", small changes put back while the model still says that class" * self.revert
        return (
            f"ganmex: what a generator that {PurePath(self.path).name} holds makes of the row, of"
            f" {whose}{back}"
        )

    def numbers(self, files: Hashing) -> dict[str, Any]:
        """Return what the file holds."""
        return {"ganmex": files.sha256(self.path)}

    def opened(self, classes: Sequence[str], model_id: str) -> tuple[LearnedFile, int | None]:
        """
        Read the file, and return the class that is named.

        Raises
        ------
        RefusedError
            It is no such file, or was trained for another model.
        UsageError
            The model has no such class, or no classes.
        """
        check_classes(classes, _INSTEAD)
        learned = read_learned(self.path)
        if learned.model_sha256 != model_id:
            raise RefusedError(
                f"--baseline ganmex={self.path}: was trained for another model ({_start(learned)});"
                f" this one is {model_id[:12]}. What it makes says nothing of this one: train anew"
                " with xplain baselines train ganmex MODEL DATA -o G.xplain"
            )
        if learned.outputs != tuple(classes):
            raise RefusedError(
                f"--baseline ganmex={self.path}: was trained for the classes"
                f" {', '.join(learned.outputs[:8])}, and here they are {', '.join(classes[:8])}:"
                " give the same --class-names and --model-output"
            )
        wanted = None if self.class_ is None else class_index(self.class_, classes, _INSTEAD)
        if wanted is not None and not learned.generator.aims[wanted]:
            raise RefusedError(_unknown(classes[wanted]))
        return learned, wanted


def _start(learned: LearnedFile) -> str:
    return f"SHA-256 {learned.model_sha256[:12]}..."


def _notes(path: str, learned: LearnedFile) -> tuple[str, ...]:
    rates = learned.rates
    said = (
        f"baseline: {well_formed(path)}: of {rates.rows} made rows that training has not seen, the"
        f" model puts {rates.target:.3f} in the wanted class, an independent judge"
        f" {rates.judge:.3f}"
    )
    return (said, *(f"baseline: {one}" for one in warnings_of(rates)))


def _moved(path: str, learned: LearnedFile, held: Sequence[str]) -> tuple[str, ...]:
    """Say that a generator counts on moving what is held."""
    free = [name for name in held if name not in learned.held]
    if not free:
        return ()
    names = well_formed(", ".join(free[:8]))
    said = (
        f"baseline: {well_formed(path)}: was trained to move {names} too, which is held here, so"
        " that fewer made rows reach their class: train it with the same --hold"
    )
    return (said,)


def _unknown(name: str) -> str:
    return (
        f"--baseline ganmex: the model puts no row that the generator was trained on in class"
        f" {name!r}; name another class (class=NAME), or train on rows of it"
    )


def _checked(generator: Generator, outputs: Sequence[str], classes: IntArray) -> None:
    """Refuse classes that the generator never saw."""
    lacking = [k for k in np.unique(classes).tolist() if not generator.aims[k]]
    if lacking:
        raise LostRowError(_unknown(outputs[lacking[0]]))


@dataclass(frozen=True)
class Ganmex(_Named):
    """
    What a learned generator makes of a row of a table.

    Attributes
    ----------
    path
        The file.
    revert
        Give the row's own values back while the model still says the class.
    class_
        The class; default: the one against which each row is explained.
    """

    def fit(self, reference: TableReference) -> "MadeRows":
        """
        Read the file.

        Raises
        ------
        UsageError, RefusedError
            It does not belong to the model, its classes or its columns.
        """
        learned, wanted = self.opened(reference.classes, reference.model_id)
        space, columns = learned.space, tuple(map(str, reference.rows.columns))
        if not isinstance(space, TableSpace) or tuple(c.name for c in space.columns) != columns:
            raise RefusedError(
                f"--baseline ganmex={self.path}: was trained on other columns than {columns[0]!r}"
                " and those after it"
            )
        members = reference.members if self.revert else ()
        notes = (*_notes(self.path, learned), *_moved(self.path, learned, reference.held))
        return MadeRows(
            learned.generator, space, learned.outputs, wanted, notes, members, reference.held
        )


@dataclass(frozen=True)
class MadeRows:
    """
    Assigns each row of a table what a generator makes of it (``FittedBaseline``).

    Attributes
    ----------
    generator, space, outputs
        What makes it, and how rows and vectors become each other; the model's classes.
    wanted
        The class; None: the one against which each row is explained.
    notes
        For the user.
    members
        Features whose own values are given back; none: nothing is.
    held
        Columns that stay the row's own.
    """

    generator: Generator
    space: TableSpace
    outputs: tuple[str, ...]
    wanted: int | None
    notes: tuple[str, ...]
    members: tuple[tuple[str, ...], ...] = ()
    held: tuple[str, ...] = ()

    k: ClassVar[int] = 1
    has_origins: ClassVar[bool] = True
    judges: ClassVar[bool] = True

    @property
    def most_asked(self) -> int:
        """Model inputs of a row that gets back what it can; none where nothing is given back."""
        return most_given_back(len(self.members))

    def assign(self, rows: Any, classes: IntArray, ask: Ask) -> Assigned:
        """
        Make the baselines.

        Raises
        ------
        RefusedError
            Training has seen no row of a class.
        """
        _checked(self.generator, self.outputs, classes)
        vectors, missing = self.space.vectors(rows)
        fixed = missing | self.space.places(self.held)
        made = self.space.rows(self.generator.made(vectors, fixed, classes), rows)
        asked = np.zeros(len(rows), dtype=np.int64)
        if self.members:
            made, asked = give_back(rows, made, self.members, classes, ask)
        judged = self.generator.judge.classes(self.space.vectors(made)[0]) == classes
        return Assigned(made, ["made of the row"] * len(rows), asked, judged=judged)


@dataclass(frozen=True)
class GanmexPicture(_Named):
    """
    What a learned generator makes of a picture.

    Attributes
    ----------
    path
        The file.
    revert
        Put small changes of pixels back while the model still says the class.
    class_
        The class; default: the one against which each picture is explained.
    """

    def fit(self, reference: PictureLearned) -> "MadePictures":
        """
        Read the file.

        Raises
        ------
        UsageError, RefusedError
            It does not belong to the model, its classes or how it takes pictures.
        """
        learned, wanted = self.opened(reference.classes, reference.model_id)
        space = learned.space
        if not isinstance(space, PictureSpace) or not _alike(space, reference.form_numbers):
            raise RefusedError(
                f"--baseline ganmex={self.path}: was trained on what the model takes otherwise;"
                " give the same --rescale, --mean, --std, --layout and --channels"
            )
        notes = _notes(self.path, learned)
        return MadePictures(
            learned.generator, space, learned.outputs, wanted, notes, revert=self.revert
        )


def _alike(space: PictureSpace, numbers: dict[str, Any]) -> bool:
    """Say whether pictures are handed over as they were in training, of JSON values."""
    listed = {k: list(v) if isinstance(v, tuple) else v for k, v in numbers.items()}
    return listed == {
        k: list(v) if isinstance(v, tuple) else v for k, v in space.form_numbers.items()
    }


@dataclass(frozen=True)
class MadePictures:
    """Assigns each picture what a generator makes of it (``FittedBaseline``)."""

    generator: Generator
    space: PictureSpace
    outputs: tuple[str, ...]
    wanted: int | None
    notes: tuple[str, ...]
    revert: bool = False

    k: ClassVar[int] = 1
    has_origins: ClassVar[bool] = True
    judges: ClassVar[bool] = True

    @property
    def most_asked(self) -> int:
        """Model inputs of a picture whose small changes are put back."""
        return len(_SHARES) if self.revert else 0

    def assign(self, rows: Sequence[HandedPicture], classes: IntArray, ask: Ask) -> Assigned:
        """
        Make the baselines.

        Raises
        ------
        RefusedError
            A picture is of another size, or training has seen none of a class.
        """
        _checked(self.generator, self.outputs, classes)
        for row in rows:
            if row.values.shape != self.space.shape:
                height, width, channels = self.space.shape
                raise LostRowError(
                    f"the generator makes pictures of {width} x {height} with {channels} channels,"
                    f" and this is {row.values.shape[1]} x {row.values.shape[0]} with"
                    f" {row.values.shape[2]}: give --resize or --channels as in training"
                )
        plain = [row.values for row in rows]
        vectors, fixed = self.space.vectors(plain)
        made = self.generator.made(vectors, fixed, classes)
        asked = np.zeros(len(rows), dtype=np.int64)
        if self.revert:
            made, asked = self._put_back(rows, vectors, made, classes, ask)
        judged = self.generator.judge.classes(made) == classes
        values = self.space.rows(made, plain)
        values = [one.astype(row.precision) for one, row in zip(values, rows, strict=True)]
        return Assigned(values, ["made of the picture"] * len(rows), asked, judged=judged)

    def _put_back(
        self,
        rows: Sequence[HandedPicture],
        vectors: FloatArray,
        made: FloatArray,
        classes: IntArray,
        ask: Ask,
    ) -> tuple[FloatArray, IntArray]:
        """Put back changes below ever larger shares of the largest, while the class holds."""
        apart = np.abs(made - vectors)
        levels = apart.max(axis=1, keepdims=True) * np.array(_SHARES)
        tried = np.where(apart[:, None] < levels[..., None], vectors[:, None], made[:, None])
        flat, own = tried.reshape(-1, made.shape[1]), np.repeat(np.arange(len(rows)), len(_SHARES))
        pictures = self.space.rows(flat, [rows[i].values for i in own.tolist()])
        inputs = [
            rows[i].handed(one.astype(rows[i].precision))
            for i, one in zip(own.tolist(), pictures, strict=True)
        ]
        found = ask(np.stack(inputs)).argmax(axis=1).reshape(len(rows), -1)
        holds = np.logical_and.accumulate(found == classes[:, None], axis=1).sum(axis=1)
        best = np.where(
            (holds > 0)[:, None], tried[np.arange(len(rows)), np.maximum(holds - 1, 0)], made
        )
        return best, np.full(len(rows), len(_SHARES), dtype=np.int64)
