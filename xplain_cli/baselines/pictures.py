"""Another picture in the place of a hidden superpixel: a named one, or the nearest of a class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray

Pixels: TypeAlias = NDArray[np.floating[Any]]
"""Values (h, w, c) in single or double precision."""

_ALIGNED = 8
_ROUGH = 1e-4
"""What single precision may be wrong by: what is so near is compared again in double."""


class Readable(Protocol):
    """A picture that can be read."""

    def read(self) -> Any:
        """Return its pixels, with ``values`` (h, w, c)."""


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
class Other:
    """The same place of another picture."""

    path: str
    picture: Readable

    @property
    def says(self) -> str:
        """Name it."""
        return f"the same place of {PurePath(self.path).name}"

    def fill(self, values: Pixels, labels: NDArray[Any], *, eight: bool) -> Pixels:  # noqa: ARG002 - its own range
        """Fill."""
        other = np.asarray(self.picture.read().values, dtype=np.float64)
        alike = _alike(other, values.shape)
        if alike is None:
            raise RefusedError(
                f"{self.path} has {other.shape[2]} channels, the picture {values.shape[2]}"
            )
        return alike


@dataclass(frozen=True)
class NearestOf:
    """
    The same place of the nearest picture of a class: what the user names.

    Attributes
    ----------
    class_
        The class that the model itself puts the picture in.
    from_
        A folder of pictures; None: DATA.
    """

    class_: str | None = field(default=None, metadata={"key": "class"})
    from_: str | None = field(default=None, metadata={"key": "from"})

    def __post_init__(self) -> None:
        if not self.class_:
            raise UsageError("--baseline nearest: of which class? nearest:class=NAME")

    @property
    def says(self) -> str:
        """Name it."""
        return f"nearest:class={self.class_}"


@dataclass(frozen=True)
class Near:
    """The picture that is nearest to one picture, in its size."""

    says: str
    origin: str
    distance: float
    values: NDArray[Any]

    def fill(self, values: Pixels, labels: NDArray[Any], *, eight: bool) -> Pixels:  # noqa: ARG002 - it is chosen
        """Fill."""
        return np.asarray(self.values, dtype=values.dtype)


@dataclass(frozen=True)
class _Held:
    """One candidate, and where its pixels start."""

    id: str
    shape: tuple[int, ...]
    dtype: str
    eight: bool
    start: int


@dataclass(frozen=True)
class Candidates:
    """Pictures in one array, so that the workers of a machine share their memory."""

    held: tuple[_Held, ...]
    memory: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.held)

    def values(self, at: int) -> NDArray[Any]:
        """Return the pixels (h, w, c) of one."""
        one = self.held[at]
        size = int(np.prod(one.shape)) * np.dtype(one.dtype).itemsize
        return self.memory[one.start : one.start + size].view(one.dtype).reshape(one.shape)


def hold(pictures: Sequence[tuple[str, NDArray[Any], bool]]) -> Candidates:
    """Put pictures (id, values, whether they run from 0 to 255) together."""
    sizes = [-(-values.nbytes // _ALIGNED) * _ALIGNED for _, values, _ in pictures]
    starts = (np.cumsum(sizes) - sizes).tolist()
    memory = np.zeros(sum(sizes), dtype=np.uint8)
    held = []
    for (name, values, eight), start in zip(pictures, starts, strict=True):
        bytes_ = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        memory[start : start + values.nbytes] = bytes_
        held.append(_Held(name, values.shape, values.dtype.str, eight, start))
    return Candidates(tuple(held), memory)


@dataclass(frozen=True)
class Nearest:
    """
    The same place of the nearest candidate that is not the picture itself, pixel by pixel.

    Attributes
    ----------
    says
        Its name.
    candidates
        The pictures of the class.
    factors
        What the model's input changes by with a pixel, of each channel; one stands for all.
    whole
        Whether the model is handed whole numbers.
    """

    says: str
    candidates: Candidates
    factors: tuple[float, ...]
    whole: bool

    def near(self, values: NDArray[Any], *, eight: bool) -> Near:
        """
        Return the candidate with the least L2 distance over the pixels as the model takes them.

        The first of equally near ones. Candidates with other channels, or another range of values,
        are compared with nothing.

        Raises
        ------
        RefusedError
            There is none.
        """
        rough = self._distances(range(len(self.candidates)), values, np.float32, eight=eight)
        if not np.isfinite(rough).any():
            raise RefusedError(
                f"{self.says}: no other picture of the class has its channels and range of values;"
                " name more pictures with from=FOLDER"
            )
        few = np.flatnonzero(rough <= rough.min() * (1 + _ROUGH)).tolist()
        exact = self._distances(few, values, np.float64, eight=eight)
        at = few[int(exact.argmin())]
        chosen = np.asarray(_alike(self.candidates.values(at), values.shape))
        return Near(self.says, self.candidates.held[at].id, float(exact.min()), chosen)

    def _distances(
        self, places: Sequence[int], values: NDArray[Any], precision: Any, *, eight: bool
    ) -> FloatArray:
        """Return how far candidates are; infinity where one is the picture, or unlike it."""
        own = self._seen(values).astype(precision)
        found = np.full(len(places), np.inf)
        for i, at in enumerate(places):
            held = self.candidates.held[at]
            other = (
                _alike(self.candidates.values(at), values.shape) if held.eight == eight else None
            )
            if other is not None:
                apart = np.subtract(self._seen(other), own, dtype=precision, casting="same_kind")
                found[i] = self._length(apart.reshape(len(values), -1)) or np.inf
        return found

    def _seen(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.rint(values) if self.whole and values.dtype.kind == "f" else values

    def _length(self, apart: NDArray[Any]) -> float:
        """Return the length of a difference (h, w * c) as the model takes it."""
        if len(self.factors) == 1:
            return abs(self.factors[0]) * float(np.sqrt(np.vdot(apart, apart)))
        apart *= np.tile(self.factors, apart.shape[1] // len(self.factors)).astype(apart.dtype)
        return float(np.sqrt(np.vdot(apart, apart)))

    def fill(self, values: Pixels, labels: NDArray[Any], *, eight: bool) -> Pixels:
        """Fill."""
        return self.near(values, eight=eight).fill(values, labels, eight=eight)
