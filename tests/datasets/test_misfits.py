"""Cells that do not fit the kind of their column."""

import pandas as pd
import pytest
from small_tables import PLAIN, flawed, kind, table, write

from xplain_cli.datasets import (
    chunks,
    judge_columns,
    kinds,
    open_table,
    read_columns,
)
from xplain_cli.errors import RefusedError


def test_more_than_half_bad_cells_refuse_the_file(tmp_path):
    opened = table(tmp_path, "x,t\n1,w\n2,w\nabc,w\nabc,w\n")
    assert "'x' 2 of 4" in judge_columns(opened, {"x": "number"}, ())[0]
    opened = table(tmp_path, "x,t\n1,w\nabc,w\nabc,w\n")
    with pytest.raises(RefusedError, match=r"row 1, line 3, column 'x': 'abc' .*\(2 of 3 cells"):
        judge_columns(opened, {"x": "number"}, ())


def test_texts_that_read_as_numbers_fit_a_column_of_numbers(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text(
        '{"x": "1.5", "b": "true"}\n' * 3 + '{"x": 2, "b": "1"}\n{"x": "y", "b": "0"}\n'
    )
    opened = open_table([str(path)], PLAIN)
    (note,) = judge_columns(opened, {"x": "number", "b": "bool"}, ())
    assert "'x' 1 of 5" in note
    assert "'b'" not in note
    assert read_columns(opened, {"x": "number"}).table["x"].tolist()[:4] == [1.5, 1.5, 1.5, 2.0]


@pytest.mark.parametrize(
    ("cell", "bare"),
    [
        ("$1.5", "1.5"),
        ("13 550", "13550"),
        ("\N{MINUS SIGN}2", "-2"),
        ("5 %", "5, or as a share of one"),
    ],
)
def test_a_dressed_number_is_shown_without_its_dress(tmp_path, cell, bare):
    opened = table(tmp_path, f"x,t\n{cell},w\n{cell},w\n")
    with pytest.raises(RefusedError) as refused:
        judge_columns(opened, {"x": "number"}, ())
    assert f"is not a number; write it as {bare} (2 of 2" in str(refused.value)


@pytest.mark.parametrize(
    ("bad", "words", "expected"),
    [(1, (), "integer"), (2, (), "text"), (1, ("x",), "text"), (2, ("x",), "text")],
)
def test_one_word_in_twenty_is_a_slip_unless_the_model_takes_words(tmp_path, bad, words, expected):
    opened = table(tmp_path, "x,t\n" + "1,w\n" * (20 - bad) + "abc,w\n" * bad)
    found = kinds(opened, ["x"], words)
    assert found == {"x": expected}
    notes = judge_columns(opened, found, words)
    slip, mixed = "'x' 1 of 20", "taken as words: 'x' (18 numbers, 2 words)"
    shown = {(1, ()): slip, (2, ()): mixed}.get((bad, words))
    assert [shown in note for note in notes] == ([True] if shown else [])


def test_a_slip_in_a_column_of_codes_makes_no_numbers_of_them(tmp_path):
    assert kind(tmp_path, *["01"] * 30, "abc") == "text"


def test_a_slip_among_bools_costs_its_row_alone(tmp_path):
    opened = table(tmp_path, "b,t\n" + "True,w\n" * 20 + "maybe,w\n")
    reasons, rest = flawed(opened)
    assert ("'maybe' is not true or false" in reasons[20], rest) == (True, [[True, "w"]] * 20)


def test_bad_rows_leave_the_types_of_the_others_as_they_are(tmp_path):
    good = "b,i\nTrue,1\nFalse,2\n"
    clean, dirty = table(tmp_path, good), table(tmp_path, good + "True\n", "dirty.csv")
    assert kinds(dirty, ["b", "i"]) == kinds(clean, ["b", "i"]) == {"b": "bool", "i": "integer"}
    rows = [read_columns(one, {"b": "bool", "i": "integer"}).readable for one in (clean, dirty)]
    pd.testing.assert_frame_equal(*rows)


def test_reasons_are_placed_in_chunks_of_any_size_and_over_files(tmp_path):
    one = write(tmp_path / "1.csv", 'x,t\n1,w\n2\n"3\n",w\n')
    two = write(tmp_path / "2.csv", "\nx,t\n4,w\nabc,w\n\n6,w,w\n")
    opened = open_table([one, two], PLAIN)
    for rows in (1, 2, 100):
        parts = list(chunks(opened, {"x": "number"}, ["t"], rows))
        found = {c.start + i: why for c in parts for i, why in c.reasons.items()}
        assert {row: why.split(":")[1].strip() for row, why in found.items()} == {
            1: "line 3 has 1 cell, the header 2; remove a separator too many, add one too few, "
            "or quote a cell that holds one",
            2: "row 2, line 5, column 'x'",
            4: "row 4, line 4, column 'x'",
            5: "line 6 has 3 cells, the header 2; remove a separator too many, add one too few, "
            "or quote a cell that holds one",
        }
