"""Text that a spreadsheet would run is disarmed."""

import pytest
from written import cells, files, records

from xplain_cli.output import (
    guard,
    unguard,
)


def test_the_guard_disarms_text_and_leaves_numbers():
    weights, _ = files([records(values=(-2.5, "=1+1", "-7"), kept="@x")], "csv")
    lines = cells(weights)
    assert [line["feature_value"] for line in lines[:3]] == ["'=1+1", "-7", "-2.5"]
    assert lines[0]["kept"] == "'@x"
    assert lines[0]["weight"] == "-2.0"


@pytest.mark.parametrize(
    "text", ["=x", "+", "-x", "@", "\tx", "\rx", "\0", "'=x", "''-x", "'x", "x=", "", "ü", "\n=x"]
)
def test_unguard_undoes_guard(text):
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in set("=+-@\t\r\0")
