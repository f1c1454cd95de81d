"""An option is declared once: help, environment, project file, checks and request follow."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from running import environment
from typer.testing import CliRunner

import xplain_cli
from xplain_cli.commands import COMMANDS, make_app
from xplain_cli.errors import UsageError
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import Shape, option, options_of, some, worded
from xplain_cli.options.project import resolve
from xplain_cli.options.runs import ProjectFile, Sampling


@dataclass(frozen=True, kw_only=True)
class Fog:
    """A group that no command of the tool has."""

    panel: ClassVar = "The weather"

    density: int | None = option("-d --density N", "Drops a litre.", least=1)
    kind: Literal["dry", "wet"] = option("--kind", "Its kind.", "dry")
    places: tuple[str, ...] = option("--places NAME,...", "Where.", (), kind="names")
    span: tuple[int, int] | None = option(
        "--span A-B",
        "When.",
        kind="text",
        shape=Shape(re.compile(r"\d+-\d+"), "1-2", lambda text: tuple(map(int, text.split("-")))),
    )


SEEN = []


@takes(Fog, some(Sampling, "seed"), ProjectFile)
def fog(options: Options) -> int:
    """Look at the fog."""
    SEEN.append(options)
    return 7


WITH_FOG = COMMANDS | {"fog": fog}


def fogs(folder, given=None, environ=None):
    return resolve("fog", given or {}, environ or {}, folder, WITH_FOG).group(Fog)


def refusal(folder, given=None, environ=None):
    with pytest.raises(UsageError) as caught:
        fogs(folder, given, environ)
    return str(caught.value)


def test_the_types_of_the_fields_say_how_values_are_read():
    declared = {one.name: (one.kind, one.choices, one.default) for one in options_of(Fog)}
    assert declared == {
        "density": ("integer", (), None),
        "kind": ("text", ("dry", "wet"), "dry"),
        "places": ("names", (), ()),
        "span": ("text", (), None),
    }


def test_a_declared_option_stands_in_the_help_of_the_command_that_takes_its_group():
    shown = CliRunner().invoke(make_app(WITH_FOG), ["fog", "--help"], env={"TERM": "dumb"}).output
    assert "--density" in shown
    assert "Drops a litre." in shown
    assert "Seed of the run." in shown
    other = CliRunner().invoke(make_app(WITH_FOG), ["gate", "--help"], env={"TERM": "dumb"}).output
    assert "--density" not in other


def test_a_command_is_run_with_what_was_typed_and_ends_with_its_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(make_app(WITH_FOG), ["fog", "-d", "3", "--places", "a,b"])
    assert done.exit_code == 7
    assert SEEN[-1].group(Fog) == Fog(density=3, places=("a", "b"))
    assert (SEEN[-1].typed, SEEN[-1].group(Sampling)) == ({"density", "places"}, Sampling())


def test_a_declared_option_is_read_from_the_environment_and_the_project_file(tmp_path):
    assert fogs(tmp_path, environ={"XPLAIN_DENSITY": "4"}) == Fog(density=4)
    (tmp_path / "xplain.toml").write_text(
        "density = 5\n[fog]\nkind = 'wet'\nspan = '1-3'\n", encoding="utf-8"
    )
    assert fogs(tmp_path) == Fog(density=5, kind="wet", span=(1, 3))
    assert fogs(tmp_path, {"density": 6}).density == 6
    assert resolve("gate", {}, {"XPLAIN_DENSITY": "4"}, tmp_path, WITH_FOG).notes == (
        "using xplain.toml",
    )


def test_a_declared_option_is_checked_whoever_gives_it(tmp_path):
    assert refusal(tmp_path, {"density": 0}) == "--density is 0; it must be at least 1"
    assert refusal(tmp_path, environ={"XPLAIN_SPAN": "1"}) == (
        "XPLAIN_SPAN is '1'; it must look like 1-2"
    )
    (tmp_path / "xplain.toml").write_text("kind = 'dri'\n", encoding="utf-8")
    assert refusal(tmp_path) == (
        "xplain.toml: kind is 'dri'; it must be dry or wet; did you mean 'dry'?"
    )


def test_an_option_in_other_words_stays_the_same_option():
    (own,) = worded(Fog, "density", "Drops.", usage="--drops N", panel="Rain")
    (first, *_) = options_of(Fog)
    assert (own.flags, own.help, own.panel) == (("--drops",), "Drops.", "Rain")
    assert (own.name, own.kind, own.least) == (first.name, first.kind, first.least)


def test_a_command_takes_no_option_twice():
    with pytest.raises(ValueError, match="declared twice: density"):
        takes(Fog, some(Fog, "density"))


def test_options_of_one_name_take_the_same_values_in_every_command():
    kinds = {}
    for command in COMMANDS.values():
        for one in command.options:
            kinds.setdefault(one.name, set()).add((one.kind, one.choices, one.least, one.shape))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


ADDED = '    burn_in: int = option("--burn-in N", "Draws left out.", 3, least=1)\n'
STUB = '''"""A stub."""

from xplain_cli.options import runs
from xplain_cli.options.command import Options, takes


@takes(runs.Sampling)
def stub(options: Options) -> int:
    """Do nothing."""
    return options.group(runs.Sampling).burn_in
'''
LOOK = """
import json
from pathlib import Path
from typer.testing import CliRunner
from xplain_cli.commands import COMMANDS, make_app
from xplain_cli.options.project import resolve
from xplain_cli.options.request import to_request, stored_form

def run(*words, **env):
    return CliRunner().invoke(make_app(COMMANDS), words, env=env)

def asked(environ):
    given = {"words": ("m", "d")}
    return to_request(resolve("text", given, environ, Path(), COMMANDS), "text")

print(json.dumps({
    "help": [name for name in COMMANDS if "--burn-in" in run(name, "--help").output],
    "environment": asked({"XPLAIN_BURN_IN": "5"}).sampling.burn_in,
    "file": asked({"XPLAIN_CONFIG": "burn.toml"}).sampling.burn_in,
    "stored": stored_form(asked({}))["burn_in"],
    "bound": str(run("stub", "--burn-in", "0").exception),
    "code": run("stub", "--burn-in", "9").exit_code,
}))
"""


def changed(path, before, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, new + before), encoding="utf-8")


def test_one_line_adds_an_option_and_one_file_with_its_line_a_command(tmp_path):
    own = tmp_path / "xplain_cli"
    shutil.copytree(
        Path(xplain_cli.__file__).parent, own, ignore=shutil.ignore_patterns("__pycache__")
    )
    changed(own / "options" / "runs.py", "    samples: int | None", ADDED)
    (own / "commands" / "stub.py").write_text(STUB, encoding="utf-8")
    table = own / "commands" / "__init__.py"
    changed(table, '    "report": report,', '    "stub": stub,\n')
    changed(
        table, "from xplain_cli.commands.tabular", "from xplain_cli.commands.stub import stub\n"
    )
    (tmp_path / "burn.toml").write_text("[text]\nburn-in = 8\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "help": ["tabular", "text", "image", "stub"],
        "environment": 5,
        "file": 8,
        "stored": 3,
        "bound": "--burn-in is 0; it must be at least 1",
        "code": 9,
    }
