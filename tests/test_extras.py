"""Optional packages: what messages tell users to type brings what they need, and no more."""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from packaging.requirements import Requirement

from xplain_cli.errors import UsageError, install_line, require
from xplain_cli.models.estimators.boosters import BOOSTERS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "xplain_cli").rglob("*.py")]


def packages(extra, system):
    """Return the names of the packages that an extra brings on a system."""
    wanted = [Requirement(text) for text in EXTRAS[extra]]
    here = {"sys_platform": system}
    return [one.name for one in wanted if one.marker is None or one.marker.evaluate(here)]


@pytest.mark.parametrize(
    ("system", "name"),
    [("linux", "xgboost-cpu"), ("darwin", "xgboost"), ("win32", "xgboost")],
)
def test_xgboost_comes_without_its_gigabyte_for_graphics_cards(system, name):
    assert packages("xgboost", system) == [name]


def test_every_extra_that_the_code_requires_exists():
    calls = [
        node
        for source in SOURCES
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require"
    ]
    named = {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}
    assert {"parquet", "skops", "torch", "tokenizers"} <= named
    assert named | set(BOOSTERS) <= set(EXTRAS)


def test_every_extra_that_a_text_names_exists():
    pages = [ROOT / "README.md", *(ROOT / ".github" / "docs").glob("*.md")]
    texts = [*SOURCES, *(page.read_text(encoding="utf-8") for page in pages)]
    named = {name for text in texts for name in re.findall(r"(?:cli|\.)\[([a-z0-9]+)\]'", text)}
    assert {"xgboost", "dask", "remote", "intl"} <= named
    assert named <= set(EXTRAS)


def test_a_missing_package_names_the_line_that_installs_it():
    with pytest.raises(UsageError) as caught:
        require("xgboost.no_such_part", "xgboost")
    assert str(caught.value).endswith(install_line("xgboost"))


def test_the_line_that_installs_an_extra_names_its_packages_on_this_system():
    for extra, texts in EXTRAS.items():
        wanted = [one for one in map(Requirement, texts) if not one.marker or one.marker.evaluate()]
        pip, install, *named = shlex.split(install_line(extra))
        assert (pip, install) == ("pip", "install")
        assert [(one.name, one.specifier) for one in map(Requirement, named)] == [
            (one.name, one.specifier) for one in wanted
        ]
    assert PROJECT["name"] == "xplain-cli"


def test_the_manifest_says_which_version_answered_whatever_it_is_installed_as(
    run, cancer, tmp_path
):
    xgboost = pytest.importorskip("xgboost")
    table = pd.read_csv(cancer.data).drop(columns="id")
    model = xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(table, table["mean area"])
    model.save_model(tmp_path / "model.ubj")
    done = run("tabular", "model.ubj", cancer.data, "-n", "32", "-r", "2", "--rows", "0:2")
    assert done.code == 0, done.err
    manifest = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text())
    assert manifest["versions"]["xgboost"] == xgboost.__version__
