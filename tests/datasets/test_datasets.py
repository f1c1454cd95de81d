"""The contract of the table formats: the same frame whole and in chunks, or a refusal."""

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import MIXED, PLAIN, QUICK, ROWS, make, table, whole, write

from xplain_cli.datasets import (
    ReadOptions,
    chunks,
    kinds,
    n_rows,
    open_table,
    read_columns,
)
from xplain_cli.errors import RefusedError, UsageError, XplainError


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "split", "parquet", "arrow", "npy", "npz"])
def test_every_format_gives_the_same_frame(tmp_path, form):
    opened = open_table([make(tmp_path, form, ROWS)], PLAIN)
    expected = read_columns(open_table([make(tmp_path, "csv", ROWS, "other")], PLAIN), MIXED).table
    whole_numbers = "number" if form.startswith("np") else "integer"  # floats with gaps
    assert kinds(opened, list(MIXED)) == {**MIXED, "i": whole_numbers}
    pd.testing.assert_frame_equal(read_columns(opened, MIXED).table, expected)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "split", "parquet", "arrow"])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_chunks_of_any_size_give_the_whole_frame(tmp_path, form, rows):
    paths = [make(tmp_path, form, ROWS[:10], "1"), make(tmp_path, form, ROWS[10:], "2")]
    opened = open_table(paths, PLAIN)
    parts = list(chunks(opened, MIXED, ["id", "i"], rows))
    frame = pd.concat([c.table for c in parts], ignore_index=True)
    pd.testing.assert_frame_equal(frame, read_columns(opened, MIXED).table)
    assert [c.start for c in parts] == list(range(0, 25, rows))
    assert [len(c.table) for c in parts[:-1]] == [rows] * (len(parts) - 1)
    carried = pd.concat([c.carried for c in parts], ignore_index=True)
    assert carried["id"].tolist() == [row["id"] for row in ROWS]
    assert carried["i"].tolist() == ["" if r["i"] is None else str(r["i"]) for r in ROWS]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_slice_counts_its_chunks_from_its_start(tmp_path, form):
    paths = [make(tmp_path, form, ROWS[:10], "1"), make(tmp_path, form, ROWS[10:], "2")]
    parts = list(chunks(open_table(paths, PLAIN), {"t": "text"}, [], 4, start=8, stop=14))
    assert [(c.start, c.table["t"].tolist()) for c in parts] == [
        (8, ["w8", "w9", "w10", "w11"]),
        (12, ["w12", "w13"]),
    ]


def test_stdin_takes_the_input_format(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}\n')))
    opened = open_table(["-"], ReadOptions(input_format="jsonl"))
    assert whole(opened).values.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "utf-99"}, "unknown"),
        ({"encoding": "base64"}, "unknown"),
        ({"input_format": "cvs"}, "did you mean 'csv'"),
    ],
)
def test_impossible_options_are_usage_errors(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        table(tmp_path, "a,b\n1,2\n", **options)


def test_paths_that_cannot_be_read_are_refused(tmp_path):
    for path, message in [("no.csv", "no such file"), ("", "is a folder"), ("a\0b", "cannot be")]:
        with pytest.raises(RefusedError, match=message):
            open_table([f"{tmp_path}/{path}"], PLAIN)
    with pytest.raises(RefusedError, match="--input-format"):
        table(tmp_path, "a,b\n1,2\n", "data.dat")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    opened = table(tmp_path, "a,b\n1,2\n3,4\n")
    write(tmp_path / "data.csv", "a,b\n1,2\n")
    with pytest.raises(RefusedError, match="2 rows counted but 1 read"):
        list(chunks(opened, {"a": "number"}, [], 10))


@QUICK
@given(st.binary(max_size=80), st.sampled_from(["csv", "tsv", "jsonl", "npy"]), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path, data, form, header):
    reason = ""
    try:
        opened = table(tmp_path, data, f"data.{form}", header=header)
        assert len(whole(opened)) == n_rows(opened)
    except XplainError as error:
        reason = str(error)
    assert "\n" not in reason


@QUICK
@given(st.text(st.sampled_from('a,0 "\n\r1.tT-'), max_size=40), st.booleans())
def test_any_scribble_is_read_or_refused(tmp_path, text, header):
    reason = ""
    try:
        opened = table(tmp_path, text, header=header)
        assert len(whole(opened)) == n_rows(opened)
    except XplainError as error:
        reason = str(error)
    assert "\n" not in reason
