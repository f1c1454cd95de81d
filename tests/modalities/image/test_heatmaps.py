"""Maps: red raises, blue lowers and is hatched; label maps can be given back."""

import io

import numpy as np
import pytest
from PIL import Image

from xplain_cli.modalities.image.heatmaps import (
    LOWERS,
    RAISES,
    Backdrop,
    draw_heatmap,
    draw_overlay,
    draw_segments,
    weight_map,
)
from xplain_cli.modalities.image.superpixels import Scene, open_superpixels

QUARTERS = np.kron(np.array([[0, 1], [2, 3]]), np.ones((112, 112), dtype=np.int64))


WEIGHTS = np.array([0.4, -0.4, 0.0, 0.1])


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def part(data, row, column):
    """Return a corner of a quarter of what was drawn, without its number."""
    top, left = 224 * row + 20, 224 * column + 20
    return pixels(data)[top : top + 40, left : left + 40].reshape(-1, 3)


def test_what_raises_is_plain_red():
    seen = part(draw_heatmap(Backdrop(QUARTERS), WEIGHTS, "cat"), 0, 0)
    assert np.unique(seen, axis=0).tolist() == [list(RAISES)]


def test_what_lowers_is_hatched_blue():
    seen = np.unique(part(draw_heatmap(Backdrop(QUARTERS), WEIGHTS, "cat"), 0, 1), axis=0)
    assert seen.tolist() == [[20, 63, 107], list(LOWERS)]


def test_what_has_no_weight_is_white():
    assert part(draw_heatmap(Backdrop(QUARTERS), WEIGHTS, "cat"), 1, 0).min() == 255


def test_a_smaller_weight_is_paler():
    heatmap = draw_heatmap(Backdrop(QUARTERS), WEIGHTS, "cat")
    assert part(heatmap, 1, 1).mean() > part(heatmap, 0, 0).mean() + 40


def test_numbers_are_printed_inside():
    plain = draw_heatmap(Backdrop(QUARTERS), np.array([0.4, -0.4, 0.0, 0.0]), "cat")
    middle = pixels(plain)[100:124, 80:144].reshape(-1, 3)
    assert (middle == 0).all(axis=1).any()


def test_a_constant_model_is_drawn_white():
    assert part(draw_heatmap(Backdrop(QUARTERS), np.zeros(4), "cat"), 0, 0).min() == 255


def test_the_overlay_shows_the_picture_where_nothing_weighs():
    picture = np.full((224, 224, 3), 80, dtype=np.uint8)
    picture[150:, :] = 220
    overlay = draw_overlay(picture, Backdrop(QUARTERS), WEIGHTS, "cat")
    seen = pixels(overlay)
    assert [seen[260, 20, 0], seen[430, 20, 0]] == [64 + 60, 64 + 165]


@pytest.mark.parametrize("shape", [(8, 8, 1), (1, 1, 3), (1, 2000, 3), (3000, 40, 3)])
def test_any_size_is_drawn_readably(shape):
    labels = np.zeros(shape[:2], dtype=np.int64)
    labels.ravel()[labels.size // 2 :] = labels.size > 1
    picture = np.zeros(shape, dtype=np.float32)
    weights = np.array([1.0, -1.0])[: labels.max() + 1]
    drawn = pixels(draw_overlay(picture, Backdrop(labels), weights, "x" * 300))
    assert 320 <= drawn.shape[1] <= 1024
    assert drawn.shape[0] <= 1024 + 46


def test_the_weight_map_gives_each_pixel_its_weight():
    assert weight_map(QUARTERS, WEIGHTS)[[0, 0, 223], [0, 223, 0]].tolist() == [
        np.float32(0.4),
        np.float32(-0.4),
        0,
    ]


@pytest.mark.parametrize("count", [1, 16, 256, 400])
def test_a_label_map_can_be_given_back(tmp_path, count):
    labels = np.arange(count * 4).reshape(2, -1) // 2 % count
    (tmp_path / "a.png").write_bytes(draw_segments(labels))
    scene = Scene("a", labels.shape[::-1], (0, 0, *labels.shape[::-1]))
    picture = np.zeros((*labels.shape, 3), dtype=np.uint8)
    back = open_superpixels(f"file={tmp_path / 'a.png'}", None).split(picture, scene)
    assert (back == labels).all()


def test_equal_weights_draw_equal_bytes():
    assert draw_heatmap(Backdrop(QUARTERS), WEIGHTS, "cat") == draw_heatmap(
        Backdrop(QUARTERS), WEIGHTS, "cat"
    )


def test_a_picture_is_drawn_in_its_own_shape_and_what_the_model_does_not_see_is_faint():
    picture = np.full((300, 900, 3), 100, dtype=np.uint8)
    ground = Backdrop(np.zeros((32, 32), dtype=np.int64), (900, 300), (300.0, 0.0, 600.0, 300.0))
    seen = pixels(draw_overlay(picture, ground, np.array([0.4]), "cat"))
    assert seen.shape == (300 + 46, 900, 3)
    red = seen[:300, :, 0] - seen[:300, :, 2] > 60
    across = np.flatnonzero(red[40])
    assert (across.min(), across.max() + 1) == (300, 599)  # the last is an edge
    assert seen[40, 100].min() > seen[40, 450].min() + 40


def test_weights_far_below_one_that_counts_look_like_nothing():
    tiny = WEIGHTS / 1000
    drawn = [draw_heatmap(Backdrop(QUARTERS), tiny, "cat", floor) for floor in (0.0, 0.05)]
    strong, none = (part(one, 0, 0) for one in drawn)
    assert none.min() >= 250
    assert strong.min() < 50
    hatched = part(draw_heatmap(Backdrop(QUARTERS), tiny, "cat", 0.05), 0, 1)
    assert hatched.min() >= 250


def test_the_superpixels_of_greatest_weight_are_numbered():
    picture = np.full((224, 224, 3), 255, dtype=np.uint8)
    drawn = pixels(draw_overlay(picture, Backdrop(QUARTERS), WEIGHTS, "cat"))
    centre = (drawn[:448, :448] == 0).all(axis=2)
    assert [bool(centre[y : y + 224, x : x + 224].any()) for y in (0, 224) for x in (0, 224)] == [
        True,
        True,
        False,
        True,
    ]
