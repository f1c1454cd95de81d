"""Masked pictures: composed bit by bit, in any type and layout."""

import numpy as np
import pytest
from drawn_pictures import IMAGENET, given, noise, perturbation

from xplain_cli.baselines.fills import mean_colours
from xplain_cli.modalities.image.compose import InputForm


def hide(values, labels, filled, masks):
    """Return masked pictures the slow way, as lime does it: copy, then replace what is off."""
    made = []
    for mask in masks:
        picture = values.copy()
        for label in np.flatnonzero(~mask):
            picture[labels == label] = filled[labels == label]
        made.append(picture)
    return np.stack(made)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_masked_pictures_are_the_picture_with_superpixels_replaced(dtype, layout, channels, rng):
    values = noise((12, 16, channels))
    rows = perturbation(InputForm(layout, dtype), cut="slic").split([given(values)])
    masks = rng.integers(0, 2, (9, rows.counts[0])).astype(bool)
    labels = rows.labels[0]
    filled = mean_colours(values, labels)[labels]
    filled = np.rint(filled) if np.dtype(dtype).kind in "iu" else filled
    wanted = hide(values.astype(dtype), labels, filled.astype(dtype), masks)
    wanted = np.moveaxis(wanted, 3, 1) if layout == "NCHW" else wanted
    found = rows.masked(0, masks)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, wanted)


def test_everything_kept_is_the_picture_as_the_model_takes_it():
    rows = perturbation(IMAGENET).split([given(noise())])
    np.testing.assert_array_equal(rows.masked(0, np.ones((1, 6), dtype=bool)), rows.inputs)


def test_pixels_are_rescaled_then_standardised():
    values = noise()
    mean, std = np.array(IMAGENET.mean), np.array(IMAGENET.std)
    wanted = np.moveaxis((values / 255 - mean) / std, 2, 0)
    np.testing.assert_allclose(IMAGENET.apply(values), wanted, atol=1e-6)


def test_floats_of_their_own_range_are_not_rounded_to_bytes():
    shares = (noise((8, 8, 1)) / 255).astype(np.float32)
    rows = perturbation(InputForm(dtype="uint8")).split([given(shares, is_8bit=False)])
    assert "a range of its own" in rows.reasons[0]
