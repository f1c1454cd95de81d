"""Tables with one row that cannot be read."""

BAD = {
    "word": (lambda cells: [cells[0], "abc", *cells[2:]], "column 'a': 'abc' is not a number"),
    "short": (lambda cells: cells[:2], "line 12 has 2 cells, the header 4"),
    "long": (lambda cells: [*cells, "9"], "line 12 has 5 cells, the header 4"),
    "nul": (lambda cells: [cells[0], cells[1] + "\0", *cells[2:]], "line 12 has a NUL byte"),
    "quote": (lambda cells: [cells[0], '"1"2', *cells[2:]], "a quote in line 12 is wrong"),
}


def spoiled(tmp_path, data, change, at=10):
    """Return the table with row *at* changed; the place of the others is the same."""
    rows = data.read_text().splitlines()
    rows[at + 1] = ",".join(change(rows[at + 1].split(",")))
    path = tmp_path / "spoiled.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
