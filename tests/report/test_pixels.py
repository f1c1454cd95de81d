"""Small pictures of a page, read back."""

import base64
import io

import numpy as np
from PIL import Image

from xplain_cli.report.pixels import picture_address, weights_address


def read(address):
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), dtype=int)


def test_what_raises_is_red_and_what_lowers_is_blue_and_striped():
    made = read(weights_address(np.array([[2.0, -2.0], [0.0, 0.0]])))
    side = len(made) // 2
    raises, lowers, nothing = made[:side, :side], made[:side, side:], made[side:]
    assert (raises[..., 0] > raises[..., 2]).all()
    assert (lowers[..., 2] > lowers[..., 0]).all()
    assert len(np.unique(raises[..., 0])) == 1
    assert len(np.unique(lowers[..., 2])) == 2
    assert (nothing == 255).all()


def test_a_picture_runs_from_black_to_white():
    made = read(picture_address(np.array([[3.0, 5.0], [4.0, 3.0]])))
    assert (made.min(), made.max()) == (0, 255)
    assert len(np.unique(read(picture_address(np.ones((3, 3)))))) == 1
