"""Tables of several files: columns by name, in chunks of any size."""

import pytest
from small_tables import PLAIN, table, values, whole, write

from xplain_cli.datasets import (
    chunks,
    kinds,
    n_rows,
    open_table,
)
from xplain_cli.errors import RefusedError, UsageError


def test_kind_is_decided_over_all_rows_and_files(tmp_path):
    one = write(tmp_path / "1.csv", "k,x,y\n" + "1,2,3\n" * 200_000)
    two = write(tmp_path / "2.csv", "y,x,k\n4,x,1\n")
    opened = open_table([one, two], PLAIN)
    assert kinds(opened, ["x", "y"], words=["x"]) == {"x": "text", "y": "integer"}


def test_a_bool_missing_in_any_chunk_makes_every_chunk_an_object(tmp_path):
    opened = table(tmp_path, "k,b\n1,True\n1,False\n1,\n")
    parts = chunks(opened, {"b": "bool"}, [], 1)
    assert [str(c.table["b"].dtype) for c in parts] == ["object"] * 3


def test_unknown_dtype_and_column_name_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'age'"):
        table(tmp_path, "age,x\n1,2\n", dtypes=(("agee", "text"),))
    with pytest.raises(UsageError, match="did you mean 'number'"):
        table(tmp_path, "age,x\n1,2\n", dtypes=(("age", "numbr"),))


def test_columns_come_in_the_order_asked_for(tmp_path):
    opened = table(tmp_path, "a,b,c\n1,2,3\n")
    part = next(chunks(opened, {"c": "number", "a": "number"}, ["b", "a"], 10))
    assert (list(part.table), list(part.carried)) == (["c", "a"], ["b", "a"])


def test_chunks_without_typed_columns_still_have_rows(tmp_path):
    opened = table(tmp_path, "a,b\n1,2\n3,4\n")
    assert [len(c.table) for c in chunks(opened, {}, [], 1)] == [1, 1]


def test_carried_cells_are_the_text_of_the_file(tmp_path):
    opened = table(tmp_path, 'id,x\n01234,1.50\n"NA, b",\n,-9\n', na_values=("-9",))
    part = next(chunks(opened, {"x": "number"}, ["id", "x"], 9))
    assert part.carried.values.tolist() == [["01234", "1.50"], ["NA, b", ""], ["", "-9"]]
    assert values(part.table, "x") == [1.5, None, None]


def test_files_are_aligned_by_name(tmp_path):
    paths = [write(tmp_path / "1.csv", "a,b\n1,x\n"), write(tmp_path / "2.csv", "b,a\ny,2\n")]
    opened = open_table(paths, PLAIN)
    assert (opened.columns, n_rows(opened)) == (("a", "b"), 2)
    assert whole(opened).values.tolist() == [[1.0, "x"], [2.0, "y"]]


def test_files_with_other_columns_are_refused(tmp_path):
    one, two = write(tmp_path / "1.csv", "a,b\n1,x\n"), write(tmp_path / "2.csv", "a,c\n1,2\n")
    with pytest.raises(RefusedError, match=r"2\.csv: no column 'b', which .*1\.csv has"):
        open_table([one, two], PLAIN)
    three = write(tmp_path / "3.csv", "a,b,c\n1,2,3\n")
    with pytest.raises(RefusedError, match=r"3\.csv: has column 'c', which .*1\.csv has not"):
        open_table([one, three], PLAIN)


def test_a_column_that_is_not_there_is_refused_with_the_nearest(tmp_path):
    opened = table(tmp_path, "age,x\n1,2\n")
    with pytest.raises(RefusedError, match="no column 'agee'; it has age, x; did you mean 'age'"):
        next(chunks(opened, {}, ["agee"], 10))
