"""What stands for a hidden superpixel."""

import numpy as np
import pytest
from drawn_pictures import fitted, given, noise, perturbation

from xplain_cli.baselines import BASELINES, open_baseline
from xplain_cli.errors import UsageError
from xplain_cli.modalities.image.compose import InputForm


@pytest.mark.parametrize("seed", range(3))
def test_the_default_baseline_is_the_one_of_lime(seed):
    values = noise(seed=seed).astype(np.float64)
    rows = perturbation(InputForm(dtype="float64")).split([given(values)])
    fudged = values.copy()
    for label in np.unique(rows.labels[0]):
        inside = rows.labels[0] == label
        fudged[inside] = [values[inside][:, c].mean() for c in range(3)]
    np.testing.assert_allclose(rows.masked(0, np.zeros((1, 6), dtype=bool))[0], fudged)


@pytest.mark.parametrize(
    ("baseline", "colour"),
    [
        ("black", [0, 0, 0]),
        ("white", [255, 255, 255]),
        ("grey", [127.5, 127.5, 127.5]),
        ("colour=#ff8000", [255, 128, 0]),
        ("color=7", [7, 7, 7]),
    ],
)
def test_a_colour_stands_everywhere(baseline, colour):
    rows = perturbation(baseline=baseline).split([given(noise())])
    hidden = rows.masked(0, np.zeros((1, 6), dtype=bool))[0]
    assert (hidden == np.array(colour, dtype=np.float32)).all()


def test_a_colour_is_made_grey_for_a_grey_picture():
    rows = perturbation(baseline="colour=#ff0000").split([given(noise((8, 8, 1)))])
    hidden = rows.masked(0, np.zeros((1, rows.counts[0]), dtype=bool))
    np.testing.assert_allclose(hidden, 0.299 * 255)


def test_the_blur_keeps_the_mean_and_loses_the_detail():
    values = noise((40, 40, 3))
    rows = perturbation(baseline="blur:share=0.1").split([given(values)])
    hidden = rows.masked(0, np.zeros((1, 6), dtype=bool))[0]
    assert abs(hidden.mean() - values.mean()) < 3
    assert hidden.std() < values.std() / 5


def test_inpainting_goes_on_what_lies_around():
    ramp = np.repeat(np.linspace(0, 250, 60)[None, :, None], 60, axis=0).repeat(3, axis=2)
    spoilt = ramp.copy()
    spoilt[20:40, 20:40] = 255  # the middle cell of nine
    rows = perturbation(baseline="inpaint", segments=9).split([given(spoilt.astype(np.uint8))])
    hidden = rows.masked(0, np.zeros((1, 9), dtype=bool))[0]
    assert np.abs(hidden[25:35, 25:35] - ramp[25:35, 25:35]).max() < 12


def test_a_picture_of_one_superpixel_can_be_inpainted():
    rows = perturbation(baseline="inpaint", segments=1).split([given(noise())])
    hidden = rows.masked(0, np.zeros((1, 1), dtype=bool))[0]
    np.testing.assert_allclose(hidden[0, 0], noise().mean(axis=(0, 1)), rtol=1e-5)


@pytest.mark.parametrize("name", ["white", "grey", "colour=#102030"])
def test_a_colour_of_255_is_refused_where_pixels_have_their_own_range(name):
    rows = perturbation(baseline=name).split([
        given(noise((8, 8, 1)).astype(np.float32), is_8bit=False)
    ])
    assert "range of their own" in rows.reasons[0]


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        ("gray", "did you mean 'grey'"),
        ("colour=reddish", "neither #rrggbb nor a number"),
        ("blur:share=0", "above 0"),
        ("nearest", "of which class"),
        ("nearest:clas=3", "did you mean 'class'"),
    ],
)
def test_a_baseline_that_cannot_be_is_refused(baseline, says):
    with pytest.raises(UsageError, match=says):
        fitted(baseline)


def test_every_baseline_says_what_it_is():
    more = {"colour": "colour=7", "nearest": "nearest:class=a", "file": "file=a.png"}
    more["ganmex"] = "ganmex=G.xplain"
    texts = [open_baseline("image", more.get(name, name)).label for name in BASELINES["image"]]
    assert all(texts)
    assert len(set(texts)) == len(texts)
