"""Folders of strangers: no depth hides bytes from the count, or outlives the job."""

import os

import pytest

from xplain_cli.workers.folders import remove_tree, takes_too_much


@pytest.fixture
def deep(tmp_path):
    """A folder that goes deeper than a path can name, and than Python can recurse."""
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d" * 200, dir_fd=here)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("hidden", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    yield top
    remove_tree(top)


def test_a_tree_deeper_than_any_path_is_removed(deep):
    remove_tree(deep)
    assert not deep.exists()


def test_a_tree_deeper_than_any_path_is_too_much(deep):
    assert takes_too_much(str(deep), 1 << 40)


def test_what_a_link_leads_to_stays(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "top")
    assert not (tmp_path / "top").exists()
    assert (tmp_path / "kept" / "file").read_text() == "x"


@pytest.mark.parametrize(("allowed", "too_much"), [(3 * 4096, True), (5 * 4096, False)])
def test_an_empty_file_counts_as_a_block(tmp_path, allowed, too_much):
    for name in "abcd":
        (tmp_path / name).touch()
    assert takes_too_much(str(tmp_path), allowed) is too_much
