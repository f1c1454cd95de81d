"""Lines that cannot be read cost their row alone."""

import pytest
from small_tables import flawed, table

from xplain_cli.datasets import (
    chunks,
    kinds,
    n_rows,
)

GOOD = [[float(i), f"w{i}"] for i in range(4)]


BAD_LINES = [
    ("9", "line 4 has 1 cell, the header 2; remove a separator too many, add one too few"),
    ("9,w,1", "line 4 has 3 cells, the header 2"),
    ("9,w\0", "line 4 has a NUL byte"),
    ('"9"x,w', "a quote in line 4 is wrong"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_bad_line_costs_its_row_alone(tmp_path, line, message, end):
    lines = ["x,t", "0,w0", "1,w1", line, "2,w2", "3,w3"]
    opened = table(tmp_path, end.join(lines))
    assert kinds(opened, ["x", "t"]) == {"x": "integer", "t": "text"}
    reasons, rest = flawed(opened)
    assert (n_rows(opened), list(reasons), rest) == (5, [2], GOOD)
    assert f"data.csv: {message}" in reasons[2]
    assert "\n" not in reasons[2]


def test_an_unreadable_row_is_named_by_its_number(tmp_path):
    opened = table(tmp_path, "id,x\na,1\nb\nc,abc\n")
    piece = next(chunks(opened, {"x": "number"}, ["id"], 10))
    assert (piece.ids("id"), sorted(piece.reasons)) == (["a", "row 1", "c"], [1, 2])
