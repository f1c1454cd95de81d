"""Superpixels: every label from 0 to S-1 is there, and S is the number asked for."""

import numpy as np
import pytest
from PIL import Image

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.image.segmenters import SEGMENTERS
from xplain_cli.modalities.image.superpixels import MOST, Scene, merge_similar, open_superpixels

SIZED = ["grid", "slic", "watershed"]
OWN = ["felzenszwalb", "quickshift"]
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


def test_the_shelf_is_known():
    assert sorted(SEGMENTERS) == sorted([*SIZED, *OWN])


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("shape", [(48, 64, 3), (40, 30, 1), (40, 30, 4), (7, 9, 3), (1, 200, 3)])
def test_labels_are_all_of_0_to_s(name, shape):
    labels = cut(name, scene(*shape))
    assert labels.shape == shape[:2]
    assert is_whole(labels)


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("count", [1, 2, 9, 16, 32, 64])
def test_the_number_asked_for_comes_out(name, count):
    assert cut(name, scene(), count).max() + 1 == count


@pytest.mark.parametrize("name", SIZED)
def test_noise_gives_the_number_asked_for(name, rng):
    noise = rng.integers(0, 256, (30, 40, 1), dtype=np.uint8)
    assert cut(name, noise, 16).max() + 1 == 16


@pytest.mark.parametrize("name", OWN)
def test_a_segmenter_of_its_own_number_is_merged_down_only_when_asked(name):
    own = cut(name, scene()).max() + 1
    assert 2 < own <= MOST
    assert cut(name, scene(), 2).max() + 1 == 2


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_single_pixel_is_one_superpixel(name):
    assert cut(name, np.full((1, 1, 3), 9, dtype=np.uint8)).tolist() == [[0]]


@pytest.mark.parametrize("name", OWN)
def test_a_flat_picture_is_one_superpixel(name):
    flat = np.full((20, 20, 3), 200, dtype=np.uint8)
    assert cut(name, flat, 1).max() == 0
    assert cut("felzenszwalb", flat).max() == 0


def test_a_flat_picture_of_a_sized_segmenter_is_cut_all_the_same():
    assert cut("slic", np.full((40, 40, 3), 200, dtype=np.uint8)).max() + 1 == 16


def test_few_pixels_are_a_superpixel_each():
    assert cut("slic", scene(2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_equal_pictures_give_equal_labels():
    for name in SEGMENTERS:
        assert (cut(name, scene()) == cut(name, scene())).all()


def test_a_large_picture_is_cut_on_a_small_copy_and_scaled_up():
    values = np.kron(scene(), np.ones((20, 20, 1), dtype=np.uint8))
    labels = cut("slic", values)
    assert labels.shape == (960, 1280)
    assert labels.max() + 1 == 16
    assert (labels[::5, ::5] == labels[2::5, 2::5]).mean() > 0.95


def test_floats_of_any_range_are_cut_as_their_shape():
    values = scene(channels=1).astype(np.float32)
    assert (cut("slic", values) == cut("slic", values * 100 - 7)).mean() > 0.99


def test_grid_cells_are_as_square_as_can_be():
    labels = cut("grid", scene(40, 80), 8)
    assert [len(np.unique(labels[:, 0])), len(np.unique(labels[0]))] == [2, 4]
    assert np.unique(np.bincount(labels.ravel())).tolist() == [400]


def test_grid_takes_rows_and_columns():
    labels = cut("grid:rows=2,columns=5", scene())
    assert labels.max() + 1 == 10


def test_merging_joins_the_most_alike_neighbours():
    labels = np.array([[0, 0, 1, 1, 2, 2, 3, 3]])
    image = np.array([[[0.0], [0], [1], [1], [5], [5], [5.5], [5.5]]])
    assert merge_similar(labels, image, 3).tolist() == [[0, 0, 1, 1, 2, 2, 2, 2]]
    assert merge_similar(labels, image, 2).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]


def test_a_label_map_may_start_anywhere(tmp_path):
    labels = np.full((48, 64), 7)
    labels[:, 32:] = 90
    np.save(tmp_path / "map.npy", labels)
    found = cut(f"file={tmp_path / 'map.npy'}", scene())
    assert [found[0, 0], found[0, 63], found.max()] == [0, 1, 1]


def test_a_label_map_of_colours(tmp_path):
    Image.fromarray(scene() // 128 * 128).save(tmp_path / "map.png")
    assert is_whole(cut(f"file={tmp_path / 'map.png'}", scene()))


def test_a_map_of_the_original_follows_the_crop(tmp_path):
    labels = np.arange(100)[None] // 50 + np.zeros((80, 1), dtype=np.int64)
    np.save(tmp_path / "map.npy", labels)
    cropped = Scene("a", (100, 80), (25, 0, 75, 80))
    found = open_superpixels(f"file={tmp_path / 'map.npy'}", None).split(scene(40, 25), cropped)
    assert [found[0, 11], found[0, 13]] == [0, 1]


def test_a_folder_of_maps_is_looked_up_by_id(tmp_path):
    (tmp_path / "maps" / "sub").mkdir(parents=True)
    np.save(tmp_path / "maps" / "sub" / "a.npy", np.arange(48 * 64).reshape(48, 64) // 1024)
    maps = open_superpixels(f"file={tmp_path / 'maps'}", None)
    named = Scene("sub/a.jpg", (64, 48), (0, 0, 64, 48))
    assert maps.split(scene(), named).max() + 1 == 3
    with pytest.raises(RefusedError, match=r"holds no label map b\.jpg\.png or \.npy"):
        maps.split(scene(), Scene("b.jpg", (64, 48), (0, 0, 64, 48)))


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((5, 5), dtype=int), "label map is 5 x 5, the picture 64 x 48"),
        (np.zeros((48, 64)), "whole numbers"),
    ],
)
def test_a_label_map_that_does_not_fit_is_refused(tmp_path, array, says):
    np.save(tmp_path / "map.npy", array)
    with pytest.raises(RefusedError, match=says):
        cut(f"file={tmp_path / 'map.npy'}", scene())


@pytest.mark.parametrize(
    ("spec", "segments", "error", "says"),
    [
        ("slik", None, UsageError, "did you mean 'slic'"),
        ("slic", 0, UsageError, "--segments 0: at least 1"),
        ("grid:rows=3", None, UsageError, "both rows and columns"),
        ("grid:rows=3,columns=2", 16, UsageError, "already say how many"),
        ("file=absent.png", None, RefusedError, "no such label map"),
        ("file=absent.png", 16, UsageError, "already says how many"),
    ],
)
def test_a_cut_that_cannot_be_is_refused(spec, segments, error, says):
    with pytest.raises(error, match=says):
        open_superpixels(spec, segments)
