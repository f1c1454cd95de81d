"""Pictures split into superpixels, and masked pictures as the model takes them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.assignment import Ask, Assigned, FittedBaseline
from xplain_cli.baselines.fills import mean_colours
from xplain_cli.errors import RefusedError, well_formed
from xplain_cli.explanation import BoolArray, FloatArray, IntArray, add_up
from xplain_cli.features import (
    FeatureLabels,
    Grid,
    Inclusion,
    Subset,
    Traits,
    not_judged,
    not_refined,
    read_whole,
    unsalted,
)
from xplain_cli.modalities.image.compose import InputForm, PictureRow, blend, compose
from xplain_cli.modalities.image.foils import (
    FOIL_COLUMNS,
    asks_late,
    foil_facts,
    given_pictures,
)
from xplain_cli.modalities.image.spreading import spread
from xplain_cli.modalities.image.superpixels import Cut, Scene


class _Pixels(Protocol):
    """A picture that was read."""

    @property
    def values(self) -> NDArray[Any]:
        """(h, w, c) uint8 or float32."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the original."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """What of the original the values show."""

    @property
    def is_8bit(self) -> bool:
        """Whether values run from 0 to 255."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was converted."""


class LazyPicture(Protocol):
    """A picture that is not read yet."""

    @property
    def id(self) -> str:
        """Its name."""

    def read(self) -> _Pixels:
        """Read it."""


@dataclass(frozen=True)
class PictureRows:
    """
    Pictures of one chunk, cut into superpixels.

    Attributes
    ----------
    rows
        Each picture; None where it could not be read.
    keys
        SHA-256 of each picture's values, superpixels and place in the original.
    reasons
        Rows without superpixels, and why.
    empty
        Rows that show nothing but what stands for hidden superpixels, and why they are so.
    """

    rows: tuple[PictureRow | None, ...]
    keys: tuple[bytes, ...]
    reasons: dict[int, str] = field(default_factory=dict)
    empty: dict[int, str] = field(default_factory=dict)

    copies: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0
    subset: ClassVar[Subset | None] = None
    inputs_repeat: ClassVar[bool] = False
    pool_of: ClassVar[None] = None

    read_to = read_whole
    refined = not_refined
    judged = not_judged

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def counts(self) -> IntArray:
        """(b,) superpixels of each picture; 0 where it could not be read."""
        return np.array([row.count if row else 0 for row in self.rows], dtype=np.int64)

    @cached_property
    def inputs(self) -> Any:
        """The readable pictures as the model takes them: a batch, or a list where shapes differ."""
        seen = [row.seen for row in self.rows if row]
        return np.stack(seen) if len({one.shape for one in seen}) == 1 else seen

    @property
    def labels(self) -> list[NDArray[Any] | None]:
        """The superpixels (h, w) of each picture."""
        return [row.labels if row else None for row in self.rows]

    def take(self, rows: Sequence[int]) -> "PictureRows":
        """Return some of the rows."""
        return PictureRows(
            tuple(self.rows[i] for i in rows),
            tuple(self.keys[i] for i in rows),
            {at: self.reasons[i] for at, i in enumerate(rows) if i in self.reasons},
            {at: self.empty[i] for at, i in enumerate(rows) if i in self.empty},
        )

    def with_baselines(
        self, pairs: IntArray, outputs: FloatArray, ask: Ask
    ) -> tuple["PictureRows", IntArray]:
        """Give the pictures baselines of the classes that they are explained against."""
        read = [self._read(row) for row in range(len(self))]
        made, asked = given_pictures(read, pairs, outputs, ask)
        return replace(self, rows=tuple(made)), asked

    def _read(self, row: int) -> PictureRow:
        picture = self.rows[row]
        if picture is None:
            raise ValueError(f"row {row} was not read: {self.reasons[row]}")
        return picture

    def masked(self, row: int, masks: BoolArray) -> NDArray[Any]:
        """Return the model inputs (m, ...) that masks (m, n) make of a picture; True stays."""
        return compose(self._read(row), masks)

    def between(self, row: int, shares: FloatArray) -> NDArray[Any]:
        """Return the model inputs (m, ...) between the baseline and a picture."""
        return blend(self._read(row), shares)

    def ends(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return what stands for hidden superpixels, and the pictures (``MaskedRows.ends``)."""
        read = [self._read(row) for row in range(len(self))]
        return np.stack([row.stand_in for row in read]), np.stack([row.seen for row in read])

    def shifted(self) -> NDArray[Any]:
        """Return the pictures, moved by the range of their values (``MaskedRows.shifted``)."""
        seen = [self._read(row).seen for row in range(len(self))]
        return np.stack([picture + (picture.max() - picture.min()) for picture in seen])

    def pooled(self, rows: IntArray, parts: FloatArray, grid: Grid = None) -> FloatArray:
        """Return the sums (p, n) over the pixels of superpixels (``MaskedRows.pooled``)."""
        found = []
        for row, cells in zip(rows.tolist(), self.charted(rows, parts, grid), strict=True):
            labels = self._read(row).labels
            by_pixel = cells if grid is None else spread(cells, *labels.shape)
            flat = labels.ravel()
            found.append(np.bincount(flat, by_pixel.ravel(), minlength=int(flat.max()) + 1))
        return np.stack(found)

    def charted(self, rows: IntArray, parts: FloatArray, grid: Grid = None) -> FloatArray:
        """Return maps (p, h, w) of pixels, or of a layer's cells (``MaskedRows.charted``)."""
        found = []
        for row, part in zip(rows.tolist(), parts, strict=True):
            height, width = self._read(row).labels.shape if grid is None else grid
            by_channel = np.ascontiguousarray(part.reshape(height * width, -1).T)
            found.append(add_up(by_channel).reshape(height, width))
        return np.stack(found)

    def shown(self) -> FeatureLabels:
        """Return what the user sees of the superpixels."""
        return show(self.rows)


def _distance(given: Assigned | None) -> float:
    return np.nan if given is None or given.distances is None else float(given.distances[0])


_NOTHING = "nothing to explain: the picture is what stands for its hidden superpixels"
_PLACES = ("area", "bbox_x", "bbox_y", "bbox_w", "bbox_h")


def _colour_names(row: PictureRow) -> list[str]:
    means = mean_colours(row.values, row.labels)
    if not row.is_8bit:
        return [" ".join(f"{part:.4g}" for part in mean) for mean in means]
    means = np.repeat(means, 3, axis=1) if means.shape[1] == 1 else means[:, :3]
    return ["#" + "".join(f"{round(part):02x}" for part in mean) for mean in means.tolist()]


def _names(row: PictureRow) -> list[str]:
    """Return what features are called: superpixels by number, pixels by x and y."""
    if row.by_pixel:
        height, width = row.labels.shape
        return [f"pixel {x},{y}" for y in range(height) for x in range(width)]
    return [f"superpixel {s}" for s in range(row.count)]


def _places_of(row: PictureRow) -> NDArray[Any]:
    """Return area and bounding box (S, 5) of each superpixel, whole pixels of the original."""
    from scipy.ndimage import find_objects

    left, top, right, bottom = row.box
    height, width = row.labels.shape
    x, y = (right - left) / width, (bottom - top) / height
    areas = np.bincount(row.labels.ravel()) * x * y
    found = find_objects(row.labels + 1)
    spans = np.array([[s[1].start, s[0].start, s[1].stop, s[0].stop] for s in found], dtype=float)
    edges = np.rint(spans * [x, y, x, y] + [left, top, left, top])
    return np.column_stack([np.rint(areas), edges[:, :2], edges[:, 2:] - edges[:, :2]])


def show(rows: Sequence[PictureRow | None]) -> FeatureLabels:
    """
    Return what the user sees of superpixels: ``superpixel 3``, its mean colour, where it stands.

    Places are pixels of the original. Beyond a picture's own number of superpixels there is nothing
    (None, NaN). ``conversions`` says what was changed on reading a picture, ``baseline_origin``
    which picture stands in for it.
    """
    counts = [row.count if row else 0 for row in rows]
    shape = (len(rows), max(counts, default=0))
    names, values = np.full(shape, None, dtype=object), np.full(shape, None, dtype=object)
    places = np.full((*shape, len(_PLACES)), np.nan)
    for i, row in enumerate(rows):
        if row:
            names[i, : counts[i]] = _names(row)
            values[i, : counts[i]] = _colour_names(row)
            places[i, : counts[i]] = _places_of(row)
    whole = places if np.isnan(places).any() else places.astype(np.int64)
    columns = {name: whole[..., at] for at, name in enumerate(_PLACES)}
    said = ["; ".join(row.notes) or None if row else None for row in rows]
    given = [row.assigned if row and row.hidden.has_origins else None for row in rows]
    facts = {
        "conversions": np.array(said, dtype=object),
        "baseline_origin": np.array([one and one.origins[0] for one in given], dtype=object),
        "baseline_distance": np.array([_distance(one) for one in given]),
        **foil_facts(rows),
    }
    return FeatureLabels(names, values, columns, facts)


@dataclass(frozen=True)
class PictureMasker:
    """
    How pictures are split and masked: each superpixel stays with probability 1/2; picklable.

    Attributes
    ----------
    cut
        How superpixels are found.
    hidden
        What stands for a hidden one.
    form
        How the model takes pictures.
    shape
        (height, width, channels) that the model takes; None where it takes any.
    by_pixel
        Whether every pixel is a feature.
    every
        Whether a picture that is its own baseline is explained too: another one is meant.
    """

    cut: Cut
    hidden: FittedBaseline
    form: InputForm
    shape: tuple[int | None, int | None, int | None] = (None, None, None)
    by_pixel: bool = False
    every: bool = False

    draws: ClassVar[None] = None
    inclusion: ClassVar[Inclusion] = "bernoulli"
    distance_unit: ClassVar[float] = 1.0
    weight_columns: ClassVar[tuple[str, ...]] = _PLACES

    salted = unsalted

    @property
    def traits(self) -> Traits:
        """What planning and the engine must know of it."""
        late, hidden = asks_late(self.hidden), self.hidden
        known = Traits(
            has_baselines=late,
            most_asked=hidden.most_asked if late else 0,
            needs_foil=late and hidden.wanted is None,
            no_path=None,
            maps=True,
        )
        if np.dtype(self.form.dtype).kind == "f":
            return known
        why = f"follows paths of numbers, and the model takes pictures of {self.form.dtype}"
        return replace(known, no_path=f"{why} (export it with an input of float32)")

    @property
    def stability_columns(self) -> tuple[str, ...]:
        """What was converted, and where the baseline is a picture of its own, which."""
        named = ("baseline_origin",) if self.hidden.has_origins else ()
        said = FOIL_COLUMNS if asks_late(self.hidden) else ()
        return ("conversions", *named, *said)

    def split(self, batch: Sequence[LazyPicture]) -> PictureRows:
        """Read and cut pictures, one after the other; what cannot be read has its reason."""
        rows: list[PictureRow | None] = []
        keys, reasons, empty = [], {}, {}
        for i, picture in enumerate(batch):
            try:
                row = self.read(picture)
                known = not asks_late(self.hidden)
                same = known and np.array_equal(row.seen, row.stand_in)  # without one it fails here
                if same and not self.every:
                    empty[i] = _NOTHING
                rows.append(row)
                keys.append(row.key())
            except RefusedError as error:
                rows.append(None)
                reasons[i] = well_formed(str(error))
                keys.append(hashlib.sha256(f"{picture.id}: {reasons[i]}".encode()).digest())
        return PictureRows(tuple(rows), tuple(keys), reasons, empty)

    def pixels(self, picture: LazyPicture) -> _Pixels:
        """
        Read a picture.

        Raises
        ------
        RefusedError
            It cannot be read, or the model cannot take it.
        """
        pixels = picture.read()
        taken, have = self.shape, pixels.values.shape
        if any(wanted not in {None, own} for wanted, own in zip(taken, have, strict=True)):
            height, width, channels = taken
            raise RefusedError(
                f"is {have[1]} x {have[0]} with {have[2]} channels; the model takes {width} x"
                f" {height} with {channels}: give --resize, --crop or --channels"
            )
        if np.dtype(self.form.dtype).kind in "iu" and not pixels.is_8bit:
            raise RefusedError(
                f"has pixels of a range of its own, and the model is handed {self.form.dtype};"
                " give --rescale so that it is handed floats, or store pixels of 0 to 255"
            )
        return pixels

    def read(self, picture: LazyPicture) -> PictureRow:
        """
        Read and cut a picture.

        Raises
        ------
        RefusedError
            It cannot be read or cut, or the model cannot take it.
        """
        pixels = self.pixels(picture)
        labels = self.cut.split(pixels.values, Scene(picture.id, pixels.size, pixels.box))
        return PictureRow(
            picture.id,
            pixels.values,
            pixels.is_8bit,
            labels,
            pixels.box,
            pixels.size,
            self.form,
            self.hidden,
            pixels.notes,
            self.by_pixel,
        )
