"""Commands that judge tell CI systems of it, where they are asked or it is one."""

import xml.etree.ElementTree as ET

import pytest

GATES = ("--fail-on", "count(failed)>0, max(prediction)>-1")


@pytest.fixture
def summary(tmp_path, monkeypatch):
    """The file of the job summary, and the variables by which GitHub is known."""
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return path


def test_a_gate_is_annotated_and_summed_up_where_github_is(run, finished, summary, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = run("gate", *GATES)
    assert done.code == 1
    assert done.err.count("::error title=xplain gate%3A max(prediction)>-1::") == 1
    assert summary.read_text().startswith("### xplain gate: 1 of 2 checks failed")


def test_nothing_is_annotated_elsewhere(run, finished, summary):
    assert "::error" not in run("gate", *GATES).err
    assert not summary.exists()


def test_github_can_be_asked_for_and_declined(run, finished, summary, monkeypatch):
    assert "::error" in run("gate", *GATES, "--github").err
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "::error" not in run("gate", *GATES, "--no-github").err


def test_an_explaining_command_writes_junit_with_the_worst_rows(run, cancer, tmp_path):
    from pages import small

    done = run(*small(cancer, "--id-column", "id"), *GATES, "--junit", "g.xml", "-q")
    assert done.code == 1
    (suite,) = ET.parse(tmp_path / "g.xml").getroot()
    assert suite.get("name") == "xplain tabular"
    assert suite[1].find("failure").text.count("\nrow p") == 5


def test_gates_with_names_stand_in_the_project_file(run, finished, tmp_path):
    (tmp_path / "xplain.toml").write_text(
        '[[gate]]\nname = "whole"\ncondition = "count(failed)>0"\n'
        '[[gate]]\nname = "high"\ncondition = "max(prediction)>-1"\n'
        '[[gate]]\nname = "drift"\ncondition = "share(first_reason_changed)>5%"\n'
    )
    done = run("gate", "--junit", "g.xml")
    assert done.code == 1
    (suite,) = ET.parse(tmp_path / "g.xml").getroot()
    assert [case.get("name") for case in suite] == ["whole", "high"]
    assert "gate high FAILED: max(prediction)>-1" in done.err
    assert "gate 'drift' is not judged here: it speaks of diff_rows.csv" in done.err
