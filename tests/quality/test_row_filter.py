"""Which rows a condition means, and what is refused."""

import math

import pandas as pd
import pytest

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.quality.row_filter import RowFilter

FRAME = pd.DataFrame({
    "row_id": [7, 8, 9],
    "prediction": [0.2, 0.6, math.nan],
    "residual": [-0.5, 0.1, 0.0],
    "fidelity": ["good", "poor", None],
    "mean radius": [1.0, 2.0, 3.0],
    "error": [None, None, None],
    "nothing": [math.nan] * 3,
    "decided": pd.Series([True, None, False], dtype=object),
    "same_decision": [True, False, True],
})


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("prediction>0.5", [8]),
        ("prediction != 0.6", [7]),
        ("0.1 < prediction <= 0.6", [7, 8]),
        ('fidelity=="poor" or prediction<0.3', [7, 8]),
        ('not fidelity=="poor"', [7, 9]),
        ("abs(residual)>0.2", [7]),
        ("residual<-0.2", [7]),
        ("column('mean radius')>=2 and row_id==9", [9]),
        ('error=="no such"', []),
        ('error!="no such" or abs(nothing)>0', []),
        ("-decided<0 and same_decision==1", [7]),
        ("prediction<" + "9" * 900, [7, 8]),
    ],
)
def test_a_condition_means_the_lines_that_meet_it(where, rows):
    assert FRAME["row_id"][RowFilter.of((), where).mask(FRAME)].tolist() == rows


def test_rows_are_meant_by_their_ids_as_they_are_printed():
    assert RowFilter.of(("8", "9"), "residual>0").mask(FRAME).tolist() == [False, True, False]
    assert RowFilter.of((), None).mask(FRAME).all()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("prediction>", "cannot be read"),
        ("predictions>1", "did you mean 'prediction'"),
        ("fidelity>1", "a text and a number cannot be compared"),
        ("fidelity==1", "a text and a number cannot be compared"),
        ('row_id=="7"', "texts stand in quotes, numbers do not"),
        ('prediction!="nan"', "a text and a number cannot be compared"),
        ('prediction>-"abc"', "a sign or abs needs a number"),
        ("-fidelity>1", "a sign or abs needs a number"),
        ("abs(fidelity)>1", "a sign or abs needs a number"),
        ('abs("x")>1', "a sign or abs needs a number"),
        ("-" * 990 + "1>0", "--where"),
        ("(" * 400 + "1>0" + ")" * 400, "cannot be read"),
        ("prediction", "expected a comparison"),
        ("prediction in (1, 2)", "expected"),
        ("__import__('os').system('true')>1", "expected a column"),
        ("open('/etc/passwd')>1", "expected a column"),
        ("[1 for one in row_id]>1", "expected a column"),
        ("1" * 2000 + ">1", "at most 1000 characters"),
    ],
)
def test_what_is_no_condition_is_refused(where, said):
    with pytest.raises(UsageError, match="--where") as caught:
        RowFilter.of((), where).mask(FRAME)
    assert said in str(caught.value)


def test_a_row_that_is_not_there_is_named_with_one_that_is_like_it():
    wanted = RowFilter.of(("patient-1", "b"), None)
    with pytest.raises(RefusedError, match=r"row 'patient-1': no such row.*'patient-01'"):
        wanted.check_found({"b"}, ["patient-01", "b"])
    wanted.check_found({"patient-1", "b"}, [])


def test_a_row_that_does_not_meet_the_condition_is_not_called_missing():
    wanted = RowFilter.of(("a",), "prediction>5")
    with pytest.raises(RefusedError, match=r"row 'a': does not meet --where 'prediction>5'"):
        wanted.check_found(set(), ["a", "b"])


def test_rows_stand_in_one_list_with_commas_and_an_id_may_hold_one():
    frame = pd.DataFrame({"row_id": ["3", "7", "8", "Smith, J"], "row": [0, 1, 2, 3]})
    wanted = RowFilter.of(("3, 7", "Smith, J"), None)
    assert wanted.mask(frame).tolist() == [True, True, False, True]
    wanted.check_found({"3", "7", "Smith, J"}, [])
    with pytest.raises(RefusedError, match=r"row '7': no such row"):
        wanted.check_found({"3", "Smith, J"}, ["3", "8"])
