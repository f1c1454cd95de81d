"""Superpixels: odd pictures, and label maps that are given."""

import numpy as np
import pytest
from cut_pictures import cut, is_whole, scene
from PIL import Image

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.image.segmenters import SEGMENTERS
from xplain_cli.modalities.image.superpixels import Scene, merge_similar, open_superpixels

OWN = ["felzenszwalb", "quickshift"]


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
