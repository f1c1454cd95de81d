"""What DATA names: files, folders, globs, pipes and standard input."""

import hashlib
import os
import threading
from pathlib import Path

import pytest
from small_tables import PLAIN, whole, write

from xplain_cli.datasets import (
    chunks,
    n_rows,
    open_table,
    read_columns,
)
from xplain_cli.errors import RefusedError, UsageError


def test_digest_is_the_files_own_and_of_several_in_order(tmp_path):
    one, two = write(tmp_path / "1.csv", "a,b\n1,x\n"), write(tmp_path / "2.csv", "a,b\n2,y\n")
    digests = [hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in (one, two)]
    assert open_table([one], PLAIN).sha256 == digests[0]
    both = hashlib.sha256("".join(digests).encode()).hexdigest()
    assert open_table([one, two], PLAIN).sha256 == both


def test_stdin_is_hashed_and_read_more_than_once(monkeypatch):
    reader, writer = os.pipe()
    data = b"a,b\n" + b"1,x\n" * 50_000

    def feed():
        with os.fdopen(writer, "wb") as stream:
            stream.write(data)

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(reader) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        opened = open_table(["-"], PLAIN)
    thread.join()
    assert opened.sha256 == hashlib.sha256(data).hexdigest()
    assert (opened.paths, n_rows(opened), len(whole(opened))) == (("-",), 50_000, 50_000)
    assert len(list(chunks(opened, {"a": "number"}, [], 10_000))) == 5


def test_stdin_twice_is_a_usage_error():
    with pytest.raises(UsageError, match="twice"):
        open_table(["-", "-"], PLAIN)


def test_a_named_pipe_is_read_once(tmp_path):
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: Path(path).write_bytes(b"a,b\n1,2\n"))
    thread.start()
    opened = open_table([path], PLAIN)
    thread.join()
    assert whole(opened).values.tolist() == [[1.0, 2.0]]


def folder(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    return tmp_path


def test_a_folder_and_a_glob_are_their_tables_sorted_and_it_is_said(tmp_path):
    folder(tmp_path, b_csv="x,y\n2,0\n", a_csv="x,y\n1,0\n", c_tsv="x\ty\n3\t0\n", n_txt="hello")
    (tmp_path / ".hidden.csv").write_text("z\n1\n")
    opened = open_table([str(tmp_path)], PLAIN)
    assert read_columns(opened, {"x": "number"}).table["x"].tolist() == [1, 2, 3]
    assert opened.paths == tuple(str(tmp_path / n) for n in ("a.csv", "b.csv", "c.tsv"))
    assert "3 files in this order" in opened.notes[0]
    assert opened.notes[1].endswith("left out: " + str(tmp_path / "n.txt"))
    opened = open_table([str(tmp_path / "*.csv"), str(tmp_path / "c.tsv")], PLAIN)
    assert read_columns(opened, {"x": "number"}).table["x"].tolist() == [1, 2, 3]


def test_a_file_whose_name_is_a_glob_is_that_file(tmp_path):
    (tmp_path / "[ab].csv").write_text("x,y\n1,2\n")
    (tmp_path / "a.csv").write_text("x,y\n3,4\n")
    opened = open_table([str(tmp_path / "[ab].csv")], PLAIN)
    assert read_columns(opened, {"x": "number"}).table["x"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("path", "message"), [("", "is a folder without files of DATA"), ("*.csv", "matches no files")]
)
def test_a_folder_or_glob_without_tables_is_refused(tmp_path, path, message):
    folder(tmp_path, n_txt="hello")
    with pytest.raises(RefusedError, match=message):
        open_table([f"{tmp_path}/{path}"], PLAIN)


@pytest.mark.parametrize("path", ["", "*", "one.PNG"])
def test_where_pictures_are_is_said_what_explains_them(tmp_path, path):
    (tmp_path / "one.PNG").write_bytes(b"\x89PNG")
    named = str(tmp_path / path)
    with pytest.raises(RefusedError) as refused:
        open_table([named], PLAIN)
    assert str(refused.value).endswith(f"xplain image MODEL {named}")


def test_a_folder_of_folders_of_pictures_is_one_of_pictures(tmp_path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "one.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(RefusedError, match="xplain image MODEL"):
        open_table([str(tmp_path)], PLAIN)


def test_a_folder_with_other_columns_names_the_file(tmp_path):
    folder(tmp_path, a_csv="x,y\n1,2\n", b_csv="x,z\n1,2\n")
    with pytest.raises(RefusedError, match=r"b\.csv: no column 'y', which .*a\.csv has"):
        open_table([str(tmp_path)], PLAIN)
