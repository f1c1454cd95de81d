"""A command is typed with the options that it may be configured with."""

import inspect

import pytest

from xplain_cli.commands import COMMANDS
from xplain_cli.options.command import typer_function


def parameters(command):
    return inspect.signature(typer_function(COMMANDS[command], print)).parameters


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_options_that_it_may_be_configured_with(command):
    assert list(parameters(command)) == [option.name for option in COMMANDS[command].options]


def test_no_option_has_a_default_of_its_own():
    assert {parameter.default for parameter in parameters("tabular").values()} == {None}
