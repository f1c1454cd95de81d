"""Cuts a picture into superpixels, labels 0 to S-1, each of which can be hidden.

By a segmenter, on a small copy of the picture, or by the user's own label map.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.modalities import content_sha256
from xplain_cli.modalities.image.segmenters import SEGMENTERS, Grid, Segmenter
from xplain_cli.modalities.image.small_copies import places, similarity, small_copy, unit
from xplain_cli.options.texts import Texts
from xplain_cli.remote import is_remote
from xplain_cli.specs import build, settings_of

MOST = 200
"""Superpixels above which the most similar neighbours are merged, where no number is asked for."""

DEFAULT_SEGMENTS = 16
"""Superpixels of a segmenter that takes a number: as many as 512 masks serve fully."""

_MORE = 1.4  # segmenters give fewer than they are asked for; what is too many is merged


def consecutive(labels: NDArray[Any]) -> IntArray:
    """Return the labels as 0 to S-1, in the order of their old values."""
    _, renumbered = np.unique(labels, return_inverse=True)
    return np.asarray(renumbered.reshape(labels.shape), dtype=np.int64)


def _borders(labels: IntArray) -> IntArray:
    """Return the pairs (e, 2) of labels that touch, the smaller first, each once."""
    across = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    down = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.sort(np.concatenate([across, down]), axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return np.asarray(np.unique(pairs, axis=0), dtype=np.int64)


def merge_similar(labels: IntArray, image: FloatArray, count: int) -> IntArray:
    """
    Merge neighbours until at most *count* superpixels are left.

    Each step joins the two neighbours that raise the squared error of the mean colours least
    (Ward 1963), so small and alike ones go first.

    Parameters
    ----------
    labels : (h, w), 0 to S-1
    image : (h, w, c)
    """
    sizes = np.bincount(labels.ravel()).astype(np.float64)
    flat = image.reshape(-1, image.shape[2])
    sums = np.stack([np.bincount(labels.ravel(), weights=column) for column in flat.T], axis=1)
    owner, pairs = np.arange(len(sizes)), _borders(labels)
    for _ in range(len(sizes) - count):
        if not len(pairs):
            break
        a, b = pairs.T
        apart = sums[a] / sizes[a, None] - sums[b] / sizes[b, None]
        cost = sizes[a] * sizes[b] / (sizes[a] + sizes[b]) * (apart**2).sum(axis=1)
        kept, gone = pairs[np.argmin(cost)]
        sums[kept] += sums[gone]
        sizes[kept] += sizes[gone]
        owner[owner == gone] = kept
        pairs = np.sort(np.where(pairs == gone, kept, pairs), axis=1)
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    return consecutive(owner[labels])


Labels: TypeAlias = NDArray[np.int32]
"""The superpixel (h, w) that each pixel belongs to, 0 to S-1."""


@dataclass(frozen=True)
class Scene:
    """Where a picture's values come from: its id, the original's (width, height), the shown box."""

    id: str
    size: tuple[int, int]
    box: tuple[float, float, float, float]


class Cut(Protocol):
    """Superpixels of pictures, by a segmenter or from label maps; picklable."""

    @property
    def most(self) -> int | None:
        """How many superpixels a picture has at most; None where each must be cut to know."""

    def numbers(self) -> Mapping[str, Any]:
        """Return what of it decides the numbers, as JSON values for the plan; files by content."""

    def split(self, values: NDArray[Any], scene: Scene) -> Labels:
        """Return labels (h, w), 0 to S-1, of values (h, w, c)."""


@dataclass(frozen=True)
class Superpixels:
    """
    How pictures are cut.

    Attributes
    ----------
    segmenter
        One of the shelf.
    segments
        How many superpixels; None: the segmenter's own number, at most ``MOST``.
    """

    segmenter: Segmenter
    segments: int | None

    name: ClassVar[str] = "Superpixels"

    @property
    def most(self) -> int | None:
        """The number asked for; None where the segmenter decides."""
        grid = self.segmenter
        fixed = isinstance(grid, Grid) and grid.rows * grid.columns
        return fixed or self.segments

    def numbers(self) -> dict[str, Any]:
        """Return the segmenter with its settings, and how many superpixels it is asked for."""
        own = {"kind": self.segmenter.name, **settings_of(self.segmenter)}
        return {"kind": self.name, "segmenter": own, "segments": self.segments}

    def split(self, values: NDArray[Any], scene: Scene) -> Labels:  # noqa: ARG002 - label maps need it
        """
        Cut a picture.

        Parameters
        ----------
        values : (h, w, c) uint8 or float
        scene
            Where the values come from.

        Returns
        -------
        (h, w) labels 0 to S-1. S is the number asked for but where the picture itself does not
        give so many; a picture of fewer pixels has one superpixel a pixel.
        """
        height, width = values.shape[:2]
        image = unit(small_copy(values))
        high, wide = image.shape[:2]
        wanted = MOST if self.segments is None else self.segments
        few = high * wide <= wanted
        labels = np.arange(high * wide).reshape(high, wide) if few else self._cut(image, wanted)
        small = labels.astype(np.int32)
        return small[places(height, high)[:, None], places(width, wide)]

    def _cut(self, image: FloatArray, wanted: int) -> IntArray:
        segmenter = self.segmenter
        if isinstance(segmenter, Grid):
            return consecutive(segmenter.cut(image, wanted))
        labels = consecutive(segmenter.cut(image, round(wanted * _MORE)))
        if segmenter.sized and labels.max() + 1 < wanted:  # noise, or a strip
            labels = consecutive(labels * wanted + Grid().cut(image, wanted))
        return merge_similar(labels, similarity(image), wanted)


@dataclass(frozen=True)
class PixelCut:
    """Every pixel is a feature: nothing is cut."""

    most: ClassVar[None] = None

    def numbers(self) -> dict[str, Any]:
        """Return what of it decides the numbers."""
        return {"kind": "Pixels"}

    def split(self, values: NDArray[Any], scene: Scene) -> Labels:  # noqa: ARG002 - the protocol's
        """Return the number of each pixel, row by row."""
        height, width = values.shape[:2]
        return np.arange(height * width, dtype=np.int32).reshape(height, width)


@dataclass(frozen=True)
class LabelMaps:
    """
    The user's own superpixels.

    Attributes
    ----------
    path
        One map for all pictures, or a folder with ``ID.png`` or ``ID.npy`` for each, also without
        the suffix of the picture; ``index.json`` of a run's own folder says which file is whose.
    """

    path: str

    most: ClassVar[None] = None

    def numbers(self) -> dict[str, Any]:
        """Return what the maps hold."""
        return {"maps": content_sha256(self.path)}

    def split(self, values: NDArray[Any], scene: Scene) -> Labels:
        """
        Return the labels of a picture, renumbered from 0.

        Raises
        ------
        RefusedError
            There is no map, it cannot be read, or it has another size than the picture.
        """
        labels = _read_labels(self._file(scene.id))
        height, width = values.shape[:2]
        if labels.shape == (height, width):
            return consecutive(labels).astype(np.int32)
        high, wide = labels.shape
        if (wide, high) != scene.size:
            raise RefusedError(
                f"its label map is {wide} x {high}, the picture {scene.size[0]} x {scene.size[1]}"
                f" (as the model takes it: {width} x {height})"
            )
        left, top, right, bottom = scene.box
        down = top + (np.arange(height) + 0.5) * (bottom - top) / height
        across = left + (np.arange(width) + 0.5) * (right - left) / width
        shown = labels[down.astype(np.int64)[:, None], across.astype(np.int64)]
        return consecutive(shown).astype(np.int32)

    def _file(self, name: str) -> Path:
        whole = Path(self.path)
        if not whole.is_dir():
            return whole
        indexed = _index(str(whole.resolve())).get(name)
        if indexed:
            return whole / indexed
        name = name.lstrip("/")
        beside = [whole / f"{name}{suffix}" for suffix in (".npy", ".png")]
        replaced = [(whole / name).with_suffix(suffix) for suffix in (".npy", ".png")]
        found = [path for path in [*beside, *replaced] if path.is_file()]
        if not found:
            raise RefusedError(f"{whole} holds no label map {name}.png or .npy")
        return found[0]


@lru_cache(maxsize=1)
def _index(folder: str) -> dict[str, str]:
    """Return which file is whose, where a run says so."""
    try:
        found = json.loads(Path(folder, "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {name: str(files[0]) for name, files in items if isinstance(files, list) and files}


def _read_labels(path: Path) -> IntArray:
    """Return an array (h, w) of whole numbers: an .npy file, or a picture whose colours count."""
    from PIL import Image

    try:
        if path.suffix == ".npy":
            labels = np.load(path, allow_pickle=False)
        else:
            with Image.open(path, formats=["PNG", "TIFF", "GIF", "BMP"]) as image:
                labels = np.asarray(image)
    except Exception as error:  # a decoder may raise anything on damaged bytes
        raise RefusedError(f"label map {path}: cannot be read: {error}") from error
    if labels.ndim == 3:
        _, flat = np.unique(labels.reshape(-1, labels.shape[2]), axis=0, return_inverse=True)
        labels = flat.reshape(labels.shape[:2])
    if labels.ndim != 2 or labels.dtype.kind not in "uib":
        raise RefusedError(f"label map {path}: whole numbers (height, width) are wanted")
    return np.asarray(labels, dtype=np.int64)


def open_superpixels(text: str, segments: int | None) -> Cut:
    """
    Build what ``--segmenter NAME[:KEY=VALUE,...]`` or ``file=PATH`` and ``--segments`` say.

    Raises
    ------
    UsageError
        Unknown names or settings, fewer than one superpixel, or a number where a map, or rows and
        columns, already say it.
    RefusedError
        There is no such map.
    """
    if text.startswith("file="):
        path = text.removeprefix("file=")
        if segments is not None:
            raise UsageError("--segments: the label map already says how many; leave one out")
        if is_remote(path):  # workers read maps one by one
            raise UsageError(f"--segmenter {text}: label maps are read here; copy them first")
        if not Path(path).exists():
            raise RefusedError(f"{path}: no such label map")
        return LabelMaps(path)
    segmenter = build(text, SEGMENTERS)
    if segments is not None and segments < 1:
        raise UsageError(f"--segments {segments}: at least 1")
    if isinstance(segmenter, Grid) and segmenter.rows and segments is not None:
        raise UsageError("--segments: grid's rows and columns already say how many; leave one out")
    if segments is None and segmenter.sized:
        segments = DEFAULT_SEGMENTS
    return Superpixels(segmenter, segments)


def open_cut(text: str, segments: int | None, unit: str) -> Cut:
    """
    Build what ``--unit`` says: pixels, or the superpixels of ``open_superpixels``.

    Raises
    ------
    UsageError, RefusedError
        What ``open_superpixels`` raises; another unit; a number of superpixels where nothing is
        cut.
    """
    if unit not in {"superpixel", "pixel", Texts().unit}:  # the last is what nobody named
        raise UsageError(f"--unit {unit}: pictures have the units superpixel and pixel")
    if unit != "pixel":
        return open_superpixels(text, segments)
    if segments is not None:
        raise UsageError("--segments: --unit pixel cuts no superpixels; leave one out")
    return PixelCut()
