"""Pictures: files, folders and stacks; their superpixels are features."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.baselines import Baseline, label_of, open_baseline
from xplain_cli.baselines.assignment import check_unasked
from xplain_cli.baselines.fills import FilledPictures, MeanColour
from xplain_cli.baselines.lessons import Examples, picture_examples
from xplain_cli.datasets.pictures import Pictures, find_pictures
from xplain_cli.datasets.pixels import Pixels
from xplain_cli.errors import RefusedError, UsageError, counted
from xplain_cli.explanation import Rows
from xplain_cli.features import Perturbation
from xplain_cli.methods import Method
from xplain_cli.methods.defaults import follows_scores, origin_of
from xplain_cli.methods.linear_codes import code_size
from xplain_cli.methods.requests import OWN
from xplain_cli.modalities import (
    Load,
    Neighbourhood,
    OpenedModality,
    Piece,
    classes_named,
    model_id,
)
from xplain_cli.modalities.image.candidates import OtherPictures, PictureReference
from xplain_cli.modalities.image.compose import PictureRow
from xplain_cli.modalities.image.foils import asks_late
from xplain_cli.modalities.image.masks import PictureMasker
from xplain_cli.modalities.image.preparation import Preparation, prepare_pictures
from xplain_cli.modalities.image.superpixels import (
    DEFAULT_SEGMENTS,
    Cut,
    open_cut,
)
from xplain_cli.models import LoadedModel, Model, PictureInput, Signature
from xplain_cli.options.request import Request

_TRIED, _PROBED = 64, 4
_BATCH, _BATCH_BYTES = 32, 48_000_000
_CHUNK_ROWS = 4
_REFERENCE = 256


@dataclass(frozen=True)
class PictureData:
    """
    Opened pictures.

    Attributes
    ----------
    request
        What the user asked for.
    found
        Where the pictures are.
    preparation
        How they are read and handed over.
    cut
        How superpixels are found.
    baseline
        What stands for a hidden one.
    others
        Pictures that the baseline names.
    takes
        What the model takes.
    first : (b, ...)
        The first pictures as the model takes them, all of one shape.
    largest
        Bytes of the largest picture as the model takes it.
    model_id
        SHA-256 (hex) of the model, and its member.
    masker
        How the pictures of the run are split and masked; None before that is chosen.
    """

    request: Request
    found: Pictures
    preparation: Preparation
    cut: Cut
    baseline: Baseline
    others: OtherPictures
    takes: PictureInput
    first: Any
    largest: int
    model_id: str = ""
    masker: Any = None

    columns: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """DATA as the user named it."""
        return self.request.sources.data

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of ids and contents."""
        return self.found.sha256

    @property
    def n_rows(self) -> int:
        """The number of pictures."""
        return len(self.found)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided on opening."""
        return (*self.found.notes, *self.preparation.notes)

    @property
    def batch_rows(self) -> int:
        """Pictures of every model batch: what the model takes, else as many as 48 MB hold."""
        if self.request.batches.batch_size is not None:
            return self.request.batches.batch_size
        return self.takes.rows or int(np.clip(_BATCH_BYTES // self.largest, 1, _BATCH))

    def gives(self, method: str) -> str:  # noqa: ARG002 - all mask alike
        """Return ``masks``."""
        return "masks"

    def probe(self) -> Any:
        """Return the first pictures as the model takes them."""
        return self.first

    def typical(self) -> Any:
        """Return the first pictures."""
        return self.first

    def reference(self) -> Any:
        """Return the first pictures that can be read, at most 256, as the model takes them."""
        read = []
        for picture in self.found.take(0, min(self.n_rows, _REFERENCE), self.preparation.reading):
            with contextlib.suppress(RefusedError):
                read.append(self.preparation.form.apply(self._plain.pixels(picture).values))
        return np.stack(read)

    def pieces(self, size: int, start: int, stop: int) -> Iterator[Piece]:
        """Yield references to the pictures start..stop in pieces of *size*."""
        for at in range(start, stop, size):
            batch = self.found.take(at, min(at + size, stop), self.preparation.reading)
            ids = [picture.id for picture in batch]
            yield Piece(batch, Rows(at, ids, pd.DataFrame(index=range(len(batch)))))

    def chunk_rows(self, method: Method, neighbourhood: Neighbourhood) -> int:  # noqa: ARG002 - all mask alike
        """Return how many pictures make a unit of work: one where their sizes may differ."""
        return 1 if _sizes_differ(self.preparation) else _CHUNK_ROWS

    def perturbation_for(self, method: Method, model: Model, signature: Signature) -> Neighbourhood:
        """Return the masker, and say where the masks are too few for a code."""
        if self._by_pixel and not follows_scores(method):
            raise UsageError(
                "--unit pixel: a picture has too many pixels to be masked one by one; take -m ig or"
                " another method by gradients, or leave it out"
            )
        label = label_of("image", self.baseline, self.request.first_baseline)
        fitted = self.baseline.fit(self._reference(model, signature))
        if not asks_late(fitted):
            check_unasked(fitted, label)
        every = origin_of(method) != OWN
        perturbation = replace(self._plain, hidden=fitted, every=every)
        notes = list(fitted.notes)
        count = self.cut.most
        asked = self.request.sampling.samples or method.default_budget(perturbation)[0]
        least = code_size(count or DEFAULT_SEGMENTS)
        if method.sampled and least > asked and self.request.sampling.budget is None:
            notes.append(
                f"{count} superpixels: {asked} masks are no code for so many, but"
                f" pairs, with many times the variance; --samples {least} makes one"
            )
        return Neighbourhood(
            perturbation, label, self.baseline.sentence, features=count, notes=tuple(notes)
        )

    def _reference(self, model: Model, signature: Signature) -> PictureReference:
        """Return what baselines are fitted on."""
        classes = classes_named(signature)
        return PictureReference(
            self.others, self.found, self._plain, model, self.batch_rows, classes, self.model_id
        )

    @property
    def _by_pixel(self) -> bool:
        """Whether every pixel is a feature."""
        return self.request.texts.unit == "pixel"

    @property
    def _plain(self) -> PictureMasker:
        """The masker that reads and cuts pictures, whatever hides their superpixels."""
        shape = (self.takes.height, self.takes.width, self.takes.channels)
        form = self.preparation.form
        return PictureMasker(
            self.cut, FilledPictures(MeanColour()), form, shape, by_pixel=self._by_pixel
        )

    def read(self, number: int) -> PictureRow:
        """
        Read and cut one picture, to draw it.

        Raises
        ------
        RefusedError
            It cannot be read.
        """
        picture = self.found.take(number, number + 1, self.preparation.reading)[0]
        masker: PictureMasker = self.masker or self._plain
        return masker.read(picture)

    def drawn_by(self, perturbation: Perturbation | None) -> "PictureData":
        """Return the pictures with what hides their superpixels, to draw that too."""
        return replace(self, masker=perturbation)

    def original(self, number: int) -> NDArray[Any]:
        """
        Return a picture (h, w, c) at its own size, upright, to draw on.

        Raises
        ------
        RefusedError
            It cannot be read.
        """
        whole = replace(self.preparation.reading, resize=None, short=None, crop=None)
        return self.found.take(number, number + 1, whole)[0].read().values

    def examples(self, model: Model) -> Examples:
        """Return pictures of one size (``Modality.examples``)."""
        source = self._reference(model, model.signature).readable()
        return picture_examples(
            source, self.preparation.form.apply, self.preparation.form.numbers()
        )

    def numbers(self) -> dict[str, Any]:
        """Return what of the reading and the splitting decides the numbers."""
        return {
            "reading": asdict(self.preparation.reading),
            "form": self.preparation.form.numbers(),
            "cut": self.cut.numbers(),
            **self.baseline.numbers(self.others),
        }

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says of the pictures."""
        cut = "every pixel" if self._by_pixel else self.request.segmentation.segmenter
        return {"pictures": len(self.found), "segmenter": cut}

    def described(self) -> str:
        """Return the model's inputs in a line."""
        shape = " x ".join(map(str, self.first.shape[1:]))
        return (
            f"pictures as {self.preparation.form.dtype} {self.preparation.form.layout[1:]}, {shape}"
        )


def _sizes_differ(preparation: Preparation) -> bool:
    """Return whether pictures may come to the model in several sizes."""
    return preparation.reading.resize is None and preparation.reading.crop is None


def _largest(request: Request, found: Pictures, preparation: Preparation, first: Any) -> int:
    """Return the bytes of the largest picture as the model takes it."""
    if not _sizes_differ(preparation):
        return int(first[0].nbytes)
    if request.workers.chunk_rows not in {None, 1}:
        raise UsageError(
            f"--chunk-rows {request.workers.chunk_rows}: pictures that may differ in size are"
            " explained one at a time; leave it out, or give --resize"
        )
    if preparation.reading.short is not None:
        return int(first[0].nbytes)
    channels = first.shape[1 if preparation.form.layout == "NCHW" else 3]
    bytes_ = channels * first.dtype.itemsize
    return int(max(first[0].nbytes, bytes_ * found.most_pixels(preparation.reading)))


def _takes(request: Request, loaded: LoadedModel) -> PictureInput:
    """Return what the model takes; of a callable, what nobody says."""
    return loaded.takes or PictureInput(request.picture_form.layout or "NHWC")


def _first(found: Pictures, preparation: Preparation) -> list[Pixels]:
    """Read the first pictures that can be read, all of one shape."""
    read: list[Pixels] = []
    reasons: list[str] = []
    for picture in found.take(0, _TRIED, preparation.reading):
        try:
            pixels = picture.read()
        except RefusedError as error:
            reasons.append(f"{picture.id}: {error}")
            continue
        if not read or pixels.values.shape == read[0].values.shape:
            read.append(pixels)
        if len(read) == _PROBED:
            break
    if not read:
        raise RefusedError(
            f"of the first {counted(len(reasons), 'picture')} none can be read: {reasons[0]}"
        )
    return read


def _handed(preparation: Preparation, loaded: LoadedModel, first: list[Pixels]) -> Preparation:
    """Hand a callable bytes, where pictures are bytes and nothing is done to them."""
    form = preparation.form
    plain = (form.rescale, form.mean, form.std) == (1.0, (0.0,), (1.0,))
    if loaded.takes is not None or not plain or first[0].values.dtype != np.uint8:
        return preparation
    bytes_ = replace(form, dtype="uint8")
    return replace(preparation, form=bytes_, notes=("pictures are handed over as bytes, 0 to 255",))


def open_data(request: Request, load: Load) -> OpenedModality:
    """
    Open pictures and the model.

    Raises
    ------
    RefusedError, UsageError
        With the file, the place and the way out.
    """
    found = find_pictures(request.sources.data)
    asked = request.segmentation
    cut = open_cut(asked.segmenter, asked.segments, request.texts.unit)
    loaded = load()
    takes = _takes(request, loaded)
    preparation = prepare_pictures(request, takes)
    first = _first(found, preparation)
    preparation = _handed(preparation, loaded, first)
    baseline = open_baseline("image", request.first_baseline)
    others = OtherPictures(preparation.reading)
    inputs = np.stack([preparation.form.apply(pixels.values) for pixels in first])
    largest = _largest(request, found, preparation, inputs)
    held = (request, found, preparation, cut, baseline, others, takes, inputs, largest)
    data = PictureData(*held, model_id=model_id(request, loaded))
    return OpenedModality(data, loaded)
