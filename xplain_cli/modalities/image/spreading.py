"""Spreads the cells of a layer over the pixels of a picture, so that the sum stays."""

from functools import lru_cache

import numpy as np

from xplain_cli.explanation import FloatArray


@lru_cache(maxsize=8)
def _shares(cells: int, pixels: int) -> FloatArray:
    """
    Return which share of each cell every pixel gets, (pixels, cells), along one side.

    By bilinear interpolation between the middles of cells; its weights are divided by what they
    add up to over the pixels, so that each cell is handed out in full. Where there are more cells
    than pixels, each goes to the pixel that its middle lies in.
    """
    found = np.zeros((pixels, cells))
    if cells > pixels:
        found[((np.arange(cells) + 0.5) * pixels / cells).astype(np.int64), np.arange(cells)] = 1.0
        return found
    middle = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0.0, cells - 1.0)
    low = np.minimum(middle.astype(np.int64), max(cells - 2, 0))
    high = np.minimum(low + 1, cells - 1)
    np.add.at(found, (np.arange(pixels), low), 1.0 - (middle - low))
    np.add.at(found, (np.arange(pixels), high), middle - low)
    return np.asarray(found / found.sum(axis=0))


def spread(cells: FloatArray, height: int, width: int) -> FloatArray:
    """Return a map (h', w') of cells as one (height, width) of pixels, with the same sum."""
    down, across = _shares(cells.shape[0], height), _shares(cells.shape[1], width)
    return np.asarray(down @ cells @ across.T, dtype=np.float64)
