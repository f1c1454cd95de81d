"""Where a run is written, and files that are whole or not there."""

import contextlib
import errno
import os
import stat
from pathlib import Path

import pytest
from run_folders import records, run_at

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.runs.folder import RunPlace, write_atomically, writing
from xplain_cli.runs.paths import parents_of


def test_the_output_name_decides_the_place():
    assert RunPlace.from_output("", "csv") == RunPlace(Path("xplain-out"), "csv")
    assert RunPlace.from_output("-", "jsonl") == RunPlace(None, "jsonl")
    assert RunPlace.from_output("out.csv/", "json") == RunPlace(Path("out.csv"), "json")
    assert RunPlace.from_output("a.PARQUET", "csv").fmt == "parquet"
    with pytest.raises(UsageError, match=r"no files of kind \.xlsx"):
        RunPlace.from_output("out.xlsx", "csv")


def test_standard_output_has_a_folder_that_goes_away():
    run = run_at(RunPlace.from_output("-", "jsonl"))
    run.write_part(0, 2, records())
    assert len(run.read_part(0, 2).weights) == 40
    run.close()
    assert not run.folder.exists()


def test_folders_that_lead_to_a_place_are_made_and_go_where_nothing_comes(tmp_path):
    place = tmp_path / "a" / "b" / "c"
    with parents_of(place):
        assert place.parent.is_dir()
    assert list(tmp_path.iterdir()) == []
    with parents_of(place):
        place.mkdir()
    assert place.is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="cannot be written: "), parents_of(tmp_path / "file/a"):
        pass


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "weights.csv"
    path.write_bytes(b"old")

    def fill(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(RefusedError, match="No space left on device; free some space"):
        write_atomically(path, fill)
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {
        "weights.csv": b"old"
    }


def test_files_written_together_appear_together_or_not_at_all(tmp_path):
    paths = tmp_path / "a", tmp_path / "b"
    with contextlib.suppress(KeyError), writing(*paths) as (first, _):
        first.write(b"half")
        raise KeyError("a bug")
    assert list(tmp_path.iterdir()) == []
    with writing(*paths) as (first, second):
        first.write(b"1")
        second.write(b"2")
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]


def test_written_files_have_ordinary_permissions(tmp_path):
    write_atomically(tmp_path / "a", b"")
    (tmp_path / "plain").write_bytes(b"")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("name", ["no/such/a", "file/a"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="cannot be written: "):
        write_atomically(tmp_path / name, b"")


def test_a_device_is_never_replaced():
    with pytest.raises(RefusedError, match="is not a regular file"):
        write_atomically(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()
