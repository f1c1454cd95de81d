"""The pictures of a class that may stand in for another: found once, by asking the model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.batches import predict_fixed
from xplain_cli.datasets.pictures import Pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import RefusedError, UsageError, XplainError, nearest
from xplain_cli.explanation import FloatArray
from xplain_cli.features.other_pictures import Nearest, NearestOf, hold
from xplain_cli.features.pictures import PictureLaw
from xplain_cli.models import Model, Settled

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
        try:
            return predict_fixed(model, inputs, size=self.batch_rows)
        except XplainError:
            raise
        except Exception:  # noqa: BLE001 - a model may raise anything; one bad picture stays one
            if len(batch) == 1:
                return np.full((1, 1), np.nan)
            each = [self.answers(model, [one]) for one in batch]
            width = max(map(np.size, each))
            return np.concatenate([np.broadcast_to(one, (1, width)) for one in each])


def _class_index(wanted: NearestOf, settled: Settled) -> int:
    """Return the output of a class."""
    outputs = settled.outputs
    if settled.task != "classification" or len(outputs) < 2:
        raise UsageError(
            f"--baseline {wanted.says}: the model has no classes; take another baseline, such as"
            " mean or blur"
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
    index = _class_index(wanted, settled)
    held: list[Candidate] = []
    asked = bytes_ = 0
    full = False
    for batch in sought.batches():
        answers = sought.answers(model, batch)
        known = np.asarray(np.isfinite(answers).all(axis=1), dtype=np.bool_)
        chosen = known & (np.where(known[:, None], answers, 0.0).argmax(axis=1) == index)
        for at in np.flatnonzero(chosen).tolist():
            size = batch[at][1].nbytes
            full = len(held) == sought.most or bool(held and bytes_ + size > sought.most_bytes)
            if full:
                break
            held.append(batch[at])
            bytes_ += size
        asked += int(known.sum())
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
