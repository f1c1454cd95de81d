"""Rows and weights as small pictures for a page; what lowers the target is striped as well."""

import base64
import io
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray

_RAISES, _LOWERS = np.array([0xB2, 0x18, 0x2B]), np.array([0x21, 0x66, 0xAC])
_SIDE, _STRIPE, _FAINTEST = 112, 4, 0.04


def _enlarged(values: Any) -> Any:
    """Return pixels (h, w) repeated so that the longer side is about what a page shows."""
    factor = max(1, _SIDE // max(values.shape[:2]))
    return values.repeat(factor, axis=0).repeat(factor, axis=1)


def _data(pixels: Any) -> str:
    """Return an image as an address that holds it."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def picture_address(values: FloatArray) -> str:
    """Return a picture (h, w) in grey, from its least to its greatest value, as an address."""
    span = float(np.ptp(values))
    grey = (values - values.min()) * (255 / span) if span else np.full(values.shape, 127.5)
    return _data(_enlarged(grey))


def weights_address(weights: FloatArray) -> str:
    """Return a map (h, w) of weights on white as an address: red raises, striped blue lowers."""
    largest = float(np.abs(weights).max(initial=0.0))
    shares = _enlarged(weights / largest if largest else weights)
    strength = np.abs(shares)[..., None]
    colours = np.where(shares[..., None] > 0, _RAISES, _LOWERS)
    made = 255 * (1 - strength) + colours * strength
    y, x = np.arange(shares.shape[0])[:, None], np.arange(shares.shape[1])
    stripes = ((x + y) % _STRIPE == 0) & (shares < -_FAINTEST)
    made[stripes] *= 1 - strength[stripes] / 2
    return _data(made)
