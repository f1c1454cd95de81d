"""What runs the checks elsewhere: the workflow runs all of them, hooks have the lock's ruff."""

import os
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CLASSIFIER = "Programming Language :: Python :: "


def read_yaml(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_workflow_runs_all_checks_under_every_python_that_is_promised():
    job = read_yaml(".github/workflows/ci.yml")["jobs"]["checks"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = [
        text.removeprefix(CLASSIFIER)
        for text in project["classifiers"]
        if text.startswith(CLASSIFIER) and "." in text
    ]
    assert job["strategy"]["matrix"]["python"] == promised
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["steps"][1]["with"]["python-version"] == "${{ matrix.python }}"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_hooks_check_and_format_with_the_ruff_of_the_lock():
    (pinned,) = re.findall(
        r"^(ruff==\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE
    )
    (source,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert {
        hook["entry"].rsplit(" ", 1)[0]: hook["additional_dependencies"] for hook in source["hooks"]
    } == {
        "ruff check": [pinned],
        "ruff format": [pinned],
    }
