"""Looks for pictures of a class that may be the baseline of others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.candidates import Batch, NearestOfClass, classes_of
from xplain_cli.baselines.pictures import PictureMembers, hold
from xplain_cli.datasets.pictures import Picture, Pictures, find_pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import RefusedError
from xplain_cli.modalities import content_sha256
from xplain_cli.modalities.image.masks import PictureMasker
from xplain_cli.models import Model

Candidate: TypeAlias = tuple[str, NDArray[Any], bool]
"""Its id, its values (h, w, c), and whether they run from 0 to 255."""

_READ = 512


@dataclass(frozen=True)
class OtherPictures:
    """
    Reads pictures that a baseline names, as those of DATA are (``PictureFiles``).

    Attributes
    ----------
    reading
        How pictures are read.
    found
        Path -> its pictures: each is looked through once.
    """

    reading: Reading
    found: dict[str, Pictures] = field(default_factory=dict)

    def pictures(self, path: str) -> Pictures:
        """
        Find the pictures at a path.

        Raises
        ------
        RefusedError
            There are none.
        """
        if path not in self.found:
            self.found[path] = find_pictures([path])
        return self.found[path]

    def picture(self, path: str) -> Picture:
        """Return the first picture at a path."""
        return self.pictures(path).take(0, 1, self.reading)[0]

    def pictures_sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of the pictures at a path and of their names."""
        return self.pictures(path).sha256

    def sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of any file or folder."""
        return content_sha256(path)


@dataclass(frozen=True)
class PictureSource:
    """
    Where candidates are looked for, and how the model is asked (``candidates.FileSource``).

    Attributes
    ----------
    label
        What the user typed for the baseline.
    found
        The pictures.
    where
        What the user calls them.
    reading
        How they are read.
    perturbation
        What the model takes.
    model
        Says of which class they are.
    batch_rows
        Pictures of every model batch.
    most, most_bytes
        Of candidates; one is kept whatever its size.
    """

    label: str
    found: Pictures
    where: str
    reading: Reading
    perturbation: PictureMasker
    model: Model
    batch_rows: int
    most: int = 2_000
    most_bytes: int = 200_000_000

    noun: ClassVar[str] = "picture"
    measure: ClassVar[str] = "L2 over the model's input"
    place: ClassVar[str] = "FOLDER"

    def readable(self) -> Iterator[Candidate]:
        """Yield the pictures that the model can take."""
        for start in range(0, len(self.found), _READ):
            for picture in self.found.take(start, start + _READ, self.reading):
                try:
                    pixels = self.perturbation.pixels(picture)
                except RefusedError:
                    continue
                yield picture.id, pixels.values, pixels.is_8bit

    def _together(self) -> Iterator[list[Candidate]]:
        """Yield pictures of one shape, at most a model batch at a time."""
        held: list[Candidate] = []
        for one in self.readable():
            apart = held and held[0][1].shape != one[1].shape
            if apart or len(held) == self.batch_rows:
                yield held
                held = []
            held.append(one)
        if held:
            yield held

    def batches(self) -> Iterator[Batch[Candidate]]:
        """Yield the pictures that can be read, predicted."""
        for batch in self._together():
            inputs = np.stack([self.perturbation.form.apply(values) for _, values, _ in batch])
            yield Batch(batch, classes_of(self.model, inputs, self.batch_rows))

    def room(self, held: Sequence[Candidate], more: Sequence[Candidate]) -> int:
        """Return how many more pictures can be kept in memory."""
        sizes = [values.nbytes for _, values, _ in (*held, *more)]
        fits = np.cumsum(sizes) <= self.most_bytes
        fits[:1] = True
        fits[self.most :] = False
        return int(fits.sum()) - len(held)

    def keep(self, found: Sequence[Candidate]) -> PictureMembers:
        """Put candidates together, to be compared as the model takes them."""
        form = self.perturbation.form
        each = form.std[::-1] if form.bgr else form.std  # candidates are red, green, blue
        factors = tuple(map(float, form.rescale / np.array(each, dtype=np.float64)))
        whole = np.dtype(form.dtype).kind in "iu"
        return PictureMembers(self.label, hold(found), factors, whole)


@dataclass(frozen=True)
class PictureReference:
    """
    What pictures offer to baselines.

    Attributes
    ----------
    files
        Reads pictures that settings name.
    data
        DATA.
    perturbation
        What the model takes.
    model, batch_rows
        How it is asked.
    classes
        The names of its classes; none for a model without.
    model_id
        SHA-256 (hex) of the model, and its member.
    """

    files: OtherPictures
    data: Pictures
    perturbation: PictureMasker
    model: Model
    batch_rows: int
    classes: tuple[str, ...]
    model_id: str = ""

    @property
    def form_numbers(self) -> dict[str, Any]:
        """How the model takes pictures."""
        return self.perturbation.form.numbers()

    def readable(self) -> Iterator[Candidate]:
        """Yield the pictures of DATA that the model can take."""
        return self._source("DATA", "DATA", self.data).readable()

    def source(self, wanted: NearestOfClass) -> PictureSource:
        """Return where candidates are looked for."""
        found = self.data if wanted.from_ is None else self.files.pictures(wanted.from_)
        where, label = wanted.from_ or "DATA", f"nearest:class={wanted.class_}"
        return self._source(label, where, found)

    def _source(self, label: str, where: str, found: Pictures) -> PictureSource:
        reading, perturbation = self.files.reading, self.perturbation
        return PictureSource(
            label, found, where, reading, perturbation, self.model, self.batch_rows
        )
