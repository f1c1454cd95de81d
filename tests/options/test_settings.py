"""That all the places that list options agree."""

import inspect
from dataclasses import fields

import pytest

from xplain_cli.commands.evaluate import evaluate
from xplain_cli.commands.gate import gate
from xplain_cli.commands.image import image
from xplain_cli.commands.inspect import inspect as inspect_command
from xplain_cli.commands.merge import merge
from xplain_cli.commands.report import report
from xplain_cli.commands.tabular import tabular
from xplain_cli.commands.text import text
from xplain_cli.errors import UsageError
from xplain_cli.options.settings import COMMANDS, SETTINGS, row_slice
from xplain_cli.plan import Request

BODIES = {
    "tabular": tabular,
    "text": text,
    "image": image,
    "inspect": inspect_command,
    "gate": gate,
    "evaluate": evaluate,
    "merge": merge,
    "report": report,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_options_that_it_may_be_configured_with(command):
    assert set(inspect.signature(BODIES[command]).parameters) - {"words", "config"} == set(
        COMMANDS[command]
    )


def test_no_option_has_a_default_of_its_own():
    parameters = inspect.signature(tabular).parameters.values()
    assert {parameter.default for parameter in parameters} == {None}


def test_every_field_of_a_request_has_an_option():
    renamed = {
        "baselines": "baseline",
        "groups": "group",
        "dtypes": "dtype",
        "progress": "no_progress",
    }
    own = {renamed.get(field.name, field.name) for field in fields(Request)}
    assert own - set(SETTINGS) == {"modality", "output_explicit", "argv", "project_file"}


def test_defaults_agree_with_the_request():
    plain = Request("tabular", "m", ("d",))
    differing = {
        name: setting.default
        for name, setting in SETTINGS.items()
        if name not in {"model", "data", "output", "output_format"}
        and hasattr(plain, name)
        and getattr(plain, name) != setting.default
    }
    assert differing == {}


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
