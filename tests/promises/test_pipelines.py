"""The pipelines of the documentation say the same four commands, which run; the action too."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from linear_runs import doubled, store, table
from running import environment

ROOT = Path(__file__).parents[2]
PIPELINES = ROOT / ".github" / "pipelines"
ACTION = ROOT / ".github" / "actions" / "xplain" / "action.yml"


@pytest.fixture
def shell(tmp_path):
    """Run bash in a folder, where ``xplain`` is this one."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "xplain").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m xplain_cli "$@"\n')
    (tools / "xplain").chmod(0o755)

    def run(*command, **variables):
        path = f"{tools}:{environment()['PATH']}"
        return subprocess.run(
            ["bash", *map(str, command)],
            cwd=tmp_path,
            env=environment(PATH=path, **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    return run


def spelled(words):
    """Return a command without the names of models and data."""
    return [
        re.sub(r"^(\S*\$\S*|\{.*\}|models/\S+|before/\S+|data\.csv)$", "FILE", w) for w in words
    ]


def commands():
    """Return the commands of the script, word by word."""
    lines = (PIPELINES / "pipeline.sh").read_text().splitlines()
    return [spelled(shlex.split(line)) for line in lines if line.startswith("xplain")]


def test_the_script_fails_where_the_reasons_changed_and_only_there(shell, tmp_path):
    table(24).to_csv(tmp_path / "d.csv", index=False)
    store(tmp_path / "old.pkl")
    store(tmp_path / "new.pkl", doubled("income"))
    done = shell(PIPELINES / "pipeline.sh", "old.pkl", "new.pkl", "d.csv")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines() == ["runs/old", "runs/new", "runs/new: holds", "runs/diff"]
    failures = {
        path.stem: ET.parse(path).getroot().get("failures")
        for path in (tmp_path / "reports").iterdir()
    }
    assert failures == {"quality": "0", "verify": "0", "drift": "1"}
    found = json.loads((tmp_path / "runs" / "diff" / "diff.json").read_text())["summary"]
    assert found["first_reason_changed"] > 0.05 * found["explanations"]
    assert (found["model_changed"], found["data_changed"]) == (True, False)


def test_a_reader_that_leaves_is_told_as_141(shell):
    assert shell("-c", "set -o pipefail; xplain explain | true").returncode == 141


@pytest.mark.parametrize("name", ["dvc.yaml", "Snakefile", "workflow.yml"])
def test_every_form_of_the_pipeline_says_the_same(name):
    text = (PIPELINES / name).read_text()
    if name == "Snakefile":
        found = re.findall(r'"""(xplain .*?)"""', text)
    elif name == "dvc.yaml":
        found = [stage["cmd"] for stage in yaml.safe_load(text)["stages"].values()]
    else:
        steps = yaml.safe_load(text)["jobs"]["reasons"]["steps"]
        used = [step["with"]["command"] for step in steps if "xplain" in step.get("uses", "")]
        found = [f"xplain {command}" for command in used]
    assert [spelled(shlex.split(one)) for one in found] == commands()


def test_the_action_hands_its_words_over_and_runs_none_of_them(shell, tmp_path):
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    (tmp_path / "bin" / "xplain").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    hostile = "gate 'my run' --fail-on \"share(a)>5%\" $(touch pwned) `touch pwned` ; touch pwned"
    assert shell("-c", steps[0]["run"], PACKAGE="xplain-cli").returncode == 0
    done = shell("-c", steps[1]["run"], COMMAND=hostile)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:4] == ["gate", "my run", "--fail-on", "share(a)>5%"]
    assert not (tmp_path / "pwned").exists()
