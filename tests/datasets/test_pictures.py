"""Pictures of DATA: what is found, what is read, what is refused, and what is said of it."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from broken_pictures import colours, corpus, rgb, stored
from PIL import Image

from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading, read_pixels
from xplain_cli.errors import RefusedError, UsageError

CORPUS = corpus()


def read(data, page=0, **how):
    return read_pixels(io.BytesIO(data), page, Reading(**how))


def save(path, array):
    np.save(path, array, allow_pickle=False)
    return str(path)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a/c.jpg", "a/d.PNG", ".hidden.png", "notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rgb().save(path, format="PNG")
    return str(tmp_path / "photos")


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


@pytest.mark.parametrize(
    ("shape", "rows", "one"),
    [
        ((5, 8, 9), 5, (8, 9, 1)),
        ((5, 8, 9, 3), 5, (8, 9, 3)),
        ((5, 3, 8, 9), 5, (8, 9, 3)),
        ((8, 9, 3), 1, (8, 9, 3)),
        ((5, 8, 9, 1), 5, (8, 9, 1)),
    ],
)
def test_a_stack_of_any_layout(tmp_path, shape, rows, one):
    found = find_pictures([save(tmp_path / "stack.npy", np.zeros(shape, dtype=np.uint8))])
    assert found.ids == [str(row) for row in range(rows)]
    assert found.take(0, 1, Reading())[0].read().values.shape == one


def test_rows_of_one_stack_among_others_have_its_name(tmp_path):
    paths = [save(tmp_path / f"{name}.npy", np.zeros((2, 8, 8))) for name in "ab"]
    assert find_pictures(paths).ids == [f"{path}#{row}" for path in paths for row in range(2)]


def test_an_archive_is_read_as_its_array(tmp_path):
    path = tmp_path / "digits.npz"
    np.savez_compressed(path, images=np.arange(128).reshape(2, 8, 8), labels=np.zeros(2))
    pixels = find_pictures([str(path)]).take(1, 2, Reading())[0].read()
    assert pixels.values.dtype == np.float32
    assert pixels.values[0, :3, 0].tolist() == [64, 65, 66]


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("objects.npy", lambda p: np.save(p, np.array([{}]), allow_pickle=True), "holds object"),
        ("texts.npy", lambda p: np.save(p, np.array(["a"])), "not numbers"),
        ("flat.npy", lambda p: np.save(p, np.zeros((5, 64))), "shape (5, 64)"),
        ("empty.npy", lambda p: np.save(p, np.zeros((0, 8, 8))), "no pixels"),
        ("text.npy", lambda p: p.write_text("hello"), "not a readable NumPy array"),
        ("cut.npz", lambda p: p.write_bytes(b"PK\x03\x04" + b"\0" * 50), "cannot be read"),
        ("two.npz", lambda p: np.savez(p, a=np.zeros(1), b=np.zeros(1)), "which array"),
    ],
)
def test_a_stack_that_is_none_is_refused(tmp_path, name, write, says):
    write(tmp_path / name)
    with pytest.raises(RefusedError) as refused:
        find_pictures([str(tmp_path / name)])
    assert says in str(refused.value)


def test_a_stack_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "short.npy"
    save(path, np.zeros((9, 8, 8)))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(RefusedError, match="is cut short: 4,600 of 4,608 bytes"):
        find_pictures([str(path)])


def test_an_archive_that_unpacks_to_too_much_is_refused_by_its_header(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 500, 500)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", head.getvalue())
    with pytest.raises(RefusedError, match="unpacks to 250,000,000,000 bytes"):
        find_pictures([str(path)])


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
    ],
)
def test_data_that_names_no_picture_is_refused(tmp_path, monkeypatch, paths, error, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    if "." not in paths:
        (tmp_path / "scan.dcm").write_bytes(b"\0" * 128 + b"DICM")
        rgb().save(tmp_path / "a.png")
    with pytest.raises(error) as refused:
        find_pictures(paths)
    assert says in str(refused.value)


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
