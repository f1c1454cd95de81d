"""Help that can be typed: on a terminal, at 80 and 120 columns, and through a pipe."""

import re
import shlex

import pytest
from terminals import on_terminal, plain
from typer.testing import CliRunner

from xplain_cli.commands import COMMANDS, make_app
from xplain_cli.options.project import resolve


def page(*words, **env):
    typed = " ".join(words).split()  # of two words where it stands in a group
    return (
        CliRunner()
        .invoke(make_app(COMMANDS), [*typed, "--help"], env={"COLUMNS": "100", **env})
        .output
    )


def examples(command):
    block = page(command).partition("Examples\n")[2].partition("\n\n")[0]
    return [line.strip() for line in block.splitlines()]


@pytest.mark.parametrize("columns", [80, 120])
def test_on_a_terminal_every_spelling_of_the_help_can_be_typed(columns):
    code, shown = on_terminal(columns, "tabular", "--help")
    assert code == 0
    assert "\N{SQUARED VS}" not in shown
    lines = plain(shown).splitlines()
    assert max(map(len, lines)) <= columns
    words = " ".join(" ".join(lines).split())
    for spelling in (
        "A:vs:B",
        "predicted:vs:runner-up",
        "--method NAME[:KEY=VALUE,...]",
        "lime:kernel_width=3,discretizer=decile",
        "log-odds:eps=1e-6",
    ):
        assert spelling in words


def test_headings_are_bold_on_a_terminal_that_may_show_it():
    assert "\x1b[1mSamples\x1b[0m" in on_terminal(80, "tabular", "--help")[1]
    assert "\x1b" not in on_terminal(80, "tabular", "--help", NO_COLOR="1")[1]
    assert "\x1b" not in page("tabular")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_mistake_is_told_without_pictures_and_frames(columns):
    code, shown = on_terminal(columns, "tabular", "--tarket", "A:vs:B")
    assert code == 2
    assert "No such option: --tarket" in shown
    assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" not in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_of_a_help_is_wider_than_80(command):
    wide = [line for line in page(command, COLUMNS="80").splitlines() if len(line) > 80]
    assert wide == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_three_examples_that_its_own_options_take(command, tmp_path):
    found = examples(command)
    assert len(found) >= 3
    for line in found:
        tool, *words = shlex.split(line)
        assert tool == "xplain"
        assert words[: len(command.split())] == command.split()
        flags = {flag for option in COMMANDS[command].options for flag in option.flags}
        known = {flag for pair in flags for flag in pair.split("/")}
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known
    assert resolve(command, {}, {}, tmp_path, COMMANDS).values


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_tells_its_exit_codes_and_where_to_read_on(command):
    shown = page(command)
    assert "Exit codes: 0 done, 1 a gate was not met, 2 usage" in shown
    assert "Read on: xplain explain TERM" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_values_are_called_by_what_they_are(command):
    shown = page(command)
    assert not re.search(r"<\w+>|list\[|\bTEXT\b(?!,)|BOOLEAN|INTEGER", shown.replace(" TEXT ", ""))


def test_every_option_stands_under_a_heading_with_what_it_means():
    shown = " ".join(page("image").split())
    for option in COMMANDS["image"].options:
        assert " ".join(option.help.split()) in shown
        assert option.panel in shown
