"""The pages of a TIFF are counted by its chain of directories; none is lost without a word."""

import struct

import numpy as np
import pytest
from PIL import Image

from xplain_cli.datasets import directories
from xplain_cli.datasets.directories import count_pages
from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import RefusedError


def _tiff(path, count, last, *, big=False, order="<"):
    """Write a TIFF of *count* pages of one pixel, whose last directory names *last* as the next."""
    number, link = ("Q", "Q") if big else ("H", "L")
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HH", 8, 0) if big else b""
    first = 24 if big else 16
    entries = [(256, 3, 1), (257, 3, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, first - 8)]
    entries += [(277, 3, 1), (278, 3, 1), (279, 4, 1)]
    cell = {3: "H", 4: "L"}
    body = struct.pack(order + number, len(entries))
    for tag, kind, value in entries:
        held = struct.pack(order + cell[kind], value).ljust(8 if big else 4, b"\0")
        body += struct.pack(order + "HH" + link, tag, kind, 1) + held
    each = len(body) + struct.calcsize("=" + link)
    nexts = [first + (i + 1) * each for i in range(count - 1)] + [last]
    pages = b"".join(body + struct.pack(order + link, at) for at in nexts)
    start = (head + struct.pack(order + link, first)).ljust(first - 8, b"\0")
    path.write_bytes(start + b"\x07" * 8 + pages)
    return str(path)


@pytest.mark.parametrize(("big", "order"), [(False, "<"), (False, ">"), (True, "<"), (True, ">")])
def test_pages_are_counted_in_every_form(tmp_path, big, order):
    assert count_pages(_tiff(tmp_path / "a.tif", 5, 0, big=big, order=order)) == 5


def test_the_count_is_that_of_pillow(tmp_path):
    path = tmp_path / "a.tif"
    pages = [Image.fromarray(np.full((9, 7), i, dtype=np.uint8)) for i in range(11)]
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    with Image.open(path) as image:
        assert count_pages(str(path)) == image.n_frames == 11


def test_a_chain_that_comes_back_ends(tmp_path):
    assert count_pages(_tiff(tmp_path / "a.tif", 3, 16)) == 3


def test_a_broken_chain_loses_no_page_before_it_and_says_so(tmp_path):
    found = find_pictures([_tiff(tmp_path / "a.tif", 3, 1 << 30)])
    good, bad = found.take(0, 3, Reading()), found.take(3, 4, Reading())[0]
    assert [int(one.read().values[0, 0, 0]) for one in good] == [7, 7, 7]
    with pytest.raises(RefusedError, match="cannot be decoded"):
        bad.read()


def test_a_file_that_ends_before_the_next_page_has_a_page_that_fails(tmp_path):
    path = _tiff(tmp_path / "a.tif", 2, 1 << 20)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[:-2])
    found = find_pictures([path])
    good, bad = found.take(0, 2, Reading()), found.take(2, 3, Reading())[0]
    assert [int(one.read().values[0, 0, 0]) for one in good] == [7, 7]
    with pytest.raises(RefusedError, match="no more images"):
        bad.read()


def test_more_pages_than_are_read_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(directories, "_MOST", 4)
    path = _tiff(tmp_path / "a.tif", 5, 0)
    with pytest.raises(RefusedError, match="more than 4 pages; split it"):
        find_pictures([path])


def test_other_files_are_one_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    assert count_pages(str(tmp_path / "a.png")) == 1
