"""What each option takes, and that all the places that list options agree."""

import inspect
import os

import pytest

from xplain_cli.commands import COMMANDS
from xplain_cli.errors import UsageError
from xplain_cli.options.command import typer_function
from xplain_cli.options.request import from_stored, stored_form
from xplain_cli.options.runs import row_slice
from xplain_cli.options.values import check, parse, split, typed

SETTINGS = {option.name: option for each in COMMANDS.values() for option in each.options}


def parameters(command):
    return inspect.signature(typer_function(COMMANDS[command], print)).parameters


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_options_that_it_may_be_configured_with(command):
    assert list(parameters(command)) == [option.name for option in COMMANDS[command].options]


def test_no_option_has_a_default_of_its_own():
    assert {parameter.default for parameter in parameters("tabular").values()} == {None}


def test_every_field_of_a_request_has_an_option():
    own = set(stored_form(from_stored({"modality": "tabular"})))
    assert own - {option.stored for option in SETTINGS.values()} == {
        "modality",
        "output_explicit",
        "progress",
        "argv",
        "project_file",
    }


def test_defaults_agree_with_the_request():
    plain = stored_form(from_stored({"modality": "tabular"}))
    differing = {
        option.stored: option.default
        for option in SETTINGS.values()
        if option.stored in plain and plain[option.stored] != option.default
    }
    assert differing == {}


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


def test_a_slice_has_a_first_row_and_an_end():
    assert [row_slice(text) for text in ("2:5", ":5", "2:", ":")] == [
        (2, 5),
        (0, 5),
        (2, None),
        (0, None),
    ]


@pytest.mark.parametrize("text", ["5:5", "6:5", "", "-1:", "a:b"])
def test_a_slice_without_rows_is_refused(text):
    with pytest.raises(UsageError, match="--rows is"):
        row_slice(text)


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
