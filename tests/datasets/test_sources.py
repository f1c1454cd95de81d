"""Files of which too much cannot be read."""

from small_tables import flawed, refused, table


def test_more_than_half_bad_lines_refuse_the_file(tmp_path):
    lines = ["x,t", *["1,w"] * 5, *["1"] * 5]
    assert len(flawed(table(tmp_path, "\n".join(lines)))[0]) == 5
    message = refused(tmp_path, "\n".join([*lines, "1"]))
    assert "line 7 has 1 cell" in message
    assert message.endswith("(6 of 11 rows cannot be read)")
