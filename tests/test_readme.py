"""README and docs: commands that run as printed, links that lead somewhere, at most 150 lines."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from xplain_cli.commands import COMMANDS, make_app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = sorted((ROOT / ".github" / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]


def blocks(text):
    """Return the commands of indented blocks, each in one line without its comment."""
    joined = re.sub(r"\\\n\s+", "", text)
    lines = re.findall(r"^    (\S.*)$", joined, re.MULTILINE)
    typed = [part for line in lines for part in re.split(r" (?:&&|\|) ", line.partition("   #")[0])]
    return [part.strip() for part in typed if part.startswith("xplain ")]


def in_tables(text):
    """Return the commands of the second column of tables."""
    return re.findall(r"^\|[^|]*\| `(xplain [^`]*)` \|$", text, re.MULTILINE)


def test_the_readme_teaches_in_150_lines():
    assert len(README.splitlines()) <= 150


def test_the_commands_of_the_readme_run_as_printed(run, tmp_path):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    typed = [*blocks(README), *in_tables(README)]
    assert len(typed) >= 12
    for line in typed:
        done = run(*shlex.split(line)[1:])
        assert done.code == 0, (line, done.err)
    assert {"xplain-demo", "xplain-out", "wine.html", "poor.html"} <= {
        path.name for path in tmp_path.iterdir()
    }
    # the line that is read aloud is the one that was written
    table = re.search(
        r"^    (patient-\S+)  \S+ +1 +(.*?)  +(\S+) +(\S+) +(\S+) .*  (.*)$", README, re.MULTILINE
    )
    row, feature, value, weight, error, condition = table.groups()
    lines = pd.read_csv(tmp_path / "xplain-out" / "weights.csv")
    line = lines[(lines["row_id"] == row) & (lines["rank"] == 1)].iloc[0]
    assert (feature, float(value), condition) == (
        line["feature"],
        line["feature_value"],
        line["condition"],
    )
    assert (float(weight), float(error)) == pytest.approx(
        (line["weight"], line["std_error"]), rel=0.05
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_command_that_is_printed_is_one_that_can_be_typed(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    quiet = {
        name: replace(command, run=lambda options: seen.append(options) or 0)
        for name, command in COMMANDS.items()
    }
    for line in blocks(path.read_text(encoding="utf-8")):
        done = CliRunner().invoke(make_app(quiet), shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
    assert len(seen) == len(blocks(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_link_leads_to_a_file(path):
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_page_of_the_docs_is_named_in_the_readme():
    assert [path.name for path in DOCS if f"docs/{path.name}" not in README] == []


def with_samples(path):
    """Return the commands of a page from the first that names our samples on: they can run."""
    lines = blocks(path.read_text(encoding="utf-8"))
    return lines[next((at for at, one in enumerate(lines) if "sample_data/" in one), len(lines)) :]


RUNS = {path.stem: lines for path in DOCS if (lines := with_samples(path))}


def test_the_pages_whose_commands_run_are_these():
    # the others name files of the reader: they are parsed, by the test above
    assert set(RUNS) == {"columns", "gates", "privacy", "scaling"}
    assert sum(map(len, RUNS.values())) == 8


@pytest.mark.parametrize("page", RUNS)
def test_the_commands_of_the_docs_that_name_samples_run_as_printed(run, tmp_path, page):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    for line in RUNS[page]:
        done = run(*shlex.split(line)[1:])
        assert done.code == 0, (line, done.err)
    if page == "privacy":
        assert pd.read_csv(tmp_path / "private" / "weights.csv")["feature_value"].isna().all()
