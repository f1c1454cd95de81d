"""Baselines of pictures that fill a hidden superpixel: colours, blur, inpainting."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.assignment import NO_CLASS, SHORT, Ask, Assigned
from xplain_cli.baselines.pictures import CutPicture, Pixels, replaced_by, scaled
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.specs import settings_of

_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_COPY = 64
"""Pixels of the longer side of the copy that is inpainted: what it makes up is smooth anyway."""


class Named(Protocol):
    """A kind with a name of its own."""

    @property
    def name(self) -> str:
        """How plans call it: part of every run id, so it outlives a change of the class's name."""


class Fill(Protocol):
    """What replaces superpixels by the picture's own pixels, or by a colour: nothing is fitted."""

    @property
    def label(self) -> str:
        """Name it, for the ``baseline`` column."""

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:
        """
        Return a picture (h, w, c) of which every superpixel shows what stands for it.

        Parameters
        ----------
        values : (h, w, c)
            The picture.
        labels : (h, w)
            Its superpixels, 0 to S-1.
        is_8bit
            Whether values run from 0 to 255; otherwise their range is the user's own.

        Raises
        ------
        RefusedError
            It cannot stand for this picture.
        """


@dataclass(frozen=True)
class FilledPictures:
    """Assigns every picture what a fill makes of it (``FittedBaseline``)."""

    fill: Fill

    k: ClassVar[int] = 1
    wanted: ClassVar[int] = NO_CLASS
    most_asked: ClassVar[int] = 0
    has_origins: ClassVar[bool] = False
    notes: ClassVar[tuple[str, ...]] = ()

    def assign(self, rows: Sequence[CutPicture], classes: IntArray, ask: Ask) -> Assigned:  # noqa: ARG002 - each by itself
        """
        Fill every picture.

        Raises
        ------
        RefusedError
            The fill cannot stand for one of them.
        """
        filled = [
            self.fill.fill(
                np.asarray(row.values, dtype=row.precision), row.labels, is_8bit=row.is_8bit
            )
            for row in rows
        ]
        return Assigned(filled, [None] * len(filled), np.zeros(len(filled), dtype=np.int64))


def fill_each(fill: Fill, reference: object) -> FilledPictures:  # noqa: ARG001 - nothing is learned of it
    """Stand for ``Baseline.fit``: a fill needs no reference."""
    return FilledPictures(fill)


def settings_count(fill: Named, files: object) -> dict[str, Any]:  # noqa: ARG001 - the protocol's
    """Stand for ``Baseline.numbers``: the kind and its settings."""
    return {"hidden": {"kind": fill.name, **settings_of(fill)}}


def mean_colours(values: NDArray[Any], labels: NDArray[Any]) -> FloatArray:
    """Return the mean (S, c) of each superpixel."""
    flat, planes = labels.ravel(), values.reshape(-1, values.shape[2]).T
    sums = np.stack([np.bincount(flat, weights=plane) for plane in planes], axis=1)
    return np.asarray(sums / np.bincount(flat)[:, None], dtype=np.float64)


@dataclass(frozen=True)
class MeanColour:
    """The superpixel's own mean colour, as lime does it."""

    name: ClassVar[str] = "Mean"
    label: ClassVar[str] = "own mean colour"
    sentence: ClassVar[str] = replaced_by(label)
    many: ClassVar[bool] = False
    numbers = settings_count
    fit = fill_each

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:  # noqa: ARG002 - any range
        """Fill."""
        return np.asarray(mean_colours(values, labels).astype(values.dtype)[labels])


def _flat(values: Pixels, colour: FloatArray) -> Pixels:
    """Return one colour everywhere; alpha, where there is one, stays full."""
    filled = np.empty_like(values)
    filled[..., :3] = colour[: min(3, values.shape[2])]
    filled[..., 3:] = 255.0
    return filled


def _only_eight(name: str, *, is_8bit: bool) -> None:
    if not is_8bit:
        raise RefusedError(
            f"{name} is a colour of 0 to 255, and these pixels have a range of their own; take"
            " --baseline mean, black or colour=NUMBER"
        )


@dataclass(frozen=True)
class Grey:
    """The middle of 0 to 255."""

    name: ClassVar[str] = "Grey"
    label: ClassVar[str] = "grey"
    sentence: ClassVar[str] = replaced_by(label)
    many: ClassVar[bool] = False
    numbers = settings_count
    fit = fill_each

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:  # noqa: ARG002 - one colour
        """Fill."""
        _only_eight("grey", is_8bit=is_8bit)
        return _flat(values, np.full(3, 127.5))


@dataclass(frozen=True)
class Black:
    """Zero."""

    name: ClassVar[str] = "Black"
    label: ClassVar[str] = "black"
    sentence: ClassVar[str] = replaced_by(label)
    many: ClassVar[bool] = False
    numbers = settings_count
    fit = fill_each

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:  # noqa: ARG002 - one colour
        """Fill."""
        return _flat(values, np.zeros(3))


@dataclass(frozen=True)
class White:
    """255."""

    name: ClassVar[str] = "White"
    label: ClassVar[str] = "white"
    sentence: ClassVar[str] = replaced_by(label)
    many: ClassVar[bool] = False
    numbers = settings_count
    fit = fill_each

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:  # noqa: ARG002 - one colour
        """Fill."""
        _only_eight("white", is_8bit=is_8bit)
        return _flat(values, np.full(3, 255.0))


@dataclass(frozen=True)
class Colour:
    """A colour: ``#rrggbb``, or one number for all channels."""

    value: str = field(default="", metadata=SHORT)

    name: ClassVar[str] = "Colour"
    many: ClassVar[bool] = False
    numbers = settings_count
    fit = fill_each

    def __post_init__(self) -> None:
        self._number()

    def _number(self) -> FloatArray:
        found = _HEX.fullmatch(self.value)
        if found:
            return np.array([int(part, 16) for part in found.groups()], dtype=np.float64)
        try:
            return np.full(3, float(self.value))
        except ValueError:
            raise UsageError(
                f"--baseline colour={self.value}: neither #rrggbb nor a number"
            ) from None

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return replaced_by(self.label)

    @property
    def label(self) -> str:
        """Name it."""
        return f"colour {self.value}"

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:  # noqa: ARG002 - one colour
        """Fill."""
        if self.value.startswith("#"):
            _only_eight(self.value, is_8bit=is_8bit)
        colour = self._number()
        if values.shape[2] == 1:
            colour = np.array([colour @ [0.299, 0.587, 0.114]])
        return _flat(values, colour)


@dataclass(frozen=True)
class Blur:
    """The picture itself without detail: a Gaussian whose sigma is a share of the longer side."""

    share: float = 0.05

    name: ClassVar[str] = "Blur"
    many: ClassVar[bool] = False
    numbers = settings_count
    fit = fill_each

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"blur:share={self.share}: a share of the longer side, above 0")

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return replaced_by(self.label)

    @property
    def label(self) -> str:
        """Name it."""
        return f"blurred (sigma {self.share:g} of the longer side)"

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:  # noqa: ARG002 - any range
        """Fill."""
        from scipy.ndimage import gaussian_filter

        sigma = self.share * max(values.shape[:2])
        filtered = gaussian_filter(values, (sigma, sigma, 0), mode="nearest")
        return np.asarray(filtered, dtype=values.dtype)


@dataclass(frozen=True)
class Inpaint:
    """
    Each superpixel made up from what lies around it.

    Biharmonic (Damelin and Hoang 2018, doi:10.1155/2018/3950312), one superpixel at a time, on a
    copy of at most 64 pixels.
    """

    name: ClassVar[str] = "Inpaint"
    label: ClassVar[str] = "inpainted from its surroundings"
    sentence: ClassVar[str] = replaced_by(label)
    many: ClassVar[bool] = False
    numbers = settings_count
    fit = fill_each

    def fill(self, values: Pixels, labels: NDArray[Any], *, is_8bit: bool) -> Pixels:  # noqa: ARG002 - any range
        """Fill."""
        from skimage.restoration import inpaint_biharmonic

        height, width = labels.shape
        factor = min(1.0, _COPY / max(height, width))
        high, wide = max(1, round(height * factor)), max(1, round(width * factor))
        planes = np.moveaxis(values, 2, 0)
        copy = np.stack([scaled(plane, high, wide) for plane in planes], axis=2)
        small = labels[np.arange(high) * height // high][:, np.arange(wide) * width // wide]
        spread = max(float(np.abs(copy).max()), 1.0)  # the solver wants numbers about 1
        filled: Pixels = np.asarray(mean_colours(values, labels).astype(values.dtype)[labels])
        for label in np.unique(small):
            hole = small == label
            if not hole.all():
                made = inpaint_biharmonic(copy / spread, hole, channel_axis=-1) * spread
                large = [scaled(plane, height, width) for plane in np.moveaxis(made, 2, 0)]
                filled[labels == label] = np.stack(large, axis=2)[labels == label]
        return filled
