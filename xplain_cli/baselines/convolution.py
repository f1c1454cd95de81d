"""Work on rows in blocks of one size, and pictures convolved, in NumPy alone.

In blocks of one size, nothing of a row depends on the rows beside it.
"""

from collections.abc import Callable

import numpy as np

from xplain_cli.explanation import FloatArray

BLOCK, FEW = 64, 4
"""Rows of a block; pictures that are convolved."""


def in_blocks(
    work: Callable[[FloatArray, FloatArray], FloatArray],
    first: FloatArray,
    second: FloatArray,
    size: int = BLOCK,
) -> FloatArray:
    """Return what *work* makes of rows, asked in blocks of one size, the last one filled up."""
    places = np.minimum(np.arange(-(-len(first) // size) * size), len(first) - 1)
    made = [
        work(first[places[at : at + size]], second[places[at : at + size]])
        for at in range(0, len(places), size)
    ]
    return np.concatenate(made)[: len(first)] if made else np.empty((0, first.shape[1]))


def convolved(planes: FloatArray, kernel: FloatArray, stride: int) -> FloatArray:
    """
    Return the convolution of pictures, zeros around them.

    Parameters
    ----------
    planes : (m, c, h, w)
    kernel : (out, c, s, s), s odd
    stride
        How far apart the places are at which it is taken.
    """
    size = kernel.shape[2]
    edge = size // 2
    wide = np.pad(planes, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    seen = np.lib.stride_tricks.sliding_window_view(wide, (size, size), axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride]
    m, _, h, w = seen.shape[:4]
    flat = seen.transpose(0, 2, 3, 1, 4, 5).reshape(m * h * w, -1)
    made = flat @ kernel.reshape(len(kernel), -1).T
    return np.asarray(made.reshape(m, h, w, -1).transpose(0, 3, 1, 2))
