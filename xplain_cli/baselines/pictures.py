"""Baselines that are other pictures: a named one, or the nearest of a class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.assignment import NO_CLASS, SHORT, Ask, Assigned
from xplain_cli.baselines.candidates import fit_nearest
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray, IntArray

Pixels: TypeAlias = NDArray[np.floating[Any]]
"""Values (h, w, c) in single or double precision."""

_ALIGNED = 8
_ROUGH = 1e-4
"""What single precision may be wrong by: what is so near is compared again in double."""


class ReadablePicture(Protocol):
    """A picture that can be read."""

    def read(self) -> Any:
        """Return its pixels, with ``values`` (h, w, c)."""


class PictureFiles(Protocol):
    """Reads what a baseline of pictures names."""

    def picture(self, path: str) -> ReadablePicture:
        """Return the picture at a path, read as those of DATA are."""

    def pictures_sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of the pictures of a folder and of their names."""

    def sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of any file or folder."""


class FilePictureReference(Protocol):
    """What pictures offer to a baseline that is a picture of a file."""

    @property
    def files(self) -> PictureFiles:
        """Reads what its settings name."""


class CutPicture(Protocol):
    """A picture with its superpixels."""

    @property
    def values(self) -> NDArray[Any]:
        """(h, w, c)."""

    @property
    def labels(self) -> NDArray[Any]:
        """The superpixel (h, w) of each pixel, 0 to S-1."""

    @property
    def is_8bit(self) -> bool:
        """Whether values run from 0 to 255."""

    @property
    def precision(self) -> Any:
        """The NumPy type in which baselines of it are made."""


def replaced_by(label: str) -> str:
    """Say what stands for "absent", for the manifest."""
    return f"each hidden superpixel is replaced: {label}"


def scaled(plane: NDArray[Any], height: int, width: int) -> FloatArray:
    """Return a plane (h, w) in another size, bilinearly."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float64)


def _alike(other: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return a picture in the size and with the channels of *shape*; None: with other channels."""
    if other.shape[2] == 1 and shape[2] > 1:
        other = np.repeat(other, shape[2], axis=2)
    if other.shape[2] != shape[2]:
        return None
    if other.shape == shape:
        return other
    return np.stack([scaled(plane, *shape[:2]) for plane in np.moveaxis(other, 2, 0)], axis=2)


@dataclass(frozen=True)
class OtherPicture:
    """The same place of another picture."""

    path: str = field(default="", metadata=SHORT)

    many: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.path:
            raise UsageError("--baseline file: name one, such as file=empty.png")

    @property
    def label(self) -> str:
        """Name it."""
        return f"the same place of {PurePath(self.path).name}"

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return replaced_by(self.label)

    def numbers(self, files: PictureFiles) -> dict[str, Any]:
        """Return what the file holds."""
        return {"hidden": {"other": files.sha256(self.path)}}

    def fit(self, reference: FilePictureReference) -> "SamePlace":
        """
        Read it once, so that what cannot be read is refused before the first row.

        Raises
        ------
        RefusedError
            It cannot be read.
        """
        picture = reference.files.picture(self.path)
        picture.read()
        return SamePlace(self.path, picture)


@dataclass(frozen=True)
class SamePlace:
    """Assigns every picture one other picture, in its size (``FittedBaseline``)."""

    path: str
    picture: ReadablePicture

    k: ClassVar[int] = 1
    wanted: ClassVar[int] = NO_CLASS
    most_asked: ClassVar[int] = 0
    has_origins: ClassVar[bool] = False
    notes: ClassVar[tuple[str, ...]] = ()

    def assign(self, rows: Sequence[CutPicture], classes: IntArray, ask: Ask) -> Assigned:  # noqa: ARG002 - the same for all
        """
        Give each picture the other one.

        Raises
        ------
        RefusedError
            It has other channels.
        """
        other = np.asarray(self.picture.read().values, dtype=np.float64)
        values = []
        for row in rows:
            alike = _alike(other, row.values.shape)
            if alike is None:
                raise RefusedError(
                    f"{self.path} has {other.shape[2]} channels, the picture {row.values.shape[2]}"
                )
            values.append(alike)
        return Assigned(values, [None] * len(rows), np.zeros(len(rows), dtype=np.int64))


@dataclass(frozen=True)
class NearestPicture:
    """
    The same place of the nearest picture of a class.

    Attributes
    ----------
    class_
        The class that the model itself puts the picture in.
    from_
        A folder of pictures; None: DATA.
    """

    class_: str | None = field(default=None, metadata={"key": "class"})
    from_: str | None = field(default=None, metadata={"key": "from"})

    labels: ClassVar[None] = None
    many: ClassVar[bool] = False
    fit = fit_nearest

    def __post_init__(self) -> None:
        if not self.class_:
            raise UsageError("--baseline nearest: of which class? nearest:class=NAME")

    @property
    def label(self) -> str:
        """Name it; where it is looked for is known by content."""
        return f"nearest:class={self.class_}"

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return replaced_by(self.label)

    def numbers(self, files: PictureFiles) -> dict[str, Any]:
        """Return the class, and what the folder holds."""
        own = {"hidden": {"nearest": self.class_}}
        return own | ({"candidates": files.pictures_sha256(self.from_)} if self.from_ else {})


@dataclass(frozen=True)
class _Candidate:
    """One candidate, and where its pixels start."""

    id: str
    shape: tuple[int, ...]
    dtype: str
    is_8bit: bool
    start: int


@dataclass(frozen=True)
class SharedPictures:
    """Pictures in one array, so that the workers of a machine share their memory."""

    held: tuple[_Candidate, ...]
    memory: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.held)

    def values(self, at: int) -> NDArray[Any]:
        """Return the pixels (h, w, c) of one."""
        one = self.held[at]
        size = int(np.prod(one.shape)) * np.dtype(one.dtype).itemsize
        return self.memory[one.start : one.start + size].view(one.dtype).reshape(one.shape)


def hold(pictures: Sequence[tuple[str, NDArray[Any], bool]]) -> SharedPictures:
    """Put pictures (id, values, whether they run from 0 to 255) together."""
    sizes = [-(-values.nbytes // _ALIGNED) * _ALIGNED for _, values, _ in pictures]
    starts = (np.cumsum(sizes) - sizes).tolist()
    memory = np.zeros(sum(sizes), dtype=np.uint8)
    held = []
    for (name, values, is_8bit), start in zip(pictures, starts, strict=True):
        bytes_ = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        memory[start : start + values.nbytes] = bytes_
        held.append(_Candidate(name, values.shape, values.dtype.str, is_8bit, start))
    return SharedPictures(tuple(held), memory)


@dataclass(frozen=True)
class PictureMembers:
    """
    Pictures of a class, and how far they are pixel by pixel (``candidates.Members``).

    L2 over the pixels as the model takes them. Candidates with other channels, or another range of
    values, are compared with nothing, and no picture with itself.

    Attributes
    ----------
    label
        What the user typed for the baseline.
    held
        The pictures.
    factors
        What the model's input changes by with a pixel, of each channel; one stands for all.
    whole
        Whether the model is handed whole numbers.
    """

    label: str
    held: SharedPictures
    factors: tuple[float, ...]
    whole: bool

    @property
    def origins(self) -> tuple[str, ...]:
        """The id of each."""
        return tuple(one.id for one in self.held.held)

    def distances(
        self, rows: Sequence[CutPicture], classes: IntArray
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield for each picture the candidates that may be nearest, and how far they are."""
        del classes  # all are of one
        for row in rows:
            rough = self._apart(range(len(self.held)), row, np.float32)
            known = np.isfinite(rough)
            near = known & (rough <= rough.min(initial=np.inf) * (1 + _ROUGH))
            few = np.flatnonzero(near)
            yield few, self._apart(few.tolist(), row, np.float64)

    def values(self, places: IntArray, rows: Sequence[CutPicture]) -> list[Pixels]:
        """Return candidates, each in the size of its picture."""
        return [
            np.asarray(_alike(self.held.values(at), row.values.shape), dtype=row.precision)
            for at, row in zip(places.tolist(), rows, strict=True)
        ]

    def lonely(self, index: int) -> str:  # noqa: ARG002 - all are of one class
        """Say that nothing is left to compare with."""
        return (
            f"{self.label}: no other picture of the class has its channels and range of values;"
            " name more pictures with from=FOLDER"
        )

    def _apart(self, places: Sequence[int], row: CutPicture, precision: Any) -> FloatArray:
        """Return how far candidates are; infinity where one is the picture, or unlike it."""
        own = self._seen(row.values).astype(precision)
        found = np.full(len(places), np.inf)
        for i, at in enumerate(places):
            alike = self.held.held[at].is_8bit == row.is_8bit
            other = _alike(self.held.values(at), row.values.shape) if alike else None
            if other is not None:
                apart = np.subtract(self._seen(other), own, dtype=precision, casting="same_kind")
                found[i] = self._length(apart.reshape(len(own), -1)) or np.inf
        return found

    def _seen(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.rint(values) if self.whole and values.dtype.kind == "f" else values

    def _length(self, apart: NDArray[Any]) -> float:
        """Return the length of a difference (h, w * c) as the model takes it."""
        if len(self.factors) == 1:
            return abs(self.factors[0]) * float(np.sqrt(np.vdot(apart, apart)))
        apart *= np.tile(self.factors, apart.shape[1] // len(self.factors)).astype(apart.dtype)
        return float(np.sqrt(np.vdot(apart, apart)))
