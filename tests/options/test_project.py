"""Who wins between flag, environment, project file and default, and what a project file may say."""

from pathlib import Path

import pytest
from project_files import write

from xplain_cli.commands import COMMANDS
from xplain_cli.errors import UsageError
from xplain_cli.options import project


def resolve(command, given, environ, folder):
    return project.resolve(command, given, environ, folder, COMMANDS)


def values(folder, given=None, environ=None, command="tabular"):
    return resolve(command, given or {}, environ or {}, folder).values


def refusal(folder, given=None, environ=None):
    with pytest.raises(UsageError) as caught:
        resolve("tabular", given or {}, environ or {}, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path):
    assert values(tmp_path)["seed"] == 0
    write(tmp_path, "seed = 1")
    assert values(tmp_path)["seed"] == 1
    assert values(tmp_path, environ={"XPLAIN_SEED": "2"})["seed"] == 2
    assert values(tmp_path, {"seed": 0}, {"XPLAIN_SEED": "2"})["seed"] == 0


def test_a_list_replaces_the_configured_one(tmp_path):
    write(tmp_path, 'keep = ["a", "b"]')
    assert values(tmp_path, {"keep": ["c"]})["keep"] == ("c",)
    assert values(tmp_path, {"keep": []})["keep"] == ("a", "b")


def test_an_empty_variable_is_not_set(tmp_path):
    write(tmp_path, "seed = 1")
    assert values(tmp_path, environ={"XPLAIN_SEED": ""})["seed"] == 1


def test_the_table_of_a_command_overrides_the_shared_keys(tmp_path):
    write(tmp_path, 'seed = 1\ntop-k = 3\n[tabular]\ntop_k = 4\n[gate]\nfail-on = "max(x)>1"')
    assert (values(tmp_path)["seed"], values(tmp_path)["top_k"]) == (1, 4)
    assert values(tmp_path, command="gate")["fail_on"] == "max(x)>1"


def test_pyproject_serves_when_it_speaks_of_xplain(tmp_path):
    write(tmp_path, "[tool.xplain]\nseed = 5\n[tool.xplain.tabular]\njobs = 2", "pyproject.toml")
    resolved = resolve("tabular", {}, {}, tmp_path)
    assert (resolved.values["seed"], resolved.values["jobs"]) == (5, 2)
    assert (resolved.project_file, resolved.notes) == ("pyproject.toml", ("using pyproject.toml",))


def test_a_pyproject_of_others_is_not_used(tmp_path):
    write(tmp_path, "[tool.ruff]\nline-length = 100", "pyproject.toml")
    assert resolve("tabular", {}, {}, tmp_path).project_file is None


def test_xplain_toml_comes_before_pyproject(tmp_path):
    write(tmp_path, "seed = 1")
    write(tmp_path, "[tool.xplain]\nseed = 2", "pyproject.toml")
    assert values(tmp_path)["seed"] == 1


def test_paths_are_relative_to_the_project_file(tmp_path):
    write(
        tmp_path, 'model = "m.pkl"\ndata = ["a*.csv", "-"]\nclass-names = "/c.txt"', "conf/x.toml"
    )
    found = values(tmp_path, {"config": "conf/x.toml"})
    assert (found["model"], found["data"]) == (str(Path("conf/m.pkl")), ("conf/a*.csv", "-"))
    assert found["class_names"] == "/c.txt"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("sead = 1", "unknown key 'sead'; did you mean 'seed'"),
        ("[tabular]\nsamplez = 1", "xplain.toml: [tabular]: unknown key 'samplez'; did you mean"),
        ("[gate]\nseed = 1", "xplain.toml: [gate]: unknown key 'seed'"),
        ("[gate]\nname = 'x'\ncondition = 'count(failed)>0'", "written under [[gate]]"),
        ("[sound]\nunit = 'char'", "unknown key 'sound'"),
        ("debug = true", "unknown key 'debug'"),
        ("seed = 'x'", "xplain.toml: seed is 'x'; it must be a whole number"),
        ("[tabular]\njobs = 0", "xplain.toml: [tabular]: jobs is 0; it must be at least 1"),
        ("tabular = 1", "tabular is 1; it must be a table"),
        ("top-k = 1\ntop_k = 1", "twice"),
        ("seed = ", "xplain.toml: not valid TOML"),
        ("seed = 1\n[tool.xplain]\nseed = 2", "'seed' stands outside [tool.xplain]"),
        ("trust_model = true", "a project file can never grant trust"),
        ("confine = 'off'", "a project file never says what a model may reach"),
        ("[tabular]\nallow-read = ['/']", "a project file never says what a model may reach"),
        ("allow_net = true", "pass --allow-net on the command line, or set XPLAIN_ALLOW_NET"),
        ("open-timeout = 5.0", "pass --open-timeout on the command line"),
        ("[tabular]\ntrusted = ['a.B']", "a project file can never grant trust"),
        ("model = 'pkg.mod:predict'", "a project file can never grant trust"),
    ],
)
def test_a_wrong_project_file_is_refused_with_file_and_key(tmp_path, text, part):
    write(tmp_path, text)
    message = refusal(tmp_path)
    assert message.startswith("xplain.toml: ")
    assert part in message


def test_a_config_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path, {"config": "no.toml"}).startswith("no.toml: ")
    assert refusal(tmp_path, environ={"XPLAIN_CONFIG": "no.toml"}).startswith("no.toml: ")


def test_trust_is_granted_by_flag_and_environment(tmp_path):
    assert values(tmp_path, {"trust_model": True})["trust_model"] is True
    assert values(tmp_path, environ={"XPLAIN_TRUST_MODEL": "1"})["trust_model"] is True
    assert values(tmp_path, environ={"XPLAIN_TRUSTED": "a.B,c.D"})["trusted"] == ("a.B", "c.D")


@pytest.mark.parametrize("command", ["", "[tabular]\n", "[text]\n"])
def test_a_project_file_never_says_whose_code_a_model_is(tmp_path, command):
    write(tmp_path, f'{command}python-path = ["src"]')
    given = {"model": "pkg:predict", "trust_model": True}
    message = refusal(tmp_path, given)
    assert "python-path: a project file can never say whose code a model is" in message
    assert "--python-path on the command line, or set XPLAIN_PYTHON_PATH" in message


def test_flags_and_the_environment_say_whose_code_a_model_is(tmp_path):
    environ = {"XPLAIN_PYTHON_PATH": "src"}
    assert values(tmp_path, {"model": "pkg:predict"}, environ)["python_path"] == ("src",)
    assert values(tmp_path, {"python_path": ["src"]})["python_path"] == ("src",)


def test_a_variable_that_means_nothing_is_noted(tmp_path):
    notes = resolve("gate", {}, {"XPLAIN_SEAD": "1", "XPLAIN_JOBS": "2"}, tmp_path).notes
    assert notes == ("XPLAIN_SEAD sets nothing; did you mean 'SEED' or 'SHARD'?",)


def test_a_wrong_variable_is_refused_by_name(tmp_path):
    assert refusal(tmp_path, environ={"XPLAIN_JOBS": "0"}).startswith("XPLAIN_JOBS is 0")


def test_a_lone_word_beside_a_configured_model_is_data_but_for_inspect_the_model(tmp_path):
    for command, expected in (("tabular", ("m", ("a",))), ("inspect", ("a", ()))):
        found = resolve(command, {"words": ("a",)}, {"XPLAIN_MODEL": "m"}, tmp_path)
        assert (found.values["model"], found.values["data"]) == expected
