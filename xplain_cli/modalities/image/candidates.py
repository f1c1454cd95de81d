"""The pictures of a class that may stand in for another: found once, by asking the model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.pictures import Nearest, NearestOf, hold
from xplain_cli.datasets.pictures import Pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import RefusedError, UsageError, XplainError, nearest
from xplain_cli.explanation import BoolArray, FloatArray
from xplain_cli.modalities.image.masks import PictureLaw
from xplain_cli.models import Model, Settled
from xplain_cli.models.batches import count, predict_fixed, take

Candidate: TypeAlias = tuple[str, NDArray[Any], bool]
"""Its id, its values (h, w, c), and whether they run from 0 to 255."""

_READ = 512


@dataclass(frozen=True)
class Sought:
    """
    Where candidates are sought, and how the model is asked.

    Attributes
    ----------
    found
        The pictures.
    where
        What the user calls them.
    reading
        How they are read.
    law
        What the model takes.
    batch_rows
        Pictures of every model batch.
    most, most_bytes
        Of candidates; one is kept whatever its size.
    """

    found: Pictures
    where: str
    reading: Reading
    law: PictureLaw
    batch_rows: int
    most: int = 2_000
    most_bytes: int = 200_000_000

    def _readable(self) -> Iterator[Candidate]:
        """Yield the pictures that the model can take."""
        for start in range(0, len(self.found), _READ):
            for picture in self.found.take(start, start + _READ, self.reading):
                try:
                    pixels = self.law.pixels(picture)
                except RefusedError:
                    continue
                yield picture.id, pixels.values, pixels.eight

    def batches(self) -> Iterator[list[Candidate]]:
        """Yield pictures of one shape, at most a model batch at a time."""
        held: list[Candidate] = []
        for one in self._readable():
            apart = held and held[0][1].shape != one[1].shape
            if apart or len(held) == self.batch_rows:
                yield held
                held = []
            held.append(one)
        if held:
            yield held

    def answers(self, model: Model, batch: list[Candidate]) -> FloatArray:
        """Return the outputs (b, k) on a batch; NaN where the model fails."""
        inputs = np.stack([self.law.form.apply(values) for _, values, _ in batch])
        return answers_of(model, inputs, self.batch_rows)


def answers_of(model: Model, inputs: Any, batch_rows: int) -> FloatArray:
    """Return the outputs (b, k) on candidates; NaN where the model fails."""
    try:
        return predict_fixed(model, inputs, size=batch_rows)
    except XplainError:
        raise
    except Exception:  # noqa: BLE001 - a model may raise anything; one bad candidate stays one
        if count(inputs) == 1:
            return np.full((1, 1), np.nan)
        each = [answers_of(model, take(inputs, [i]), batch_rows) for i in range(count(inputs))]
        width = max(map(np.size, each))
        return np.concatenate([np.broadcast_to(one, (1, width)) for one in each])


def in_class(answers: FloatArray, index: int) -> BoolArray:
    """Return which candidates the model puts in a class."""
    known: BoolArray = np.asarray(np.isfinite(answers).all(axis=1), dtype=np.bool_)
    best = np.where(known[:, None], answers, 0.0).argmax(axis=1)
    return np.asarray(known & (best == index), dtype=np.bool_)


class OfClass(Protocol):
    """What the user named: the nearest of a class."""

    @property
    def class_(self) -> str | None:
        """The class."""

    @property
    def says(self) -> str:
        """How the user said it."""


def class_index(wanted: OfClass, settled: Settled) -> int:
    """
    Return the output of a class.

    Raises
    ------
    UsageError
        The model has no such class, or no classes.
    """
    outputs = settled.outputs
    if settled.task != "classification" or len(outputs) < 2:
        raise UsageError(
            f"--baseline {wanted.says}: the model has no classes; take another baseline"
        )
    if wanted.class_ not in outputs:
        raise UsageError(
            f"--baseline {wanted.says}: the model has {', '.join(outputs[:12])}"
            f"{nearest(str(wanted.class_), outputs)}"
        )
    return outputs.index(wanted.class_)


def find_nearest(
    wanted: NearestOf, sought: Sought, model: Model, settled: Settled
) -> tuple[Nearest, str]:
    """
    Collect the first pictures that the model puts in a class, and say how many there are.

    Raises
    ------
    UsageError
        The model has no such class, or no classes.
    RefusedError
        It puts no picture there.
    """
    index = class_index(wanted, settled)
    held: list[Candidate] = []
    asked = bytes_ = 0
    full = False
    for batch in sought.batches():
        answers = sought.answers(model, batch)
        chosen = in_class(answers, index)
        for at in np.flatnonzero(chosen).tolist():
            size = batch[at][1].nbytes
            full = len(held) == sought.most or bool(held and bytes_ + size > sought.most_bytes)
            if full:
                break
            held.append(batch[at])
            bytes_ += size
        asked += int(np.isfinite(answers).all(axis=1).sum())
        if full:
            break
    if not held:
        raise RefusedError(
            f"--baseline {wanted.says}: the model puts none of the {asked} readable pictures of"
            f" {sought.where} in class {wanted.class_!r}; name another class, or other pictures:"
            f" {wanted.says},from=FOLDER"
        )
    form = sought.law.form
    factors = tuple(form.rescale / np.array(form.std, dtype=np.float64))
    whole = np.dtype(form.dtype).kind in "iu"
    some = f"the first {len(held)} pictures" if full else f"{len(held)} of {asked} pictures"
    note = (
        f"baseline: {some} of {sought.where} that the model puts in class {wanted.class_}; each"
        " picture takes the nearest (L2 over the model's input), never itself"
    )
    return Nearest(wanted.says, hold(held), tuple(map(float, factors)), whole), note
