"""A file of codes is read whole, or refused with the place."""

import math

import pytest

from xplain_cli.errors import UsageError
from xplain_cli.quality.code_book import check_features, read_code_book

WHOLE = """
forbidden = ["zip"]
merge = { debt = ["loans", "cards"] }
[[codes.income]]
code = "1"
text = "too low"
when = "low"
[[codes.income]]
code = "2"
text = "between"
when = "10:20"
[codes.debt]
code = "3"
text = "debt"
["codes"."*"]
code = "9"
text = "other"
"""


def read(tmp_path, text):
    path = tmp_path / "codes.toml"
    path.write_text(text)
    return read_code_book(str(path))


def test_a_code_is_chosen_by_direction_and_range(tmp_path):
    low, between = read(tmp_path, WHOLE).of("income")
    assert [low.fits(value, 5.0) for value in (4.0, 5.0, math.nan)] == [True, False, False]
    assert [between.fits(value, 5.0) for value in (10.0, 10.5, 20.0, 21.0)] == [
        *(False, True, True, False)
    ]


def test_what_has_no_code_of_its_own_has_the_common_one(tmp_path):
    assert [code.code for code in read(tmp_path, WHOLE).of("unknown")] == ["9"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no codes"),
        ("[codes.a]\ncode = '1'", "needs a code and a text"),
        ("[codes.a]\ncode = '1'\ntext = 'x'\nwhen = 'big'", "must be low, high or LOW:HIGH"),
        ("[codes.a]\ncode = '1'\ntext = 'x'\nwhen = '5:2'", "holds no value"),
        ("[codes.a]\ncode = 3\ntext = 'x'", "code is 3; it must be a text, in quotes"),
        ("[codes.a]\ncode = '1'\ntext = 'x'\nwhen = 5", "when is 5; it must be a text"),
        ("forbiden = []\n[codes.a]\ncode = '1'\ntext = 'x'", "did you mean 'forbidden'"),
        ("forbidden = ['a']\n[codes.a]\ncode = '1'\ntext = 'x'", "needs no code"),
        ("merge = {g = ['a']}\n[codes.a]\ncode = '1'\ntext = 'x'", "is in the group 'g'"),
        ("merge = {g = ['b'], h = ['b']}\n[codes.a]\ncode = '1'\ntext = 'x'", "two groups"),
        (
            "merge = {g = ['b']}\nprotected = ['b']\n[codes.a]\ncode = '1'\ntext = 'x'",
            "cannot be in 'g'",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, text, said):
    with pytest.raises(UsageError, match=said):
        read(tmp_path, text)


def test_a_name_that_is_no_feature_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'incom'"):
        check_features(read(tmp_path, WHOLE), ["incom", "loans", "cards", "zip"], "codes.toml")


def test_what_a_run_held_may_be_protected_and_has_no_code(tmp_path):
    book = read(tmp_path, "protected = ['sex']\n[codes.a]\ncode = '1'\ntext = 'x'")
    check_features(book, ["a", "b"], "codes.toml", held=["sex"])
    with pytest.raises(UsageError, match="'a' was held by the run"):
        check_features(book, ["b"], "codes.toml", held=["a", "sex"])
