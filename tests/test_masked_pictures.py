"""Masked pictures: composed bit by bit, in any type and layout, over any baseline."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from broken_pictures import rgb, stored

from xplain_cli.baselines import BASELINES, open_baseline
from xplain_cli.baselines.fills import mean_colours
from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.image.candidates import OtherPictures
from xplain_cli.modalities.image.compose import InputForm
from xplain_cli.modalities.image.masks import PictureLaw
from xplain_cli.modalities.image.superpixels import open_superpixels

PLAIN = InputForm()
IMAGENET = InputForm("NCHW", "float32", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Given:
    """A picture that is there already."""

    values: np.ndarray
    size: tuple
    box: tuple
    eight: bool = True
    id: str = "given"
    notes: tuple = ()

    def read(self):
        return self


def given(values, *, eight=True):
    height, width = values.shape[:2]
    return Given(values, (width, height), (0, 0, width, height), eight)


def noise(shape=(12, 16, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def law(form=PLAIN, baseline="mean", cut="grid", segments=6, **more):
    return PictureLaw(open_superpixels(cut, segments), fitted(baseline), form, **more)


@dataclass(frozen=True)
class Reference:
    """As much of a reference as a named picture needs."""

    files: OtherPictures


def fitted(text):
    return open_baseline("image", text).fit(Reference(OtherPictures(Reading())))


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
    rows = law(InputForm(layout, dtype), cut="slic").split([given(values)])
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
    rows = law(IMAGENET).split([given(noise())])
    np.testing.assert_array_equal(rows.masked(0, np.ones((1, 6), dtype=bool)), rows.inputs)


def test_pixels_are_rescaled_then_standardised():
    values = noise()
    mean, std = np.array(IMAGENET.mean), np.array(IMAGENET.std)
    wanted = np.moveaxis((values / 255 - mean) / std, 2, 0)
    np.testing.assert_allclose(IMAGENET.apply(values), wanted, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_default_baseline_is_the_one_of_lime(seed):
    values = noise(seed=seed).astype(np.float64)
    rows = law(InputForm(dtype="float64")).split([given(values)])
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
    rows = law(baseline=baseline).split([given(noise())])
    hidden = rows.masked(0, np.zeros((1, 6), dtype=bool))[0]
    assert (hidden == np.array(colour, dtype=np.float32)).all()


def test_a_colour_is_made_grey_for_a_grey_picture():
    rows = law(baseline="colour=#ff0000").split([given(noise((8, 8, 1)))])
    hidden = rows.masked(0, np.zeros((1, rows.counts[0]), dtype=bool))
    np.testing.assert_allclose(hidden, 0.299 * 255)


def test_the_blur_keeps_the_mean_and_loses_the_detail():
    values = noise((40, 40, 3))
    rows = law(baseline="blur:share=0.1").split([given(values)])
    hidden = rows.masked(0, np.zeros((1, 6), dtype=bool))[0]
    assert abs(hidden.mean() - values.mean()) < 3
    assert hidden.std() < values.std() / 5


def test_inpainting_goes_on_what_lies_around():
    ramp = np.repeat(np.linspace(0, 250, 60)[None, :, None], 60, axis=0).repeat(3, axis=2)
    spoilt = ramp.copy()
    spoilt[20:40, 20:40] = 255  # the middle cell of nine
    rows = law(baseline="inpaint", segments=9).split([given(spoilt.astype(np.uint8))])
    hidden = rows.masked(0, np.zeros((1, 9), dtype=bool))[0]
    assert np.abs(hidden[25:35, 25:35] - ramp[25:35, 25:35]).max() < 12


def test_a_picture_of_one_superpixel_can_be_inpainted():
    rows = law(baseline="inpaint", segments=1).split([given(noise())])
    hidden = rows.masked(0, np.zeros((1, 1), dtype=bool))[0]
    np.testing.assert_allclose(hidden[0, 0], noise().mean(axis=(0, 1)), rtol=1e-5)


def test_another_picture_stands_in_at_the_same_place(tmp_path):
    (tmp_path / "other.png").write_bytes(stored(rgb(24, 32), "PNG"))
    rows = law(baseline=f"file={tmp_path / 'other.png'}").split([given(noise((24, 32, 3)))])
    hidden = rows.masked(0, np.zeros((1, 6), dtype=bool))[0]
    np.testing.assert_array_equal(hidden, np.asarray(rgb(24, 32)))


@pytest.mark.parametrize("name", ["white", "grey", "colour=#102030"])
def test_a_colour_of_255_is_refused_where_pixels_have_their_own_range(name):
    rows = law(baseline=name).split([given(noise((8, 8, 1)).astype(np.float32), eight=False)])
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


def test_another_picture_that_cannot_be_read_is_refused_at_once(tmp_path):
    (tmp_path / "other.png").write_bytes(b"")
    with pytest.raises(RefusedError, match="empty"):
        fitted(f"file={tmp_path / 'other.png'}")


def test_every_baseline_says_what_it_is():
    more = {"colour": "colour=7", "nearest": "nearest:class=a", "file": "file=a.png"}
    texts = [open_baseline("image", more.get(name, name)).label for name in BASELINES["image"]]
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_area_and_bounding_box_are_in_pixels_of_the_original():
    values = noise((10, 20, 3))
    cropped = Given(values, (200, 100), (100, 50, 140, 70))  # shown at half its size
    shown = law(segments=2).split([cropped]).shown()
    assert shown.names.tolist() == [["superpixel 0", "superpixel 1"]]
    boxes = np.stack([shown.columns[f"bbox_{side}"][0] for side in "xywh"], axis=1)
    assert boxes.tolist() == [[100, 50, 20, 20], [120, 50, 20, 20]]
    assert shown.columns["area"].tolist() == [[400, 400]]


def test_the_value_of_a_superpixel_is_its_mean_colour():
    values = np.zeros((4, 8, 3), dtype=np.uint8)
    values[:, 4:] = [255, 128, 1]
    assert law(segments=2).split([given(values)]).shown().values.tolist() == [
        ["#000000", "#ff8001"]
    ]


def test_what_was_converted_is_said():
    converted = Given(noise(), (16, 12), (0, 0, 16, 12), notes=("made grey", "turned upright"))
    shown = law().split([converted, given(noise(seed=1))]).shown()
    assert shown.row_columns["conversions"].tolist() == ["made grey; turned upright", None]


def test_pictures_of_other_sizes_stand_side_by_side():
    rows = law(cut="felzenszwalb", segments=None).split([given(noise()), given(noise((5, 5, 3)))])
    shown = rows.shown()
    assert isinstance(rows.inputs, list)
    assert shown.names.shape == (2, rows.counts.max())
    assert [n for n in shown.names[1] if n] == [f"superpixel {i}" for i in range(rows.counts[1])]
    assert np.isnan(shown.columns["area"][1, rows.counts[1] :]).all()


def test_a_picture_that_cannot_be_read_is_a_reason_and_the_others_stay(tmp_path):
    for name, data in (("a.png", b""), ("b.png", stored(rgb(), "PNG"))):
        (tmp_path / name).write_bytes(data)
    rows = law().split(find_pictures([str(tmp_path)]).take(0, 2, Reading()))
    assert rows.reasons == {0: "the file is empty"}
    assert rows.counts.tolist() == [0, 6]
    assert rows.take([1]).inputs.shape == (1, 24, 32, 3)


def test_a_picture_of_another_size_than_the_model_takes_is_a_reason():
    rows = law(shape=(32, 32, 3)).split([given(noise())])
    assert rows.reasons[0].startswith("is 16 x 12 with 3 channels; the model takes 32 x 32 with 3")


def test_floats_of_their_own_range_are_not_rounded_to_bytes():
    shares = (noise((8, 8, 1)) / 255).astype(np.float32)
    rows = law(InputForm(dtype="uint8")).split([given(shares, eight=False)])
    assert "a range of its own" in rows.reasons[0]


def test_equal_pictures_have_equal_keys_and_others_have_others():
    one, same, other = noise(), noise(), noise(seed=1)
    keys = law().split([given(one), given(same), given(other)]).keys
    assert keys[0] == keys[1] != keys[2]
    assert law(segments=4).split([given(one)]).keys[0] != keys[0]


def test_rows_can_be_taken_in_any_order():
    rows = law().split([given(noise(seed=i)) for i in range(3)])
    taken = rows.take([2, 0])
    assert (len(taken), taken.keys) == (2, (rows.keys[2], rows.keys[0]))
    np.testing.assert_array_equal(taken.inputs, rows.inputs[[2, 0]])


def test_the_law_travels_to_a_worker():
    one, sent = law(IMAGENET), pickle.loads(pickle.dumps(law(IMAGENET)))
    assert sent == one
    assert sent.split([given(noise())]).keys == one.split([given(noise())]).keys
