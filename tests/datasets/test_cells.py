"""Cells: their kinds, missing words, and numbers to the last digit."""

import numpy as np
import pandas as pd
import pytest
from small_tables import PLAIN, kind, refused, table, values, whole, write

from xplain_cli.datasets import (
    chunks,
    kinds,
    open_table,
    read_columns,
)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", "+3", "0"], "integer"),
        (["1", "", "3"], "integer"),
        (["1", "", "3.0"], "number"),
        (["1.5", ".5", "1e5", "inf"], "number"),
        (["0.5", "0", "-0.25"], "number"),
        (["007", "12"], "text"),
        (["12", "-007"], "text"),
        (["1.5", "007"], "text"),
        (["1", "abc"], "text"),
        (["1", "NA"], "text"),
        (["NA", "None", "nan"], "text"),
        (["True", "FALSE", "true"], "bool"),
        (["True", "", "false"], "bool"),
        (["True", "1"], "text"),
        (["2024-01-31", ""], "date"),
        (["2024-01-31T10:00:00", "2024-02-01T10:00:00Z"], "date"),
        (["2024-01-31", "2024-13-01"], "text"),
        (["", ""], "empty"),
        (["123456789012345678901234567890", "1.5"], "number"),
        (["1_000", "2"], "text"),
    ],
)
def test_kind_follows_the_cells(tmp_path, cells, expected):
    assert kind(tmp_path, *cells) == expected


def test_na_words_are_missing_only_when_named(tmp_path):
    assert kind(tmp_path, "1", "NA", na_values=("NA",)) == "integer"
    opened = table(tmp_path, "k,x\n1,NA\n1,-999\n1,-999.0\n1,2\n", na_values=("NA", "-999"))
    assert values(whole(opened), "x") == [None, None, None, 2.0]


def test_text_keeps_the_words_of_the_file(tmp_path):
    opened = table(tmp_path, "zip,w\n01234,NA\n00000,\n9,nan\n")
    frame = whole(opened)
    assert values(frame, "zip") == ["01234", "00000", "9"]
    assert values(frame, "w") == ["NA", None, "nan"]
    assert [str(t) for t in frame.dtypes] == ["object", "object"]


def test_complete_bools_are_numpy_bools_and_others_objects(tmp_path):
    frame = whole(table(tmp_path, "a,b\nTrue,true\nfalse,\n"))
    assert [str(t) for t in frame.dtypes] == ["bool", "object"]
    assert (values(frame, "a"), values(frame, "b")) == ([True, False], [True, None])


def test_dtype_overrules_the_cells(tmp_path):
    dtypes = (("a", "number"), ("b", "text"), ("c", "bool"))
    opened = table(tmp_path, "a,b,c\n007,1,1\n8,2,0\n", dtypes=dtypes)
    assert kinds(opened, ["a", "b", "c"]) == dict(dtypes)
    assert whole(opened).values.tolist() == [[7.0, "1", True], [8.0, "2", False]]


def test_a_word_in_a_number_column_is_placed(tmp_path):
    text = "k,age\n" + "1,5\n" * 17 + "1,abc\n"
    one, two = write(tmp_path / "a.csv", "k,age\n1,2\n"), write(tmp_path / "b.csv", text)
    opened = open_table([one, two], PLAIN)
    last = list(chunks(opened, {"age": "number"}, ["age"], 5))[-1]
    reason = (
        f"{two}: row 18, line 19, column 'age': 'abc' is not a number; "
        "if it means missing, --na-values 'abc'; to read the column as text, --dtype age=text"
    )
    assert (last.start, last.reasons) == (15, {3: reason})
    assert values(last.table, "age") == [5.0, 5.0, 5.0, None]


def test_bool_words_are_no_numbers_even_where_a_block_holds_nothing_else(tmp_path):
    message = refused(tmp_path, "k,x\n1,True\n1,False\n", dtypes=(("x", "number"),))
    assert "row 0, line 2, column 'x': 'True' is not a number" in message
    assert "(2 of 2 cells of the column are like that)" in message


def test_floats_are_read_to_the_last_digit(tmp_path):
    numbers = np.random.default_rng(0).standard_normal(2000) * 10.0 ** np.arange(-100, 100, 0.1)
    text = "k,x\n" + "".join(f"1,{v!r}\n" for v in numbers.tolist())
    assert (
        read_columns(table(tmp_path, text), {"x": "number"}).table["x"].tolist() == numbers.tolist()
    )


def test_missing_text_is_what_encoders_were_fitted_on(tmp_path):
    from sklearn.preprocessing import OneHotEncoder

    path = write(tmp_path / "data.csv", "k,c\n1,x\n2,\n3,y\n")
    fitted = pd.read_csv(path)[["c"]]
    encoder = OneHotEncoder(sparse_output=False).fit(fitted)
    ours = read_columns(open_table([path], PLAIN), {"c": "text"}).table
    assert encoder.transform(ours).tolist() == encoder.transform(fitted).tolist()
