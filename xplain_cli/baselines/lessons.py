"""What a generator of baselines learns from: rows as vectors and as points of the model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.baselines.vectors import (
    PictureSpace,
    Pull,
    TableSpace,
    VectorForm,
    measured_space,
    picture_pull,
    table_pull,
)
from xplain_cli.errors import RefusedError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray

MOST_ROWS, MOST_BYTES = 20_000, 500_000_000
"""What a generator learns from at most; as vectors."""


@dataclass(frozen=True)
class Lesson:
    """
    What a generator learns from.

    Attributes
    ----------
    form
        What the places of a vector stand for.
    pull
        How the points of the model move with vectors.
    vectors : (m, D)
        Rows.
    fixed : (m, D)
        Places that stay.
    points : (m, ...)
        The same rows as the model's gradient takes them.
    """

    form: VectorForm
    pull: Pull
    vectors: FloatArray
    fixed: BoolArray
    points: FloatArray

    def of(self, rows: IntArray) -> "Lesson":
        """Return some of the rows."""
        chosen = (self.vectors[rows], self.fixed[rows], self.points[rows])
        return Lesson(self.form, self.pull, *chosen)

    def moved(self, made: FloatArray) -> FloatArray:
        """Return the points (m, ...) of vectors (m, D) that were made of the rows."""
        return np.asarray(self.points + self.pull.along(made - self.vectors))


class Enters(Protocol):
    """What makes points of a model's inputs (``models.gradients.Gradient``)."""

    @property
    def enter(self) -> Callable[[Any], FloatArray]:
        """Return the points (m, ...) of a batch."""


@dataclass(frozen=True)
class Examples:
    """
    Rows of a modality that something can be learned from.

    Attributes
    ----------
    rows
        As the space takes them: a table, or a list of pictures (h, w, c).
    space
        How rows and vectors become each other.
    inputs
        Returns such rows as the model takes them.
    pull
        Given what enters the model's gradient: how its points move with vectors.
    noun
        What a row is called.
    notes
        What was decided, for the user.
    held
        Columns of a table that stay each row's own.
    """

    rows: Any
    space: TableSpace | PictureSpace
    inputs: Callable[[Any], Any]
    pull: Callable[[Callable[[Any], FloatArray]], Pull]
    noun: str = "row"
    notes: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    def lesson(self, gradient: Enters) -> Lesson:
        """
        Return the lesson for a model.

        Raises
        ------
        UsageError
            What enters its gradient does not follow rows column by column.
        """

        def enter(rows: Any) -> FloatArray:
            return gradient.enter(self.inputs(rows))

        vectors, missing = self.space.vectors(self.rows)
        fixed = missing | self.space.places(self.held)
        return Lesson(self.space.form, self.pull(enter), vectors, fixed, enter(self.rows))


def _as_they_are(rows: Any) -> Any:
    return rows


def table_examples(
    rows: pd.DataFrame,
    discrete: frozenset[str],
    notes: tuple[str, ...],
    held: tuple[str, ...] = (),
) -> Examples:
    """
    Return the first rows of a table, as many as fit.

    Parameters
    ----------
    discrete
        Columns that are categories.
    notes
        What was decided, for the user.
    held
        Columns that stay each row's own.
    """
    notes = (*notes, *_cut(len(rows), MOST_ROWS, "rows"))
    some = rows.head(MOST_ROWS)
    space = measured_space(some, discrete)
    return Examples(some, space, _as_they_are, partial(table_pull, space, some), "row", notes, held)


def _cut(there: int, most: int, nouns: str) -> tuple[str, ...]:
    return (f"learning from the first {most} of {there} {nouns}",) if there > most else ()


def picture_examples(
    readable: Iterable[tuple[str, NDArray[Any], bool]],
    handed: Callable[[NDArray[Any]], NDArray[Any]],
    form_numbers: dict[str, Any],
) -> Examples:
    """
    Return pictures of one size, as many as fit.

    Parameters
    ----------
    readable
        Pictures: an id, values (h, w, c), whether they run from 0 to 255.
    handed
        Returns a picture as the model takes it.
    form_numbers
        What decides how.

    Raises
    ------
    RefusedError
        There are none; or they are of several sizes.
    """
    rows: list[NDArray[Any]] = []
    whole, room = False, MOST_ROWS
    for name, values, is_8bit in readable:
        if rows and values.shape != rows[0].shape:
            raise RefusedError(
                f"{name}: is {values.shape[1]} x {values.shape[0]}, and those before it are"
                f" {rows[0].shape[1]} x {rows[0].shape[0]}: a generator makes pictures of one size;"
                " give --resize"
            )
        rows.append(values)
        whole = whole or is_8bit
        room = min(MOST_ROWS, MOST_BYTES // (8 * values.size))
        if len(rows) == room:
            break
    if not rows:
        raise RefusedError("DATA: the model can take none of these pictures")
    low, high = (
        (0.0, 255.0)
        if whole
        else (float(min(one.min() for one in rows)), float(max(one.max() for one in rows)))
    )
    if not low < high:
        raise RefusedError("DATA: all pixels of these pictures are equal")
    height, width, channels = rows[0].shape
    space = PictureSpace((height, width, channels), low, high, form_numbers)
    notes = (f"learning from the first {room} pictures",) if len(rows) == room else ()

    def inputs(pictures: Any) -> Any:
        return np.stack([handed(one) for one in pictures])

    return Examples(rows, space, inputs, partial(picture_pull, space), "picture", notes)
