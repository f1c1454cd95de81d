"""Pictures, cut into superpixels."""

import numpy as np

from xplain_cli.modalities.image.superpixels import Scene, open_superpixels

WHOLE = Scene("a.png", (64, 48), (0, 0, 64, 48))


def scene(height=48, width=64, channels=3):
    """A picture of smooth colours with a disc on it."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    planes = [x, y, x * y, 1 - x][:channels]
    values = np.stack(planes, axis=2) * 200
    values[(x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.03] = 250
    return values.astype(np.uint8)


def cut(spec, values, segments=None):
    return open_superpixels(spec, segments).split(values, WHOLE)


def is_whole(labels):
    return np.unique(labels).tolist() == list(range(labels.max() + 1))
