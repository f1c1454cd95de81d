"""The law of masked pictures: rows, keys, and what is shown of superpixels."""

import pickle

import numpy as np
from broken_pictures import rgb, stored
from drawn_pictures import IMAGENET, Given, given, noise, perturbation

from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading


def test_area_and_bounding_box_are_in_pixels_of_the_original():
    values = noise((10, 20, 3))
    cropped = Given(values, (200, 100), (100, 50, 140, 70))  # shown at half its size
    shown = perturbation(segments=2).split([cropped]).shown()
    assert shown.names.tolist() == [["superpixel 0", "superpixel 1"]]
    boxes = np.stack([shown.columns[f"bbox_{side}"][0] for side in "xywh"], axis=1)
    assert boxes.tolist() == [[100, 50, 20, 20], [120, 50, 20, 20]]
    assert shown.columns["area"].tolist() == [[400, 400]]


def test_the_value_of_a_superpixel_is_its_mean_colour():
    values = np.zeros((4, 8, 3), dtype=np.uint8)
    values[:, 4:] = [255, 128, 1]
    assert perturbation(segments=2).split([given(values)]).shown().values.tolist() == [
        ["#000000", "#ff8001"]
    ]


def test_what_was_converted_is_said():
    converted = Given(noise(), (16, 12), (0, 0, 16, 12), notes=("made grey", "turned upright"))
    shown = perturbation().split([converted, given(noise(seed=1))]).shown()
    assert shown.row_columns["conversions"].tolist() == ["made grey; turned upright", None]


def test_pictures_of_other_sizes_stand_side_by_side():
    rows = perturbation(cut="felzenszwalb", segments=None).split([
        given(noise()),
        given(noise((5, 5, 3))),
    ])
    shown = rows.shown()
    assert isinstance(rows.inputs, list)
    assert shown.names.shape == (2, rows.counts.max())
    assert [n for n in shown.names[1] if n] == [f"superpixel {i}" for i in range(rows.counts[1])]
    assert np.isnan(shown.columns["area"][1, rows.counts[1] :]).all()


def test_a_picture_that_cannot_be_read_is_a_reason_and_the_others_stay(tmp_path):
    for name, data in (("a.png", b""), ("b.png", stored(rgb(), "PNG"))):
        (tmp_path / name).write_bytes(data)
    rows = perturbation().split(find_pictures([str(tmp_path)]).take(0, 2, Reading()))
    assert rows.reasons == {0: "the file is empty"}
    assert rows.counts.tolist() == [0, 6]
    assert rows.take([1]).inputs.shape == (1, 24, 32, 3)


def test_a_picture_of_another_size_than_the_model_takes_is_a_reason():
    rows = perturbation(shape=(32, 32, 3)).split([given(noise())])
    assert rows.reasons[0].startswith("is 16 x 12 with 3 channels; the model takes 32 x 32 with 3")


def test_equal_pictures_have_equal_keys_and_others_have_others():
    one, same, other = noise(), noise(), noise(seed=1)
    keys = perturbation().split([given(one), given(same), given(other)]).keys
    assert keys[0] == keys[1] != keys[2]
    assert perturbation(segments=4).split([given(one)]).keys[0] != keys[0]


def test_rows_can_be_taken_in_any_order():
    rows = perturbation().split([given(noise(seed=i)) for i in range(3)])
    taken = rows.take([2, 0])
    assert (len(taken), taken.keys) == (2, (rows.keys[2], rows.keys[0]))
    np.testing.assert_array_equal(taken.inputs, rows.inputs[[2, 0]])


def test_the_law_travels_to_a_worker():
    one, sent = perturbation(IMAGENET), pickle.loads(pickle.dumps(perturbation(IMAGENET)))
    assert sent == one
    assert sent.split([given(noise())]).keys == one.split([given(noise())]).keys
