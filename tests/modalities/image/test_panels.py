"""Panels: input, baseline, raw map and weights of methods by gradients, side by side."""

import io

import numpy as np
import pytest
from PIL import Image

from xplain_cli.modalities.image.panels import Panel, draw_panel

SIDE, GAP, TOP = 176, 8, 34


def panel(**more):
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    picture[:2] = (0, 128, 255)
    raw = np.zeros((2, 2))
    raw[0, 0], raw[1, 1] = 2.0, -1.0
    pooled = np.repeat(np.repeat(raw, 2, axis=0), 2, axis=1)
    given = {"baseline": picture * 0, "rectified": False} | more
    made = Panel(picture, raw=raw, pooled=pooled, named="black", caption="row", **given)
    return np.asarray(Image.open(io.BytesIO(draw_panel(made))))


def tile(drawn, number):
    left = GAP + number * (SIDE + GAP)
    return drawn[TOP : TOP + SIDE, left : left + SIDE]


def test_the_input_and_its_baseline_are_shown_as_they_are():
    drawn = panel()
    assert tile(drawn, 0)[40, 40].tolist() == [0, 128, 255]
    assert tile(drawn, 0)[140, 40].tolist() == [0, 0, 0]
    assert not tile(drawn, 1)[2:-2, 2:-2].any()


def test_what_raises_is_red_and_what_lowers_is_blue_and_fainter():
    for number in (2, 3):
        shown = tile(panel(), number)
        red, green, blue = shown[40, 40].astype(int)
        assert red > green
        assert red > blue
        red, green, blue = shown[140, 140].astype(int)
        assert blue > red
        assert green > 120
        assert shown[40, 140].tolist() == [255, 255, 255]


def test_methods_that_leave_out_what_lowers_get_that_picture_too():
    plain, drawn = panel(), panel(rectified=True)
    assert drawn.shape[1] - plain.shape[1] == SIDE + GAP
    assert tile(drawn, 4)[140, 140].tolist() == [255, 255, 255]
    assert (tile(drawn, 4)[40, 40] == tile(drawn, 2)[40, 40]).all()


def test_a_value_at_a_layer_is_no_picture():
    shown = tile(panel(baseline=None), 1)
    assert shown[10, 10].tolist() == [234, 238, 242]


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_pictures_of_any_channels_are_shown(channels):
    picture = np.linspace(0, 1, 16 * channels, dtype=np.float32).reshape(4, 4, channels)
    made = Panel(picture, picture * 0, np.ones((2, 2)), np.ones((4, 4)), "grey", False, "row")  # noqa: FBT003
    drawn = np.asarray(Image.open(io.BytesIO(draw_panel(made))))
    assert drawn.shape[2] == 3
