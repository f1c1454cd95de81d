"""Segmenters: ways to cut a picture into superpixels, by name."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray, IntArray


class Segmenter(Protocol):
    """One way to cut a picture."""

    @property
    def name(self) -> str:
        """How plans call it: part of every run id, so it outlives a change of the class's name."""

    @property
    def sized(self) -> bool:
        """Whether it takes a number of superpixels."""

    def cut(self, image: FloatArray, count: int) -> IntArray:
        """Return labels (h, w) of an image (h, w, c), in [0, 1], with about *count* of them."""


def _colour(image: FloatArray) -> FloatArray:
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


@dataclass(frozen=True)
class Slic:
    """Achanta et al. 2012, doi:10.1109/TPAMI.2012.120: k-means of colour and place."""

    name: ClassVar[str] = "Slic"

    compactness: float = 10.0
    sigma: float = 1.0
    sized = True

    def cut(self, image: FloatArray, count: int) -> IntArray:
        """Return labels."""
        from skimage.segmentation import slic

        return np.asarray(
            slic(
                _colour(image),
                n_segments=count,
                compactness=self.compactness,
                sigma=self.sigma if min(image.shape[:2]) > 32 else 0,
                start_label=0,
                channel_axis=-1,
            ),
            dtype=np.int64,
        )


@dataclass(frozen=True)
class Quickshift:
    """Vedaldi and Soatto 2008, with the constants of lime; its seed is fixed, lime's is not."""

    name: ClassVar[str] = "Quickshift"

    kernel_size: float = 4.0
    max_dist: float = 200.0
    ratio: float = 0.2
    seed: int = 42
    sized = False

    def cut(self, image: FloatArray, count: int) -> IntArray:  # noqa: ARG002 - its own number
        """Return labels; the number is the segmenter's own."""
        import skimage.segmentation

        segmentation: Any = skimage.segmentation
        labels = segmentation.quickshift(
            _colour(image),
            kernel_size=self.kernel_size,
            max_dist=self.max_dist,
            ratio=self.ratio,
            rng=self.seed,
        )
        return np.asarray(labels, dtype=np.int64)


@dataclass(frozen=True)
class Felzenszwalb:
    """Felzenszwalb and Huttenlocher 2004, doi:10.1023/B:VISI.0000022288.19776.77."""

    name: ClassVar[str] = "Felzenszwalb"

    scale: float = 100.0
    sigma: float = 0.5
    min_share: float = 0.0025
    sized = False

    def cut(self, image: FloatArray, count: int) -> IntArray:  # noqa: ARG002 - its own number
        """Return labels; the number is the segmenter's own."""
        from skimage.segmentation import felzenszwalb

        smallest = max(1, round(image.shape[0] * image.shape[1] * self.min_share))
        labels = felzenszwalb(
            _colour(image), scale=self.scale, sigma=self.sigma, min_size=smallest, channel_axis=-1
        )
        return np.asarray(labels, dtype=np.int64)


@dataclass(frozen=True)
class Watershed:
    """Compact watershed of the gradient: Neubert and Protzel 2014, doi:10.1109/ICPR.2014.181."""

    name: ClassVar[str] = "Watershed"

    compactness: float = 0.001
    sized = True

    def cut(self, image: FloatArray, count: int) -> IntArray:
        """Return labels."""
        import skimage.filters
        import skimage.segmentation

        filters: Any = skimage.filters
        segmentation: Any = skimage.segmentation
        edges = filters.sobel(image.mean(axis=2))
        labels = segmentation.watershed(edges, markers=count, compactness=self.compactness)
        return np.asarray(labels, dtype=np.int64)


def _sides(count: int, height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of *count* cells that are as square as can be."""
    pairs = [(rows, count // rows) for rows in range(1, count + 1) if count % rows == 0]
    return min(pairs, key=lambda pair: abs(np.log(height / pair[0]) - np.log(width / pair[1])))


@dataclass(frozen=True)
class Grid:
    """Equal rectangles, whatever the picture shows."""

    name: ClassVar[str] = "Grid"

    rows: int = 0
    columns: int = 0
    sized = True

    def __post_init__(self) -> None:
        if min(self.rows, self.columns) < 0 or (self.rows == 0) != (self.columns == 0):
            raise UsageError("grid: give both rows and columns, from 1 on, or neither")

    def cut(self, image: FloatArray, count: int) -> IntArray:
        """Return labels."""
        height, width = image.shape[:2]
        rows, columns = (self.rows, self.columns) if self.rows else _sides(count, height, width)
        down = np.arange(height) * rows // height
        across = np.arange(width) * columns // width
        return np.asarray(down[:, None] * columns + across, dtype=np.int64)


SEGMENTERS: dict[str, type[Segmenter]] = {
    "felzenszwalb": Felzenszwalb,
    "grid": Grid,
    "quickshift": Quickshift,
    "slic": Slic,
    "watershed": Watershed,
}
"""What ``--segmenter`` names."""
