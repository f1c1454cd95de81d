"""Values of options: read from text, typed in a project file, and checked."""

import os
import shlex

import pytest

from xplain_cli.commands import COMMANDS
from xplain_cli.errors import UsageError, naming, nearest
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


@pytest.mark.parametrize(
    ("typed_as", "names"),
    [
        ('"a,b",c', ("a,b", "c")),
        ('c, "a, b" ,"d ""e"""', ("c", "a, b", 'd "e"')),
        (' "x" y,z', ('"x" y', "z")),
        (" lead", (" lead",)),
        ('" lead",b ', (" lead", "b")),
        ('"never closed,b', ('"never closed', "b")),
        (",,a,", ("a",)),
        ("  ", ()),
    ],
)
def test_names_may_hold_commas_blanks_and_quotes(typed_as, names):
    assert split(SETTINGS["drop_columns"], (typed_as,)) == names
    assert parse(SETTINGS["drop_columns"], typed_as, "XPLAIN_DROP_COLUMNS") == names


@pytest.mark.parametrize(
    "name", ["a,b", '"q"', " lead", "-dash", "it's", "g[0]", "$HOME", "x:y", "k=v", 'a",""b', "ü é"]
)
def test_what_is_advised_for_a_column_means_that_column(name):
    flag, *rest = shlex.split(naming("--drop-columns", name))
    word = rest[0] if rest else flag.removeprefix("--drop-columns=")
    assert split(SETTINGS["drop_columns"], (word,)) == (name,)


def test_a_hint_at_a_name_with_a_comma_can_be_typed():
    hint = nearest("size", ["size, cm", "weight"], "--hold")
    assert hint == "; did you mean --hold '\"size, cm\"'?"
