"""What the files of maps are called."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xplain_cli.modalities.image.map_names import map_names


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (["a.jpg"], ["a"]),
        (["cats/a.jpg", "dogs/a.jpg"], ["cats/a", "dogs/a"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["a.jpg", "A.png"], ["a.jpg", "A.png"]),
        (["frame.0001.png", "frame.0002.png"], ["frame.0001", "frame.0002"]),
        (["a.png", "a.png.png"], ["a", "a.png.png"]),
        (["a.jpg", "a.2.jpg"], ["a", "a.2.jpg"]),
        (["scan.tif#0", "scan.tif#1"], ["scan.tif#0", "scan.tif#1"]),
        ([0, 1], ["0", "1"]),
        (["/data/pets/a.jpg", "/data/pets/cats/b.jpg"], ["a", "cats/b"]),
        (["/data/a.jpg"], ["a"]),
        (["C:\\photos\\a.jpg", "C:\\photos\\b.jpg"], ["a", "b"]),
        (["../x.png"], ["__/x"]),
        (["/data/../x.png"], ["x"]),
        ([".."], ["__"]),
    ],
)
def test_files_are_called_after_ids(ids, names):
    assert map_names(ids) == names


PIECES = ["a", "A", ".2", ".png", ".jpg", "/", "..", "C:", "\\", "~", "__"]


IDS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)


@given(st.lists(IDS, unique=True, max_size=8))
def test_no_file_is_meant_for_two_pictures(ids):
    files = [f"{name}{n}.png".casefold() for name in map_names(ids) for n in ("", ".2", ".3")]
    assert len(files) == len(set(files))
    folders = {str(folder) for file in files for folder in PurePosixPath(file).parents}
    assert not folders & set(files)
    assert not any(PurePosixPath(file).is_absolute() or ".." in file.split("/") for file in files)
