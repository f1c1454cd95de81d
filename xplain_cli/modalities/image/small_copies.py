"""The small copy of a picture that is segmented, in colours whose distances are what people see."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.explanation import FloatArray, IntArray

LONGEST = 512
"""Pixels of the longer side of the copy that is segmented; the labels are scaled up again."""


def unit(values: NDArray[Any]) -> FloatArray:
    """Return a picture on [0, 1], without alpha."""
    colours = np.asarray(values[..., :3], dtype=np.float64)
    if values.dtype == np.uint8:
        return colours / 255.0
    least, largest = colours.min(), colours.max()
    return (colours - least) / (largest - least) if largest > least else np.zeros_like(colours)


def places(length: int, copy: int) -> IntArray:
    """Return which of *copy* pixels stands for each of *length*."""
    return np.asarray(np.arange(length) * copy // length, dtype=np.int64)


def small_copy(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy whose longer side has at most ``LONGEST`` pixels, each a mean of an area."""
    from PIL import Image

    height, width = values.shape[:2]
    factor = LONGEST / max(height, width)
    if factor >= 1:
        return values
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(values, 2, 0)]
    scaled = [np.asarray(plane.resize(size, Image.Resampling.BOX)) for plane in planes]
    return np.stack(scaled, axis=2)


def similarity(image: FloatArray) -> FloatArray:
    """Return the picture in colours whose distances are what people see, where it has colours."""
    if image.shape[2] != 3:
        return image
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(image), dtype=np.float64)
