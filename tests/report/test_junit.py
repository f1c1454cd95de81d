"""Checks as JUnit XML: what readers of it rely on, whatever the checks say."""

import xml.etree.ElementTree as ET

import pytest

from xplain_cli.quality.checks import Check
from xplain_cli.report.junit import render_junit

HOSTILE = 'a<b & "c"\n]]>\x00\x1b[31m\ud800 ::error::'
CHECKS = [
    Check("met", failed=False, message="seen 0"),
    Check(HOSTILE, failed=True, message=HOSTILE, rows=(HOSTILE, "p1")),
]

# a second writing of the schema of the Jenkins xUnit plugin, as far as we use it
REQUIRED = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "failure": set(),
    "system-out": set(),
}
ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "system-out"},
    "failure": set(),
    "system-out": set(),
}


def test_the_document_follows_the_schema():
    root = ET.fromstring(render_junit("xplain diff", CHECKS))
    assert root.tag == "testsuites"
    for element in root.iter():
        assert REQUIRED[element.tag] <= set(element.attrib) <= ALLOWED[element.tag]
        assert {child.tag for child in element} <= CHILDREN[element.tag]


def test_counts_are_those_of_the_checks():
    (suite,) = ET.fromstring(render_junit("xplain diff", CHECKS))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    assert [case.get("classname") for case in suite] == ["xplain diff"] * 2


def test_hostile_text_comes_through_but_for_what_xml_cannot_hold():
    (suite,) = ET.fromstring(render_junit("x", CHECKS))
    failure = suite[1].find("failure")
    said = HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
    assert failure.get("message") == said
    assert failure.text == f"{said}\nrow {said}\nrow p1"


@pytest.mark.parametrize("count", [0, 3])
def test_equal_checks_give_equal_bytes(count):
    assert render_junit("x", CHECKS * count) == render_junit("x", CHECKS * count)
