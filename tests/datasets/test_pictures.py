"""Pictures of DATA: what is found, what it is called, what is refused."""

import os
import pickle

import numpy as np
import pytest
from broken_pictures import rgb, stored
from drawn_pictures import save
from PIL import Image

from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import RefusedError, UsageError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a/c.jpg", "a/d.PNG", ".hidden.png", "notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rgb().save(path, format="PNG")
    return str(tmp_path / "photos")


def test_each_page_of_a_tiff_is_a_picture(tmp_path):
    pages = [Image.new("L", (4, 3), 10 * i) for i in range(3)]
    path = tmp_path / "pages.tif"
    path.write_bytes(stored(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    found = find_pictures([str(path)])
    assert found.ids == [f"{path.as_posix()}#{i}" for i in range(3)]
    taken = found.take(0, 3, Reading())
    assert [int(picture.read().values[0, 0, 0]) for picture in taken] == [0, 10, 20]


def test_a_folder_is_read_below_sorted_and_by_relative_path(folder):
    found = find_pictures([folder])
    assert found.ids == ["a/c.jpg", "a/d.PNG", "b.png"]
    assert found.notes == (f"{folder}: files that are no pictures were left out: 1 .txt",)


def test_a_glob_names_its_files_sorted(folder):
    found = find_pictures([f"{folder}/**/*.png"])
    assert [os.path.relpath(name, folder) for name in found.ids] == ["b.png"]


def test_the_largest_picture_is_found_by_its_header(folder, tmp_path):
    rgb(30, 50).save(f"{folder}/a/large.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"no picture")
    assert find_pictures([folder]).most_pixels(Reading()) == 1500
    stack = save(tmp_path / "stack.npy", np.zeros((2, 8, 9)))
    assert find_pictures([stack]).most_pixels(Reading()) == 72


def test_files_keep_their_order_and_names(folder):
    paths = [f"{folder}/b.png", f"{folder}/a/c.jpg"]
    assert find_pictures(paths).ids == paths


def test_the_digest_follows_contents_and_names(folder, tmp_path):
    before = find_pictures([folder]).sha256
    assert find_pictures([folder]).sha256 == before
    rgb(9, 9).save(f"{folder}/b.png")
    assert find_pictures([folder]).sha256 != before


def test_a_reference_travels_to_a_worker(folder):
    picture = find_pictures([folder]).take(0, 1, Reading())[0]
    assert pickle.loads(pickle.dumps(picture)).read().values.shape == (24, 32, 3)


def test_rows_of_one_stack_among_others_have_its_name(tmp_path):
    paths = [save(tmp_path / f"{name}.npy", np.zeros((2, 8, 8))) for name in "ab"]
    assert find_pictures(paths).ids == [f"{path}#{row}" for path in paths for row in range(2)]


@pytest.mark.parametrize(
    ("paths", "error", "says"),
    [
        ([], UsageError, "no DATA"),
        (["-"], UsageError, "not read from stdin"),
        (["absent.png"], RefusedError, "absent.png: no such file"),
        (["absent/*.png"], RefusedError, "no file matches"),
        (["scan.dcm"], RefusedError, "apply_voi_lut"),
        (["."], RefusedError, "holds no pictures"),
        (["a.png", "a.png"], RefusedError, "a.png: is named twice"),
        (["tables"], RefusedError, "xplain tabular MODEL tables"),
        (["tables/d.csv"], RefusedError, "xplain tabular MODEL tables/d.csv"),
    ],
)
def test_data_that_names_no_picture_is_refused(tmp_path, monkeypatch, paths, error, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "d.csv").write_text("x\n1\n")
    if "." not in paths:
        (tmp_path / "scan.dcm").write_bytes(b"\0" * 128 + b"DICM")
        rgb().save(tmp_path / "a.png")
    with pytest.raises(error) as refused:
        find_pictures(paths)
    assert says in str(refused.value)
