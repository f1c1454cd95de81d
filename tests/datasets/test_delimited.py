"""CSV and TSV files."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import PLAIN, QUICK, refused, table, whole, write

from xplain_cli.datasets import (
    ReadOptions,
    chunks,
    kinds,
    n_rows,
    open_table,
    read_columns,
)
from xplain_cli.errors import UsageError


def test_kind_is_the_same_in_a_quoted_file(tmp_path):
    cells = {"1": "integer", "007": "text", "1.5": "number", "x": "text", "-3": "integer"}
    for cell, expected in cells.items():
        text = f'"k","x"\n"a,b","{cell}"\n"c",{cell}\n'
        assert kinds(table(tmp_path, text), ["x"])["x"] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "holds only blank lines"),
        ("a,b\n", "a header without rows"),
        ("a,b,a\n1,2,3\n", "names 'a' more than once"),
        ("a;b\n1;2\n", "try --sep ';'"),
        ("a\tb\n1\t2\n", r"try --sep '\t'"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells, the header 2"),
        ("a,b\n1,2,\n3,4,\n", "line 2 has 3 cells, the header 2"),
        ("a,b\n1,2\n3\n4\n", "line 3 has 1 cell, the header 2"),
        ('a,b\n"x\ny",2\n3,4,5\n6\n', "line 4 has 3 cells"),
        ('a,b\n1,2\n"3,4\n5,6\n', "a quote in line 3 is never closed"),
        ('a,b\n"3"x,4\n', "a quote in line 2 is wrong"),
        ('a,b\n1,2\n"3\n5"x,4\n', "a quote in line 3 is wrong"),
        ("a,\0b\n1,2\n", "line 1 has a NUL byte"),
        (b"a,b\n1,\0\n", "line 2 has a NUL byte"),
        (b"a,b\n\xe9,2\n", "byte 0xe9 in line 2 is not utf-8; try --encoding cp1252"),
        ("a,b\n1,2\n".encode("utf-16"), "try --encoding utf-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "--encoding utf-16"),
        (b"\x1f\x8b\x08\0\0\0", "compressed by gzip"),
        (b"PK\x03\x04xxxx", "a zip archive or a workbook"),
        (b"PAR1xxxx", "--input-format parquet"),
        (b"a,b\n1," + b"x" * (1 << 24) + b"\n", "more than 16777216 characters"),
    ],
)
def test_broken_csv_is_refused_with_the_way_out(tmp_path, text, message):
    assert message in refused(tmp_path, text)


def test_cells_longer_than_the_csv_modules_limit_are_read(tmp_path):
    opened = table(tmp_path, 'a,b\n1,"' + "x," * 100_000 + '"\n')
    assert len(whole(opened)["b"][0]) == 200_000


def test_blank_lines_are_not_rows(tmp_path):
    opened = table(tmp_path, "\na,b\n1,2\n\n   \n3,4\n\n")
    assert (n_rows(opened), whole(opened).values.tolist()) == (2, [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_read(tmp_path, end):
    opened = table(tmp_path, end.join(["a,b", "01,x y", "2,z"]))
    assert whole(opened).values.tolist() == [["01", "x y"], ["2", "z"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "cp949"])
def test_encodings_are_read_when_named_and_bom_dropped(tmp_path, encoding):
    word = "한" if encoding == "cp949" else "é"
    bom = b"\xef\xbb\xbf" if encoding == "utf-8" else b""
    opened = table(tmp_path, bom + f"id,{word}\n1,{word}\n".encode(encoding), encoding=encoding)
    assert opened.columns == ("id", word)
    assert whole(opened).values.tolist() == [[1.0, word]]


def test_without_header_columns_are_numbered(tmp_path):
    opened = table(tmp_path, b"\xef\xbb\xbf007,x\n2,y\n", header=False)
    assert opened.columns == ("0", "1")
    assert whole(opened).values.tolist() == [["007", "x"], ["2", "y"]]


def test_nameless_columns_are_named_as_pandas_names_them(tmp_path):
    path = write(tmp_path / "data.csv", ",a\n0,1\n")
    assert open_table([path], PLAIN).columns == tuple(pd.read_csv(path).columns)


def test_a_separator_is_taken_as_said(tmp_path):
    opened = table(tmp_path, "a;b\n1,5;x\n", sep=";")
    assert whole(opened).values.tolist() == [["1,5", "x"]]
    assert table(tmp_path, "a\tb\n1\t2\n", sep="\\t").columns == ("a", "b")
    with pytest.raises(UsageError, match="one ASCII character"):
        table(tmp_path, "a;b\n1;2\n", sep=";;")


CELL = st.text(st.sampled_from('a0 17.-"\n\r\t,;é'), max_size=5)


@QUICK
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6), st.booleans())
def test_every_cell_that_a_csv_writer_wrote_comes_back(tmp_path, rows, quote):
    handle = io.StringIO()
    quoting = csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    csv.writer(handle, quoting=quoting).writerows([("x", "y", "z"), *rows])
    opened = table(tmp_path, handle.getvalue())
    part = next(chunks(opened, {}, ["x", "y", "z"], 100))
    assert part.carried.values.tolist() == [list(row) for row in rows]


def test_a_single_quoted_name_with_a_comma_is_one_column(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text('"a,b"\n1\n2\n')
    assert open_table([str(path)], ReadOptions()).columns == ("a,b",)


def test_blanks_in_quotes_are_a_cell_and_a_line_of_blanks_is_none(tmp_path):
    opened = table(tmp_path, 'text\nfree\n"  "\n  \n""\n" \t"\nwin\n')
    found = read_columns(opened, {"text": "text"}).table["text"].tolist()
    assert n_rows(opened) == 5
    assert found == ["free", "  ", np.nan, " \t", "win"]


def test_a_small_file_that_is_read_again_is_the_same_whatever_was_written_to_it(tmp_path):
    opened = table(tmp_path, "a,b\n1.5,x\n2.5,y\n")
    kinds_ = {"a": "number", "b": "text"}
    first = read_columns(opened, kinds_).table
    cells = first["a"].to_numpy()
    cells.flags.writeable = True
    cells[:] = 0.0
    assert first["a"].tolist() == [0.0, 0.0]
    again = read_columns(opened, kinds_).table
    assert again.to_dict("list") == {"a": [1.5, 2.5], "b": ["x", "y"]}
    (rows,) = chunks(opened, {"a": "number"}, ["b"], 5)  # another question is read
    assert (rows.table["a"].tolist(), rows.carried["b"].tolist()) == ([1.5, 2.5], ["x", "y"])


def test_cells_of_a_large_file_are_not_kept(tmp_path, monkeypatch):
    text = "a,b\n1.5,x\n2.5,y\n"
    kept = {}
    for most in (len(text), len(text) - 1):
        monkeypatch.setattr("xplain_cli.datasets.delimited._KEPT_BYTES", most)
        opened = table(tmp_path, text)
        read_columns(opened, {"b": "text"})
        write(tmp_path / "data.csv", text.upper())
        kept[most] = read_columns(opened, {"b": "text"}).table["b"].tolist()
    assert kept == {len(text): ["x", "y"], len(text) - 1: ["X", "Y"]}
