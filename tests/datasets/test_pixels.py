"""Pixels of pictures: depth, size and channels, and what was converted."""

import io

import numpy as np
import pytest
from broken_pictures import colours, corpus, rgb, stored
from PIL import Image

from xplain_cli.datasets.pixels import Reading, read_pixels
from xplain_cli.errors import RefusedError

CORPUS = corpus()


def read(data, page=0, **how):
    return read_pixels(io.BytesIO(data), page, Reading(**how))


@pytest.mark.parametrize("broken", [b for b in CORPUS if b.shape], ids=lambda b: b.name)
def test_an_odd_picture_is_read_and_what_was_converted_is_said(broken):
    pixels = read(broken.data)
    assert broken.shape == pixels.values.shape
    assert not broken.says or any(broken.says in note for note in pixels.notes)


@pytest.mark.parametrize("broken", [b for b in CORPUS if not b.shape], ids=lambda b: b.name)
def test_a_broken_picture_is_refused_with_the_reason(broken):
    with pytest.raises(RefusedError) as refused:
        read(broken.data)
    assert broken.says
    assert broken.says in str(refused.value)


def test_the_corpus_is_wide():
    assert len({broken.name for broken in CORPUS}) >= 40


def test_sixteen_bits_keep_their_depth():
    grey = Image.fromarray(np.array([[0, 257, 300, 65535]], dtype=np.uint16))
    values = read(stored(grey, "PNG")).values[0, :, 0]
    np.testing.assert_allclose(values, [0, 1, 300 / 257, 255], rtol=1e-6)


def test_resizing_gives_the_asked_for_size_and_keeps_the_whole_box():
    pixels = read(stored(rgb(30, 60), "PNG"), resize=(12, 10))
    assert (pixels.values.shape, pixels.box) == ((10, 12, 3), (0, 0, 60, 30))


def test_cropping_after_the_shorter_side_shows_the_middle():
    pixels = read(stored(rgb(40, 80), "PNG"), short=20, crop=(20, 20))
    assert (pixels.values.shape, pixels.size) == ((20, 20, 3), (80, 40))
    assert pixels.box == (20, 0, 60, 40)


def test_a_picture_smaller_than_the_crop_is_refused():
    with pytest.raises(RefusedError, match="is 32 x 24, smaller than --crop 64x64"):
        read(stored(rgb(), "PNG"), crop=(64, 64))


@pytest.mark.parametrize(
    ("channels", "shape", "says"),
    [(1, (24, 32, 1), "made grey"), (3, (24, 32, 3), None), (4, (24, 32, 4), None)],
)
def test_colours_become_the_asked_for_channels(channels, shape, says):
    pixels = read(stored(rgb(), "PNG"), channels=channels)
    assert pixels.values.shape == shape
    assert any(says in note for note in pixels.notes) if says else pixels.notes == ()


def test_grey_becomes_three_channels_only_when_asked():
    grey = stored(Image.new("L", (5, 4), 7), "PNG")
    assert read(grey).values.shape == (4, 5, 1)
    pixels = read(grey, channels=3)
    assert (pixels.values.shape, pixels.notes) == ((4, 5, 3), ("grey repeated in three channels",))


def test_floats_are_resized_without_rounding():
    values = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    pixels = read_pixels(values, 0, Reading(resize=(4, 4)))
    np.testing.assert_allclose(pixels.values.mean(), values.mean(), atol=0.02)


def test_resized_colours_follow_pillow():
    ours = read(stored(rgb(30, 60), "PNG"), resize=(12, 10)).values
    theirs = rgb(30, 60).resize((12, 10), Image.Resampling.BILINEAR)
    assert (ours == np.asarray(theirs)).all()
    assert colours().dtype == np.uint8
