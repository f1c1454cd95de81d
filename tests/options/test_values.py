"""Values of options: read from text, typed in a project file, and checked."""

import os

import pytest

from xplain_cli.commands import COMMANDS
from xplain_cli.errors import UsageError
from xplain_cli.options.values import check, parse, split, typed

SETTINGS = {option.name: option for each in COMMANDS.values() for option in each.options}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top_k", 0),
        ("samples", -1),
        ("seed", -1),
        ("jobs", 0),
        ("backend", "ray"),
        ("rows", "1-2"),
        ("max_failed", "5 rows"),
        ("model_sha256", "abc"),
        ("dtype", ("zip=str", "zip")),
    ],
)
def test_values_that_are_not_allowed_are_refused(name, value):
    with pytest.raises(UsageError, match=r"--here is .* must"):
        check(SETTINGS[name], value, "--here")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 0),
        ("backend", "loky"),
        ("rows", "10:"),
        ("max_failed", "2.5%"),
        ("model_sha256", "aB" * 32),
        ("group", ("city=city_*",)),
    ],
)
def test_values_that_are_allowed_pass(name, value):
    check(SETTINGS[name], value, "--here")


def test_a_wrong_choice_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'threads'"):
        check(SETTINGS["backend"], "thread", "--backend")


def test_only_lists_of_names_are_split_at_commas():
    assert split(SETTINGS["features"], ("a, b", "c*")) == ("a", "b", "c*")
    assert split(SETTINGS["keep"], ("a, b",)) == ("a, b",)


def test_variables_are_read_in_the_options_own_type():
    assert parse(SETTINGS["jobs"], "4", "V") == 4
    assert [parse(SETTINGS["wide"], text, "V") for text in ("1", "TRUE", "0", "no")] == [
        True,
        True,
        False,
        False,
    ]
    assert parse(SETTINGS["keep"], "a, b", "V") == ("a", "b")
    assert parse(SETTINGS["data"], f"a.csv{os.pathsep}b,c.csv", "V") == ("a.csv", "b,c.csv")


@pytest.mark.parametrize(("name", "text"), [("jobs", "two"), ("wide", "maybe")])
def test_variables_of_another_type_are_refused(name, text):
    with pytest.raises(UsageError, match="XPLAIN_X is"):
        parse(SETTINGS[name], text, "XPLAIN_X")


def test_keys_of_the_project_file_are_read_in_the_options_own_type():
    assert typed(SETTINGS["features"], "a,b", "k") == ("a", "b")
    assert typed(SETTINGS["features"], ["a,b", "c"], "k") == ("a,b", "c")
    assert typed(SETTINGS["dtype"], {"zip": "str"}, "k") == ("zip=str",)
    assert typed(SETTINGS["max_failed"], 5, "k") == "5"


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "1"), ("seed", True), ("wide", 1), ("target", 1), ("keep", [1]), ("model", ["m"])],
)
def test_keys_of_another_type_are_refused(name, value):
    with pytest.raises(UsageError, match=r"xplain\.toml: key is .* must be"):
        typed(SETTINGS[name], value, "xplain.toml: key")
